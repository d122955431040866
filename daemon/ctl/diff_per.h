/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

/* What was read of a counter: at most twice for a side. */
#define DIFF_METRICS 2

/*
 * CPU time for each of what a counter counts, such as requests: adds "per" to the object that GET
 * /v1/diff answered with, and "base_per" and "new_per", seconds of CPU time, to its functions.
 *
 * metrics: of each side, the base's first, the files or http URLs that Prometheus' text is in; of
 * one it is what was counted since the process started, which it has to say, of two what was
 * counted between them. A file was written when it was changed last. An exit status; it has
 * complained.
 */
int diff_per_add(json_t *answer, const char *counter, const char *const metrics[2][DIFF_METRICS]);
