/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fleet/sql.h"

/* Which partitions of the store's tables are dropped. Pure. */

/* A time that an hour was added up. */
struct tidy_generation {
	uint32_t hour, made; /* seconds since 1970 */
	uint64_t generation;
};
struct tidy_generations {
	struct tidy_generation *items; /* by hour and generation; owned */
	uint32_t n, room;
};

/*
 * Whether a partition of the tables of sums is to go: a generation that was never ended, or one
 * that another has stood for since a while, so that nobody reads it any more.
 */
bool tidy_drops_generation(const struct tidy_generations *known, uint64_t generation,
			   uint32_t now_s);
/* Whether a partition "YYYY-MM-DD" of the other tables is of a day that is not kept. keep_s: > 0 */
bool tidy_drops_day(const char *partition, uint32_t now_s, uint64_t keep_s);
