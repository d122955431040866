/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * What somebody has asked this host for, through the fleet's store: all of its windows in a time,
 * whatever the plan leaves out. It asks by itself, so nobody connects to it. The store may say what
 * it likes: of more than REQUESTS_MOST, the first count, and of a time that is longer than
 * REQUESTS_LONGEST_S, as much.
 */
#define REQUESTS_MOST      64
#define REQUESTS_LONGEST_S 3600
struct requests {
	struct requests_item {
		uint64_t id;
		uint32_t from_s, to_s;
	} items[REQUESTS_MOST];
	uint32_t n;
	uint64_t next_ns; /* when the store is asked again, CLOCK_MONOTONIC */
};

/* What asks the store for those that are of that host and have not ended an hour ago. Pure. */
void requests_question(const char *database, uint64_t host_id, uint64_t now_s, struct buf *sql);
/* Reads what it answered, in place of those of before. False: these stay, it is no such rows. */
bool requests_answer(struct requests *r, const struct buf *answer);
/* Whether the store is to be asked now; then not again for that time at most. 0: never. */
bool requests_due(struct requests *r, uint64_t poll_ns);
/* Whether a window overlaps one. */
bool requests_want(const struct requests *r, uint64_t start_ns, uint64_t end_ns);
