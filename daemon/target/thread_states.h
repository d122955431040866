/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/* Finds the states of threads that the kernel side does not reach. */
void targets_state(struct targets *t, const struct plop_record_state *r);
