/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/store.h"

/*
 * Recordings that are kept: those that somebody gave a name. Each is one row of the table
 * recordings: who made it, what it is called, what plopd said of it when it ended, and all that it
 * recorded (recording_blob.h). It needs no other row, and nothing else needs it.
 */
#define RECORDING_ID_MAX   15  /* bytes */
#define RECORDING_NAME_MAX 128 /* likewise, of UTF-8 without control characters */

struct store_recording {
	const char *ident, *name;
	uid_t uid;  /* who made it */
	uid_t user; /* whom it counts for; STORE_TRUSTED: for those who are trusted, all together */
	uint64_t start_ns, end_ns;
	uint64_t samples;
	uint64_t bytes; /* that it takes in the file, about */
	const struct labels *labels;
	const char *facts; /* a JSON object: the element of GET /v1/recordings */
};
#define STORE_TRUSTED ((uid_t)-1)

/*
 * All of them together have a part of max_store; of that those of users who are not trusted have
 * half, and of one such user a quarter. So for their number.
 */
#define RECORDINGS_PART       4
#define RECORDINGS_USERS_PART 2
#define RECORDINGS_USER_PART  4
#define RECORDINGS_MOST       2000

/* How long they are kept, as store_keep() has it of windows; 0: no bound. */
void store_keep_recordings(struct store *s, uint64_t retention_ns);
/*
 * Keeps one: all of it or nothing. Where there is no room for one more of its user's, the oldest of
 * these go: ret_gone, unless NULL, is told how many. -E2BIG: it is larger than one may be; -EDQUOT:
 * those of others leave no room; -EEXIST: there is one of that id; -ENOSPC and others as
 * store_save(). What row says of bytes is not asked.
 */
int store_add_recording(struct store *s, const struct store_recording *row, const struct profile *p,
			unsigned int *ret_gone);
/* Lets one go that see leaves in (below). -ENOENT: there is none. */
int store_remove_recording(struct store *s, const char *ident, const struct selectors *see);

/*
 * Whether those whom the selectors are for may see it: who is not trusted sees what he made without
 * being trusted.
 */
bool store_recording_is_seen(const struct store_recording *r, const struct selectors *see);
/*
 * Each that see leaves in, the newest first; all it is told is borrowed. A negative errno of each()
 * ends it.
 */
typedef int (*store_recording_fn)(const struct store_recording *r, void *ctx);
int store_each_recording(struct store_reader *reader, const struct selectors *see,
			 store_recording_fn each, void *ctx);
/* One: its facts are appended; with its profile, unless ret is NULL. -ENOENT: there is none. */
int store_read_recording(struct store_reader *reader, const char *ident,
			 const struct selectors *see, struct buf *facts, struct profile **ret);
