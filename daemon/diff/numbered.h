/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "diff/pairs.h"
#include "diff/windows.h"

/*
 * The counts of windows by the number of what a function is, where several functions of the dict
 * are one: numbers[] has that of each, of n numbers.
 */
typedef void (*numbered_fn)(uint32_t window, uint32_t number, double self, double total, void *ctx);

/* Calls each for all that has samples, window by window, each number once of a window. -ENOMEM. */
int numbered_each(const struct diff_windows *w, const uint32_t *numbers, uint32_t n,
		  numbered_fn each, void *ctx);

/* Adds who called whom, without what called itself. -ENOMEM. */
int numbered_calls(const struct diff_windows *w, const uint32_t *numbers, struct pairs *calls);
/* Sets callers[] of n numbers: who called each in most of its samples; UINT32_MAX: nobody. */
int numbered_callers(const struct pairs *calls, uint32_t n, uint32_t *callers);
