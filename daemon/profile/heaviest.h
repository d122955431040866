/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"

/*
 * Which functions of a call graph are nodes of their own: see callgraph_new(). One pass over the
 * functions for each half, in memory that depends on max alone. Sets kept[] of those that are.
 * Returns whether others are left that have samples, or -ENOMEM.
 */
int heaviest_functions(const struct dict *d, const uint64_t *self, const uint64_t *total,
		       uint32_t max, bool *kept);

/*
 * The order of two callgraph_nodes, heaviest first, for qsort_r(); ctx: their dict. Never 0 for
 * different functions.
 */
int heaviest_by_self(const void *pa, const void *pb, void *ctx);
