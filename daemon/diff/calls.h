/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/index.h"

/* How often each function was called by each other one. All zero is an empty one. */
struct call {
	uint32_t caller, callee;
	double samples;
};
struct calls {
	struct call *calls; /* owned */
	uint32_t n, room;
	struct index index;
};

void calls_done(struct calls *c);
size_t calls_bytes(const struct calls *c);
/* -ENOMEM. */
int calls_add(struct calls *c, uint32_t caller, uint32_t callee, double samples);
