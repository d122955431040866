/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plopd/stacks.h"
#include "target/naming.h"

/* Hands what comes from the kernel side to those who want it. */
struct dispatch {
	/* borrowed */
	struct cycle *cycle;
	struct targets *targets;
	struct naming *naming;
	struct recordings *recordings;
	struct stacks *stacks;
};

/*
 * For sampler_new(); d has to outlive the sampler, and what it points to is used from the sampler's
 * first call on.
 */
struct sampler_handlers dispatch_handlers(struct dispatch *d);
