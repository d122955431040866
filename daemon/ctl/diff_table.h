/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

#include "util/buf.h"

/*
 * Prints what GET /v1/diff answered as a table: functions that changed, and how many did not. What
 * may mislead goes to stderr. An exit status.
 */
int diff_table_print(const json_t *answer);

/*
 * Static or borrowed: the verdict; "renamed" of what was and is else the same, or not clear.
 */
const char *diff_table_verdict(const json_t *function);
/* "+31 % (28..34)": by how much of its own time a function's cost changed; of a new one "-". */
#define DIFF_CHANGE_MAX 48
void diff_table_change(const json_t *function, char buffer[static DIFF_CHANGE_MAX]);
/* "base  12,000 samples in 100 windows, ...", without a line end. */
void diff_table_side(const json_t *answer, const char *side, struct buf *out);
