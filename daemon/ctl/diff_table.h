/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

/*
 * Prints what GET /v1/diff answered as a table: functions that changed, and how many did not. What
 * may mislead goes to stderr. An exit status.
 */
int diff_table_print(const json_t *answer);
