/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/*
 * How often somebody may do something: so many at once, and so many a second from then on. Bounded:
 * where there are more people than places, who has been quiet for longest gives way.
 */
#define RATE_PLACES 256

struct rate {
	unsigned int burst, second; /* at once; in a second */
	struct rate_place {
		uint64_t who;
		uint64_t used_ns; /* of the time that burst things take at that rate; and since */
		uint64_t seen_ns; /* CLOCK_MONOTONIC; 0: free */
	} places[RATE_PLACES];
};

/* Whether who may once more, now, which then counts. */
bool rate_take(struct rate *r, uint64_t who, uint64_t now_ns);
/* What who took last does not count after all. */
void rate_give(struct rate *r, uint64_t who);
