/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/db.h"
#include "store/sections.h"

/*
 * Windows repeat each other, so up to DICTIONARY_WINDOWS in succession share a dictionary. It has
 * texts, functions, frames, nodes and processes, each by number, from 1 on in the order of first
 * sight. A node is the last frame of a stack, and the node of the stack above it; 0 is the stack of
 * no frame. One whose frame runs without the GIL, in a thread that could have it, is another node:
 * a line mostly does either, so that no window has to say it again. What a window brings that its
 * dictionary has not is one addition to it: a row of "additions", which never changes. When no
 * window uses a dictionary any more, all of it goes.
 *
 * Additions refer to what is in earlier ones and in themselves, never to what comes later. That a
 * thing has two numbers is allowed, and happens: the writer remembers what it saw lately only.
 */
enum dictionary_part {
	DICTIONARY_TEXTS,
	DICTIONARY_FUNCTIONS,
	DICTIONARY_FRAMES,
	DICTIONARY_NODES,
	DICTIONARY_PROCESSES,
};
#define DICTIONARY_PARTS (DICTIONARY_PROCESSES + 1)

#define DICTIONARY_WINDOWS 256
/* Numbers that a part may have; the writer ends a dictionary of a part of DICTIONARY_FULL. */
#define DICTIONARY_MOST (1u << 26)
#define DICTIONARY_FULL (1u << 19)
/* Frames that a stack may have; far more than the kernel side takes. */
#define DICTIONARY_DEPTH (1u << 16)

/* A row of additions is found by dictionary << ADDITION_SHIFT | its number in the dictionary. */
#define ADDITION_SHIFT 20
/* Dictionaries are numbered from 1 on, below this. */
#define DICTIONARIES_MOST (INT64_C(1) << 40)

/* The sections of an addition. "step": the difference to the one before, signed. */
enum addition_section {
	ADDITION_TEXTS,         /* each with its NUL */
	ADDITION_NAMES,         /* functions: text, step */
	ADDITION_FILES,         /* functions: text, step */
	ADDITION_LINES,         /* functions: signed */
	ADDITION_KINDS,         /* functions: enum plop_frame_kind; and module: text, step */
	ADDITION_FRAMES,        /* function, step; line - the function's, signed */
	ADDITION_NODE_PARENTS,  /* without the GIL: 0; the node's own number - its parent's */
	ADDITION_NODE_FRAMES,   /* frame, step */
	ADDITION_PROCESSES,     /* pid, start_ticks, start_time (as its bits), steps all; uid */
	ADDITION_PROCESS_TEXTS, /* PROCESS_TEXTS texts, each a step from that of the one before */
};
#define ADDITION_SECTIONS (ADDITION_PROCESS_TEXTS + 1)
/* python, comm, exe, cmdline, cgroup, unit, container, service, version */
#define PROCESS_TEXTS 9

/* The sections of what a window counted, a row of "counts". */
enum counts_section {
	COUNTS_PROCESSES, /* process, step; how many groups; the sum of all counts */
	/*
	 * thread, step; enum sample_state, SAMPLE_GIL_HELD also for those without it, which have
	 * nodes of their own; how many stacks
	 */
	COUNTS_GROUPS,
	COUNTS_NODES, /* of a group, ascending: the difference to the one before */
	COUNTS_COUNTS,
};
#define COUNTS_SECTIONS (COUNTS_COUNTS + 1)

/* The sections of what a roll-up had by program and name, a row of "sums" (named.h). */
enum sums_section {
	SUMS_PROGRAMS, /* process, step; how many names; samples that have a frame */
	SUMS_NAMES,    /* of a program, texts, ascending: the difference to the one before */
	SUMS_SELVES,
	SUMS_CALLERS, /* total - self */
};
#define SUMS_SECTIONS (SUMS_CALLERS + 1)

/*
 * What a row of additions, counts or sums must have for its hash: of its id, the numbers beside the
 * blob, and the blob, by the seed of the file. Flipped bits are no answer.
 */
uint64_t dictionary_hash(int64_t seed, int64_t id, const int64_t *numbers, unsigned int n,
			 const void *data, size_t size);

/* What the writer has of a dictionary, and what it remembers of it. */
struct dictionary {
	int64_t id; /* 0: the next window begins one */
	int64_t next_addition;
	unsigned int windows;                 /* that have it */
	uint32_t numbers[DICTIONARY_PARTS];   /* the last one given */
	uint32_t committed[DICTIONARY_PARTS]; /* the same as of the last addition */
	uint32_t clock;                       /* counts windows, those that failed as well */
	struct seen *seen;                    /* owned */
	uint32_t places, taken;               /* of seen */
};

/* Begins that one, without anything in it. -ENOMEM. */
int dictionary_begin(struct dictionary *d, int64_t id);
/* Forgets all: the next window begins one. Whenever the file may not have what was put here. */
void dictionary_end(struct dictionary *d);
/* Whether no other window should have it, which may be so many. */
bool dictionary_is_full(const struct dictionary *d, unsigned int windows);
/* A window begins: what it does not use is forgotten before what it does. */
void dictionary_tick(struct dictionary *d);
/*
 * The number of what has that key (of 64 bits; hashes must be of something no target knows), as
 * long as it is remembered. Otherwise false, and *ret is its new one, to be added now.
 */
bool dictionary_number(struct dictionary *d, enum dictionary_part part, uint64_t key,
		       uint32_t *ret);
