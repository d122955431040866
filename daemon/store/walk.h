/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/reader.h"
#include "store/window.h"

/* Which of several tiers that have the same time is read. */
enum walk_tier {
	/* windows, and roll-ups where these are gone: what there was, as fine as it is known */
	WALK_FINEST,
	/* the coarsest whose roll-ups begin and end within the time, and have the lines that ran */
	WALK_LINES,
	/* the coarsest of all whose roll-ups begin and end within the time */
	WALK_COARSEST,
};

/* What is fine enough for units of such a length. */
enum walk_tier walk_tier_of(uint64_t unit_ns);

/*
 * What of all tiers a time range is read from: each window once, by itself or in a roll-up, in the
 * order of their ends. What is passed over (store_reader_pass_over()) is in no roll-up either.
 */
struct walk {
	const struct store_reader *reader;
	struct window_reader *windows;
	struct rollup *rollups;    /* owned; those that are read */
	struct walk_range *ranges; /* owned; their windows, ascending, of the first nranges */
	uint32_t nrollups, nranges, room, next;
	struct head window; /* the next, of an id other than 0 */
	bool newest_first, ended;
};

/* windows: not prepared yet; it outlives the walk. */
int walk_begin(struct walk *k, struct window_reader *windows, const struct store_reader *reader,
	       uint64_t from_ns, uint64_t to_ns, enum walk_tier tier, bool newest_first);
/*
 * 1: *ret is the next head, which window_add() and window_each_process() take; *ret_rollup, if it
 * is a roll-up, else NULL, borrowed. 0: there is none.
 */
int walk_next(struct walk *k, struct head *ret, const struct rollup **ret_rollup);
void walk_done(struct walk *k);
