/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/counts.h"
#include "store/head.h"

struct save;
struct store;

/*
 * Windows are kept in tiers: as they were saved; those of ten minutes added up; and those of six
 * hours. A roll-up is one of the latter two: a row of the table rollups for the head, and one of
 * counts. It says which windows it is of, by their numbers, so that none is ever counted twice, and
 * its sums are theirs, in every column that has one, by process, thread and state.
 *
 * A roll-up of ten minutes is of windows that have a dictionary in common, and uses it: nothing of
 * it is written again. One of six hours has a dictionary of its own, which is smaller, as it has
 * functions without the lines that ran. There may be several of a time: it ends with a dictionary,
 * with ROLLUP_COUNTS different counts, and where the clock was set.
 */
enum store_tier {
	TIER_WINDOWS,
	TIER_MINUTES, /* ten */
	TIER_HOURS,   /* six */
};
#define STORE_TIERS   (TIER_HOURS + 1)
#define ROLLUP_COUNTS 32768

struct rollup {
	struct head head;
	int64_t tier;        /* enum store_tier, not TIER_WINDOWS */
	int64_t first, last; /* windows, by their numbers */
};

/* The statements that select roll-ups, and insert one. what: what follows "FROM rollups". */
char *rollup_select(const char *what);
char *rollup_insert(void);
void rollup_read(sqlite3_stmt *st, struct rollup *ret);
/* at: the first parameter behind those of the head. */
void rollup_bind(sqlite3_stmt *st, int at, const struct rollup *r);

/* One that is being made, between two steps of it. */
struct rolling {
	struct rollup rollup;    /* of what was added so far */
	int64_t until;           /* the last window that is to be in it; 0: nothing is under way */
	struct counts counts;    /* of TIER_MINUTES */
	struct profile *profile; /* of TIER_HOURS; owned */
	struct save *save;       /* the same on its way into the file; owned */
};
void rolling_done(struct rolling *r);

/* The last window that is in a roll-up of the tier; 0: none is. */
int rollup_last(struct store *s, enum store_tier tier, int64_t *ret);

/*
 * Rolls up what is complete, for about so long; s->rolls_more says whether there is more. -EBADMSG:
 * the file is damaged.
 */
int rollup_step(struct store *s, uint64_t budget_ns);
