/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sys/types.h>

#include "store/db.h"
#include "store/head.h"
#include "store/rollup.h"
#include "store/store.h"

struct store_reader {
	char *path;
	sqlite3 *db;
	bool immutable, damaged;
	int version; /* schema version; less than SCHEMA_VERSION only of a damaged one */
	/* What was opened: another file may have taken its place. */
	dev_t dev;
	ino_t ino;
	const uint64_t *passed_over; /* starts of windows */
	size_t npassed_over;
	size_t limit;                        /* of memory for an answer; 0: none */
	bool functions;                      /* nobody wants to know the lines that ran */
	bool threads_alike, processes_alike; /* ... nor to tell these apart */
	uint64_t unit_ns;  /* of the clock, whose windows are told as one; 0: each by itself */
	bool prune;        /* beyond a part of it the lightest branches go */
	uint64_t stay_ns;  /* how long a call may take */
	uint64_t until_ns; /* CLOCK_MONOTONIC: when the one under way has to end */
};

/* A file, whatever it is called, of which as much as can be is read. */
int reader_open_damaged(const char *path, struct store_reader **ret);
/* The first column of the first row. -ENOENT: there is none. */
int reader_int(struct store_reader *reader, const char *sql, int64_t *ret);
/* The first head. from: what follows "FROM". -ENOENT: there is none. */
int reader_head(struct store_reader *reader, const char *from, struct head *ret);
/*
 * The window of that id, and the time that had passed when it ended (life.h). -ENOENT: there is
 * none.
 */
int reader_window(struct store_reader *reader, int64_t id, struct profile **ret,
		  int64_t *ret_life_ns);
/* The same of a roll-up. */
int reader_rollup(struct store_reader *reader, int64_t id, struct profile **ret,
		  struct rollup *ret_rollup);

bool reader_passes_over(const struct store_reader *reader, uint64_t start_ns);

/* -ETIME: it has taken too long. */
int reader_overdue(const struct store_reader *reader);
/*
 * All between sees one state of the database. End it whatever begin returned, statements finalized.
 */
int reader_begin(struct store_reader *reader);
void reader_end(struct store_reader *reader);
