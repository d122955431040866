/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/events.h"
#include "util/json.h"

/*
 * What became of every tick: ticks = python + other + sum of lost. python: counted in a stack of a
 * Python process; other: anything that is no known Python process, idle CPUs included.
 */
struct tally {
	uint64_t ticks;
	uint64_t python;
	uint64_t other;
	uint64_t lost[PLOP_LOST_CAUSES]; /* by enum plop_lost */
	uint64_t truncated;              /* of python: the root is [truncated] */
};

/* The JSON and /metrics name of a cause: "fault", "table_full" ... Static string. */
const char *tally_lost_name(unsigned int cause);
void tally_add(struct tally *to, const struct tally *from);
uint64_t tally_lost(const struct tally *t);
/* {"ticks": 9, "python": 5, ..., "lost": {"fault": 1, ...}}; and its "lost" alone. */
void tally_put(struct json_writer *w, const char *key, const struct tally *t);
void tally_put_lost(struct json_writer *w, const char *key, const struct tally *t);
