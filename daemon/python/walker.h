/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <uthash.h>

#include "python/object.h"
#include "python/walk.h"

/* What the files of the walker share: walk.c (stacks), states.c (thread states, GIL, tids). */

/* What one copy of the data stack takes; frames of 3.11+ lie side by side in it. */
#define COPY_SIZE 4096

/* One frame as it was read. */
struct link {
	uint64_t address;
	uint64_t previous;
	uint64_t code;
	uint32_t instr;
	bool skipped;   /* no Python function */
	bool generator; /* a generator's own */
};

struct chain {
	uint64_t cframe; /* PLOP_LINK_CFRAME: where the first link's address was */
	uint32_t n;
	bool more; /* it is longer */
	struct link links[WALK_MAX_LINKS];
};

struct known_code {
	uint64_t address;
	UT_hash_handle hh;
	struct code_object *code; /* NULL: not readable */
	uint32_t fingerprint;
	uint32_t tried; /* the reading in which it was last found to be so */
};

struct walker {
	const struct reader *r;
	const struct plop_layout *l;
	uint64_t runtime;
	struct known_code *codes;
	size_t bytes;   /* of the code objects */
	uint64_t read;  /* ... that were ever read */
	uint32_t tries; /* readings of stacks so far */
	uint64_t work;  /* ... and of frames */
	uint8_t ts[PLOP_TS_MAX];
	/* the part of the data stack that was copied last: length bytes from from on */
	uint8_t copy[COPY_SIZE];
	uint64_t from, length, chunk, chunk_end;
	struct chain chains[2];
	struct chain best;            /* what two readings had in common */
	struct chain *chain, *before; /* the last reading of a stack, and the one before it */
	struct reader_part parts[WALK_MAX_LINKS + 2];
	uint8_t frames[WALK_MAX_LINKS][PLOP_FRAME_MAX];
	uint64_t addresses[WALK_MAX_LINKS];
	struct code_fingerprint fingerprints[WALK_MAX_LINKS];
};

/* The innermost frame of the thread state in w->ts. */
int walker_frame(struct walker *w, uint64_t *ret_cframe, uint64_t *ret);
