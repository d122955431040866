/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <time.h>

/*
 * A bound on what this thread waits for in system calls that a signal ends (-EINTR).
 * perf_event_open() of a thread waits while its process is within execve() (exec_update_lock,
 * kernel/events/core.c of 5.10 to 6.18), which closes files then, and closing one may take for ever
 * where its file system does not answer.
 */
struct interruption {
	timer_t timer;
	bool armed;
};

/*
 * From ms milliseconds on, until interruption_end(), a signal comes again and again. 0 or a
 * negative errno.
 */
int interruption_begin(struct interruption *i, unsigned int ms);
void interruption_end(struct interruption *i);
