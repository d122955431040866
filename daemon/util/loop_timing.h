/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

#include "util/macro.h"

/*
 * Runs an event loop and measures how long its thread is at one event, for that long every other
 * event waits at least. It costs two readings of a clock an event. Each loop is one thread's.
 */

/* Longer than this at one event is too long. */
#define LOOP_LONG_NS (20 * NSEC_PER_MSEC)

/* The longest times at one event, in ns; the two need not be of the same event. */
struct loop_longest {
	uint64_t elapsed_ns; /* CLOCK_MONOTONIC: others that use the CPU count */
	uint64_t cpu_ns;     /* CPU time of the thread */
	/* the part of the event with that cpu_ns that took most of it; NULL: untold */
	const char *what;
};

struct loop_timing {
	sd_event *event;                  /* not owned */
	struct loop_longest longest;      /* since the start */
	struct loop_longest span, before; /* in the running span, and in the one before */
	uint64_t span_ns;                 /* how long a span is */
	uint64_t span_begun_ns;           /* CLOCK_MONOTONIC */
	uint64_t events;                  /* that were handled */
	uint64_t late;   /* ... of them longer than LOOP_LONG_NS, by CLOCK_MONOTONIC */
	uint64_t cpu_ns; /* CPU time of the thread after the last event */
};

/*
 * Says what the calling thread is at from here on, until it is at something else or its event is
 * over: a string that stays, of what the code does ("the end of a window"). Harmless in a thread
 * whose events are not measured.
 */
void loop_part(const char *what);

/* To be called by the loop's thread. */
void loop_timing_init(struct loop_timing *l, sd_event *event, uint64_t span_ns);
/*
 * Handles at most one event, for which it waits for usec at most (UINT64_MAX: for ever). Returns
 * whether there was one (1 or 0), or a negative errno.
 */
int loop_timing_once(struct loop_timing *l, uint64_t usec);
/* Runs until sd_event_exit(); returns the code given to it, or a negative errno. */
int loop_timing_run(struct loop_timing *l);
/* The longest of the last one to two spans. */
struct loop_longest loop_timing_recent(const struct loop_timing *l);
/*
 * Counts one event, handled from woken_ns to now_ns (CLOCK_MONOTONIC), after which the thread's CPU
 * time was cpu_ns.
 */
void loop_timing_add(struct loop_timing *l, uint64_t woken_ns, uint64_t now_ns, uint64_t cpu_ns);
