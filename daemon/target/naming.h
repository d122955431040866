/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/*
 * Between the end of a half of the tables and the counting of its stacks: what has to be read of
 * the targets for it, their code objects, is asked for, of each target in one question, and
 * awaited: for 4 s at most, and for those whose user is distrusted a tenth of a second longer than
 * for all others. Who does not answer in time has no names in this cycle.
 */
struct naming {
	struct targets *targets;
	sd_event_source *patience;
	uint64_t cycle;       /* that is being named; 0: none */
	unsigned int waiting; /* questions of it without an answer */
	unsigned int trusted; /* ... about targets whose users always let them be read so far */
	bool impatient;       /* the others are not waited for much longer */
	size_t bytes;         /* of what was read */
	void (*done)(void *ctx);
	void *ctx;
};

/* done: called, on the loop thread, when a cycle can be counted. */
int naming_init(struct naming *n, struct targets *t, void (*done)(void *ctx), void *ctx);
void naming_done(struct naming *n);
/*
 * Takes in a record of the kernel. What it lacks is asked for at once: at the cycle's end the
 * process may have gone.
 */
void naming_code(struct naming *n, const struct plop_record_code *r);
/* Notes what a stack of the cycle needs. */
void naming_want(struct naming *n, const struct plop_stack *stack, const struct plop_frame *frames,
		 uint64_t cycle);
/* Asks for all that was noted. 1: done() will be called; 0: there is nothing to be waited for. */
int naming_begin(struct naming *n, uint64_t cycle);
