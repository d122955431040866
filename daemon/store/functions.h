/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/sums.h"
#include "store/named.h"
#include "store/window.h"

/*
 * Windows added up by function, without their stacks: by the nodes of a dictionary, each of which
 * is a function and the node that called it. What a window counts goes to its nodes; then, from the
 * last node to the first, from each to its caller. So a window costs its counts and, once, the
 * nodes of its dictionary, however deep the stacks are.
 */
struct functions {
	struct window_reader windows;
	const struct selectors *selectors;
	const struct sums_of *of;
	struct sums sums;
	int64_t dictionary; /* of nodes; 0: none */
	uint32_t nnodes, nprocesses;
	struct functions_node *nodes; /* by number; owned */
	struct named named;           /* for who asks for one name */
	uint64_t *counts;             /* by node: of the unit, not added up yet; owned */
	uint64_t *calls;              /* by node: of the dictionary; owned */
	uint64_t *processes;          /* by process, likewise; owned */
};

void functions_done(struct functions *f);
/* Turns to a dictionary. What f->of numbers it is told now. */
int functions_turn(struct functions *f, int64_t dictionary);
/* Adds samples to a node of that. -EBADMSG: there is none of that number. */
int functions_count(struct functions *f, uint64_t node, uint64_t samples);
/* Adds a window. -EBADMSG: the file contradicts itself; -ENOMEM. */
int functions_add(struct functions *f, const struct head *h);
/* Completes f->sums, of all windows that were added since it was cleared. */
void functions_sum(struct functions *f);
/* Tells processes, calls and lines that were not told yet. */
int functions_tell(struct functions *f);
