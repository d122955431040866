/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/db.h"

/* What can be wrong with plop.db, and how a file that cannot be used any more is kept. */
enum damage {
	DAMAGE_NOT_A_FILE,
	DAMAGE_NOT_A_DATABASE,
	DAMAGE_ANOTHERS, /* a database of another program */
	DAMAGE_EMPTIED,
	DAMAGE_TRUNCATED,
	DAMAGE_MALFORMED,   /* SQLite says so */
	DAMAGE_CONTRADICTS, /* what one row refers to is not there, or is not what it was */
};
#define DAMAGE_MAX (DAMAGE_CONTRADICTS + 1)

/* "is not a database" */
const char *damage_sentence(enum damage d);
/* What is wrong with the file of a connection that gave -EBADMSG. */
enum damage damage_find(sqlite3 *db);
/* Whether the file of a connection still begins as a database does; reads that anew. */
bool damage_head_is_good(sqlite3 *db);
/* ... and whether a file of that size is shorter than it says. */
bool damage_is_short(sqlite3 *db, uint64_t size);

/*
 * Renames a database, its WAL and its -shm to PATH.20261128T190000Z.truncated: when, in UTC, and
 * why. No connection of this thread may be open. ret_name: the last part of the new name, owned by
 * the caller.
 */
int aside_put(const char *path, enum damage d, char **ret_name);
/* Removes the oldest that were set aside while they take more than max_bytes; the newest stays. */
void aside_bound(const char *dir, uint64_t max_bytes);
