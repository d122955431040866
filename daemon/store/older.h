/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/answer.h"
#include "store/db.h"
#include "store/head.h"
#include "store/idmap.h"

/*
 * Windows as the schema's versions 1 to 3 have them: stacks as lists of frames, and a row for each
 * function, stack and process. A file of version 4 has such windows too, until they are carried
 * over (carry.c); they are those of dictionary 0. All that reads them is here.
 */
struct older {
	struct idmap functions, stacks, processes; /* database id -> profile id */
	sqlite3_stmt *samples, *function, *stack, *process;
	uint32_t *frames; /* of one stack */
	uint32_t frames_room;
	/* What every row is held against: flipped bits are no answer. */
	int64_t seed;
	uint64_t *hashes; /* of the profile's functions */
	uint32_t hashes_room;
	struct buf scratch, stack_scratch;
};

/* Whether the file has the tables of these versions. */
int older_tables(sqlite3 *db, bool *ret);
int older_prepare(struct older *q, sqlite3 *db, int version, int64_t seed);
void older_done(struct older *q);
/* All samples of a window. */
int older_add(struct older *q, struct answer *a, const struct head *h);
/* The processes of a window, with their samples. */
int older_each_process(struct older *q, int64_t window, answer_process_fn each, void *ctx);
/* What was put into a profile is not there any more. */
void older_forget(struct older *q);
/* Memory held. */
size_t older_bytes(const struct older *q);
