/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/sums.h"
#include "util/json.h"

/*
 * GET /v1/series: how much CPU was used over time, and one function's share of it. A point is a
 * window, or what several add up to.
 */
struct timeline_point {
	uint64_t start_ns, end_ns;
	uint32_t hz;
	uint64_t samples, self, total; /* all that have a frame; of the function */
};
struct timeline {
	char *function;                /* its name; NULL: of none; owned */
	struct timeline_point *points; /* owned */
	uint32_t n, room;
};
/* Points that a time is divided into, at most about so many. */
#define TIMELINE_POINTS 600

void timeline_done(struct timeline *t);
/* The unit (store_reader_unit()) for a time of such a length. */
uint64_t timeline_unit(uint64_t length_ns);
/* What is asked of sums: 1 is the function, 0 are all others. */
struct sums_of timeline_sums(struct timeline *t);
/* One more point. -ENOMEM. */
int timeline_add(struct timeline *t, const struct sums *s);
/* The members of the answer. */
void timeline_put(const struct timeline *t, struct json_writer *w);
