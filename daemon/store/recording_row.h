/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/db.h"
#include "store/recordings.h"

/*
 * Rows of the table recordings, as they are written and read. A row has two hashes, by the seed of
 * the file: that of its blob, and that of all else, the first hash included. So a list is sure of
 * what it says without a look at the blobs. When it is let go changes, and has none.
 */
struct recording_times {
	int64_t window;  /* the newest one when it was kept */
	int64_t life_ns; /* the time that had passed then (life.h) */
};

struct recording_row {
	sqlite3_stmt *st;
	int64_t seed;
	int64_t id;
	struct store_recording row; /* borrowed from the statement, until the next one */
	struct recording_times times;
	struct labels labels;
	const void *blob;
	size_t blob_size;
};

/* "user" in the table. */
int64_t recording_row_user(uid_t user);
/* What a row takes in the file, about. */
uint64_t recording_row_bytes(const struct store_recording *row, const struct buf *blob);
/* -EEXIST: there is one of that id. */
int recording_row_insert(sqlite3 *db, int64_t seed, const struct store_recording *row,
			 const struct recording_times *times, const struct buf *blob);

/* what: what follows "FROM recordings". */
int recording_row_prepare(struct recording_row *k, sqlite3 *db, int64_t seed, const char *what);
/* 1: the next row; 0: there is none; -EBADMSG: it is not what was written. */
int recording_row_next(struct recording_row *k);
/* The blob of that row: also sets k->blob. -EBADMSG likewise. */
int recording_row_blob(struct recording_row *k);
/* What it recorded. */
int recording_row_profile(struct recording_row *k, struct profile **ret);
void recording_row_done(struct recording_row *k);
