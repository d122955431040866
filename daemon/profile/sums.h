/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"

/*
 * How many samples had each function innermost, and how many anywhere, counted once however often
 * it recurs, in some time. Functions have numbers that whoever asks gives them: two that have one
 * number are one. All zero is an empty one.
 */
struct sum {
	uint64_t self, total;
};
struct sums {
	struct sum *functions; /* by number; owned */
	uint32_t n, room;
	uint64_t samples;          /* all that have a frame */
	uint64_t start_ns, end_ns; /* of the windows that were added; 0: none was */
	uint32_t hz;               /* of the first of them */
};

/* The numbers where only one name is asked for. */
enum { SUMS_OTHERS, SUMS_NAMED };

/* What sums are of. A negative errno of a function ends it. */
struct sums_of {
	/* A small number: there is room for all below it. */
	int (*number)(const struct dict_function *f, void *ctx, uint32_t *ret);
	/*
	 * Unless NULL: number() gives SUMS_NAMED to functions of that name, and SUMS_OTHERS, of
	 * which nothing is asked for, to all others. Not with process() or call().
	 */
	const char *name;
	/* Unless NULL: samples with a frame that a process had. It may be told several times. */
	int (*process)(const struct profile_process *p, uint64_t samples, void *ctx);
	/* Unless NULL: samples times calls from one function to another one; likewise. */
	int (*call)(uint32_t caller, uint32_t callee, uint64_t samples, void *ctx);
	/*
	 * Unless NULL: samples times frames that a function had on a line, with its first line,
	 * both as in dict.h; likewise.
	 */
	int (*line)(uint32_t number, int first, int line, uint64_t samples, void *ctx);
	void *ctx;
};

void sums_done(struct sums *s);
/* Takes all out of it, but for the room. */
void sums_clear(struct sums *s);
/* Makes room for a number. -ENOMEM. */
int sums_hold(struct sums *s, uint32_t number);
/* Notes that a window is in it. */
void sums_note(struct sums *s, uint64_t start_ns, uint64_t end_ns, uint32_t hz);
/* Adds all of a profile, by count. -ENOMEM leaves it half filled: throw it away. */
int sums_add(struct sums *s, const struct profile *p, const struct sums_of *of);
