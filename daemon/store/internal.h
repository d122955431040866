/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/db.h"
#include "store/store.h"

/* What save.c, expire.c and store.c share. */

/* Statements that stay prepared. */
enum store_statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_FIND_FUNCTION, /* hash -> id, used */
	ST_ADD_FUNCTION,
	ST_USE_FUNCTION, /* used, id */
	ST_FIND_STACK,
	ST_ADD_STACK,
	ST_USE_STACK,
	ST_FIND_PROCESS,
	ST_ADD_PROCESS,
	ST_USE_PROCESS,
	ST_ADD_WINDOW,
	ST_ADD_SAMPLES,
	ST_MAX,
};

/*
 * Stacks saved lately, direct-mapped by hash: what one window has, the one before it mostly had too. Bounded, and
 * emptied whenever the database may not hold what was put here.
 */
#define RECENT_STACKS 4096
struct recent_stack {
	uint64_t hash;
	int64_t id;   /* 0: empty */
	int64_t used; /* the row's */
};

struct store {
	char *path, *reserve_path;
	bool reserve_full;
	sqlite3 *db;
	int lock_fd;
	int64_t seed;
	int64_t pruned; /* dictionary rows used before this hour were deleted already */
	sqlite3_stmt *statements[ST_MAX];
	struct recent_stack recent[RECENT_STACKS];
};

void store_forget_recent(struct store *s);
/* Undoes a transaction that failed, whether or not SQLite did so already. */
void store_rollback(struct store *s);
int store_facts_of(sqlite3 *db, const char *path, struct store_facts *ret);

/* Sets room aside, if there is any and none is set aside yet. */
void reserve_fill(struct store *s);
/* Gives it back. Whether there was any. */
bool reserve_release(struct store *s);
