/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/log.h"

/*
 * What can fail at every event, or as often as a target likes, is said once in a minute, and then
 * how often it was meanwhile. Each place that says it has one of these, zero at first; of one
 * thread.
 */
struct seldom {
	uint64_t next_ns; /* CLOCK_MONOTONIC: not before that */
	uint64_t untold;
};

/* As log_warning_r(). */
int seldom_warn(struct seldom *s, int r, const char *format, ...) _printf_(3, 4);
/* The same, at a time of CLOCK_MONOTONIC. */
int seldom_warn_at(struct seldom *s, uint64_t now_ns, int r, const char *what);
