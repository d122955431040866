/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "profile/profile.h"
#include "store/db.h"
#include "util/json.h"

/*
 * The head of a window: all that it is but for its stacks. One table (head.c) has the columns:
 * where each is in this struct and in the table windows, since which version, what it is called in
 * JSON, and how those of several windows become one. All that reads, writes, adds up or shows heads
 * is made from it.
 */
struct head {
	int64_t id;                /* 0: none */
	uint64_t start_ns, end_ns; /* CLOCK_REALTIME */
	int64_t stepped_ns;        /* how far the clock was set as it began */
	int64_t life_ns;           /* the time that had passed when it ended, see life.h */
	int64_t dictionary;        /* of its stacks (dictionary.h); 0: versions 1 to 3 had none */
	uint64_t hz;
	uint64_t samples; /* all counts of its stacks */
	bool running;
	struct tally tally;
};

/*
 * The statement that selects all columns, in the order in which head_read() expects them from
 * column 0 on, of a file of that schema version, and behind them more, which is "" or begins with a
 * comma. from: what follows FROM: a table that has heads. Owned by the caller; NULL: out of memory.
 */
char *head_select(int version, const char *more, const char *from);
/*
 * The statement that inserts a head into that table, for head_bind(), and behind it so many more
 * columns, of these names, "" or beginning with a comma. Owned by the caller; NULL: out of memory.
 */
char *head_insert(const char *table, const char *more, unsigned int nmore);

/* running is not set. Returns the next column. */
int head_read(sqlite3_stmt *st, struct head *ret);
/* Returns the next parameter. */
int head_bind(sqlite3_stmt *st, const struct head *h);

/* Makes a head of several windows; to: zeroed before the first. The order is that of time. */
void head_add(struct head *to, const struct head *from);
/* All that is told of it to somebody who may only know of some processes: what these have. */
void head_reduce(struct head *h, uint64_t samples);
/* As the members of the object that GET /v1/windows has for a window. */
void head_put(struct json_writer *w, const struct head *h);

/* Between a head and what a profile says of itself; id and life_ns are not of profiles. */
void head_of_profile(const struct profile *p, struct head *ret);
void head_to_profile(const struct head *h, struct profile *p);
