/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"

/*
 * The lines of one function, or of all of a file. self: samples with the line innermost; total:
 * samples with it anywhere, counted once however often it recurs; all by profile_weight(). A
 * function is the same one if its name, file and first line are, so that of two versions of a file
 * each has its own lines.
 */
struct by_line_at {
	uint32_t function; /* index of nodes */
	int line;          /* as in dict.h */
	uint64_t self, total;
};
/* Samples in which a line of source calls target; one of the two is asked for. */
struct by_line_call {
	uint32_t source, target; /* indices of nodes */
	int line;
	uint64_t count;
};
struct by_line_process {
	uint32_t process; /* of the profile */
	uint64_t total;
};
struct by_line {
	/* Those that are asked for come first, heaviest first; then who calls, or is called. */
	struct callgraph_node *nodes;
	struct by_line_at *lines;   /* by function, then by line */
	struct by_line_call *calls; /* heaviest first */
	/* Those with samples of what is asked for, the most first. */
	struct by_line_process *processes;
	uint32_t nnodes, nasked, nlines, ncalls, nprocesses;
	/* beyond the bounds, the lightest; of a function that is left out its lines are as well */
	uint32_t functions_left_out, lines_left_out, calls_left_out;
	uint64_t total;
	uint64_t states[SAMPLE_STATES]; /* of total */
};
#define BY_LINE_FUNCTIONS 500
#define BY_LINE_LINES     10000
#define BY_LINE_CALLS     1000
#define BY_LINE_PROCESSES 32

/* name, file: what is asked for; NULL: any. -ENOMEM. */
int by_line_new(const struct profile *p, const char *name, const char *file, struct by_line **ret);
void by_line_free(struct by_line *b);
DEFINE_FREEP(struct by_line, by_line_free)
