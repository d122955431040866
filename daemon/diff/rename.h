/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "diff/match.h"
#include "diff/pairs.h"

/*
 * Functions of Python that were renamed: one that is gone and one that is new, in the same file, in
 * both of which the same part of the samples is on each line, counted from the first one.
 *
 * Lines tell one function from another only where there are several of them. So both must have
 * RENAME_SAMPLES on known lines, and at least RENAME_LINES lines with RENAME_LINE_SHARE of them;
 * their shares may differ by RENAME_AGREE on the whole (half the sum of the differences), which is
 * what chance makes of so few samples. Where another function of that file is so much as near
 * (RENAME_NEAR) to one of the two, nothing is said of it.
 */
#define RENAME_SAMPLES    200
#define RENAME_LINES      3
#define RENAME_LINE_SHARE 0.05
#define RENAME_AGREE      0.15
#define RENAME_NEAR       0.25
/* Functions of one file that are gone, or new, and have lines to tell them by: of more, none is. */
#define RENAME_FILE_MOST 100

struct rename_side {
	const struct match_function *functions;
	uint32_t n;
	uint32_t *numbers;         /* of match_functions() */
	const struct pairs *lines; /* by function and line, see LINE_OF() */
};

/*
 * What a line is in pairs: its distance from the function's first one, and 1. LINE_UNKNOWN: it, or
 * the first one, is not known.
 */
#define LINE_UNKNOWN 0
uint32_t rename_line(int first, int line);

/*
 * Gives the two that are one the same number, and closes the ranks: count is how many numbers there
 * are. *ret_was: by number what it was called, or NULL; owned by the caller, the names borrowed.
 * Returns how many numbers there are then, or -ENOMEM. Pure.
 */
int rename_functions(struct rename_side *base, struct rename_side *new, uint32_t count,
		     const char ***ret_was);
