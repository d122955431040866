/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "store/counts.h"

/*
 * What a window adds to its dictionary, on the way into the file: stacks and processes of a profile
 * get their numbers, and what is new of them is put into the sections of an addition.
 */
struct addition {
	struct dictionary *d;
	int64_t seed;
	const struct dict *from;
	struct sections sections;
	/* numbers, by the ids of from; 0: not looked up yet */
	uint32_t *functions, *frames;
	uint32_t *stacks; /* + 1; of each with the GIL and without */
	/* what steps are from */
	uint32_t name, file, module, function, frame, pid, process_texts[PROCESS_TEXTS];
	uint64_t start_ticks, start_time;
};

/* d: one that was begun. from: NULL: only texts and processes are put. -ENOMEM. */
int addition_begin(struct addition *a, struct dictionary *d, int64_t seed, const struct dict *from);
void addition_done(struct addition *a);
/*
 * The node that a stack of from ends in; released: that without the GIL, not for the empty stack.
 * What failed to be put sections_pack() says.
 */
uint32_t addition_stack(struct addition *a, uint32_t stack, bool released);
uint32_t addition_text(struct addition *a, const char *s);
uint32_t addition_process(struct addition *a, const struct profile_process *p);
/*
 * The row of what a sample of p, whose dict is from, counted. processes: the numbers of p's, 0: not
 * put yet.
 */
struct count addition_count(struct addition *a, const struct profile *p,
			    const struct profile_sample *sample, uint32_t *processes);
