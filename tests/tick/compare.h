/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/layout.h"
#include "util/reader.h"

/* What became of the threads of one process, looked at by a tick and by python/walk.h. */
struct compared {
	unsigned int same;    /* both have the same stack, of at least one frame */
	unsigned int without; /* ... without any */
	unsigned int lost;    /* by the tick, which said so; user space can read more */
	unsigned int untold;  /* user space cannot tell its stack */
};

/*
 * Ticks on each thread of a process that stands still, and reads its stack as python/walk.h does,
 * which has more time and was written for itself: where that has a stack, the tick has the same
 * one, function by function, or lost it for a cause that is allowed. Returns what is not so, NULL:
 * nothing; *ret is counted up. What tick_begin() sets is set anew.
 */
const char *compare(const struct reader *r, const struct plop_layout *l, uint64_t runtime,
		    struct compared *ret);
