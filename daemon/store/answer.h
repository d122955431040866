/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"

/* What windows are read for, and what has come of it so far. */
struct answer {
	const struct selectors *selectors;
	struct profile *p;
	size_t limit;                        /* of memory; 0: none */
	bool threads_alike, processes_alike; /* are not kept apart */
	bool off_cpu;                        /* what is counted is nanoseconds off CPU */
};

/* -E2BIG: it takes more memory than it may, with so many bytes beside the profile. */
static inline int answer_check(const struct answer *a, size_t beside)
{
	return a->limit && profile_bytes(a->p) + beside > a->limit ? -E2BIG : 0;
}

/* Is told each process of a window; its texts are borrowed. A negative errno ends it. */
typedef int (*answer_process_fn)(const struct profile_process *p, void *ctx);
