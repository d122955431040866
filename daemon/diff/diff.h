/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "diff/compare.h"
#include "diff/warn.h"
#include "util/json.h"

/* Other files of a function; more are not told. */
#define DIFF_FILES 4

/*
 * What became slower, from the windows of one side to those of another: functions are matched
 * (match.h, rename.h), counted (windows.h), compared (compare.h), and what may mislead is said.
 */
struct diff {
	const struct diff_windows *windows[SIDES]; /* borrowed */
	/* By number, n of them: what it is, on the new side if it is there, and how it changed */
	const struct dict_function **functions;
	const char *
		*was; /* what it was called on the base side; NULL: that too, or it is not there */
	/* By number: where else it lies, on either side, as other versions do; borrowed */
	const char *(*files)[DIFF_FILES];
	struct compared *compared;
	uint32_t *order; /* numbers, those that changed most first */
	uint32_t n;
	struct comparison comparison;
	char *warnings[WARNINGS_MAX];
	int nwarnings;
};

/* Both sides closed; they have to outlive it. -ENOMEM; -E2BIG: too many functions. */
int diff_new(const struct diff_windows *const windows[SIDES], const struct compare_options *o,
	     struct diff **ret);
void diff_free(struct diff *d);
DEFINE_FREEP(struct diff, diff_free)

/* Functions that an answer has at most, those that changed most and then those with most time. */
#define DIFF_FUNCTIONS 5000

/* What is told unasked costs so much of the time at least, and is of so many functions. */
#define DIFF_TOLD_LEAST     0.005
#define DIFF_TOLD_FUNCTIONS 50

/* The members of a function's object, all but "was" and "files" of one set of windows alone. */
void diff_put_function(struct json_writer *w, const struct dict_function *f, const char *was,
		       const char *const files[DIFF_FILES], const struct compared *c);
/* The same of one of its functions, by number. */
void diff_put_at(struct json_writer *w, const struct diff *d, uint32_t number);
/* The members of the object that GET /v1/diff answers with. */
void diff_put(const struct diff *d, struct json_writer *w);
