/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

#include "cycle/time_of_day.h"

/*
 * The beat that all of plopd's middle goes by: its event loop, its clock, and its cycles. A cycle
 * begins with a swap of the kernel side's halves and is complete when the stacks of the half that
 * was swapped out are counted. So whatever begins or ends with a swap holds exactly the ticks
 * between two of them. Who swaps and counts is above (plopd/collect.h); who is below asks for a
 * cycle here, and waits until one of that number is complete.
 */
struct cycle {
	sd_event *loop;         /* borrowed */
	clock_reader clock_ns;  /* clock_ns(), or a unit test's own */
	struct time_of_day day; /* the time of day, as agreed last: cycle_clock_set() */
	uint64_t number;        /* how many swaps there were */
	uint64_t swapped_mono;  /* CLOCK_MONOTONIC of the last one */
	uint64_t swapped_ns;    /* its time of day, CLOCK_REALTIME by wall */
	bool running;           /* the last one is not complete */
	bool again;             /* ... and one more is asked for */
	/* Swaps, and calls cycle_swapped(); has the cycle completed some time later. */
	void (*swap)(void *ctx);
	void *ctx;
};

/* Agrees on the time of day. swap may be NULL where nobody asks for a cycle. */
void cycle_init(struct cycle *c, sd_event *loop, clock_reader clock, void (*swap)(void *ctx),
		void *ctx);

/*
 * Asks for a cycle: now, or as soon as the one that runs is complete. Returns its number: what must
 * hold from that swap on, or until it, waits for that number.
 */
uint64_t cycle_ask(struct cycle *c);
/* For who swaps: it was done just now; a cycle runs. */
void cycle_swapped(struct cycle *c);
/*
 * ... and it is complete. Returns whether another was asked for meanwhile: then cycle_ask() is to
 * be called.
 */
bool cycle_complete(struct cycle *c);

/* The time now: CLOCK_MONOTONIC, and the time of day, in nanoseconds. */
uint64_t cycle_mono_ns(const struct cycle *c);
uint64_t cycle_time_ns(const struct cycle *c);
/* The time of day at a CLOCK_MONOTONIC. */
uint64_t cycle_time_at(const struct cycle *c, uint64_t mono_ns);
/*
 * Whether somebody set the clock, or the machine slept, since the time of day was agreed on; then
 * it is agreed on anew, and all that comes goes by the new time. ret_by_ns: how far it was set, 0:
 * it slept.
 */
bool cycle_clock_set(struct cycle *c, int64_t *ret_by_ns);
