/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/*
 * The periods of perf events, such that nothing keeps step with the ticks: each event gets another
 * period after every few ticks, which nobody can foresee.
 *
 * How they are drawn. Ticks of period P are blind to what repeats at a multiple of the frequency
 * 1/P. Work of any frequency has to meet that as seldom as it would meet independent ticks: the
 * frequencies of the periods' range, and their multiples, have to cover all others evenly. Periods
 * do so that are drawn, of 43 parts of the time, for 36 evenly from H/2 to H, for 6 from H/3 to
 * H/2, and for one from H/4 to H/3; the variance of a function's share is then some 1.06 times that
 * of independent ticks, were each kept for long. With H = 72/43 * (log 2 + log(3/2) / 2 + log(4/3)
 * / 6) the mean number of ticks is the nominal one.
 *
 * How long one is kept. The ticks of a period that is in step all fall on one place, and while it
 * is a short one all that runs has more ticks. Both have to be little, so a period is kept for 8
 * ticks or so; for how long exactly is drawn too, else what repeats as often as the changes would
 * keep step with these.
 *
 * At more than 2500 Hz, work of 0.5 ms and more has two ticks or more in each of its periods, and
 * hardly keeps step. The range is narrower there, and what is drawn is kept for longer, as each
 * change costs a system call.
 *
 * Longer was tried, by tests/bench/lockstep: with 12 ticks the variance of work that takes some
 * periods in turn is 1.8 times that of independent ticks, with 16 it is 2.5 times. Nor does it help
 * to draw rates in pairs whose mean is the nominal one.
 *
 * What a change costs. It begins a period anew, and what has passed of the one under way is lost
 * (__perf_event_period() clears period_left, kernel/events/core.c of 5.10 to 6.18). The ticks since
 * the last change came at the multiples of the period, so what is lost is known; it is owed, and
 * the next rate is that much higher. The rates that were drawn are levelled out too, slowly, so
 * that the number of ticks of many changes is the nominal one.
 *
 * Time is the event's own: of the clock for that of a CPU, of its thread's CPU time for that of a
 * thread. Nothing here reads a clock or draws from anything but the seed.
 */
struct period {
	uint64_t random; /* state */
	double rate;     /* the one drawn and levelled, in ticks a second */
	double owed;     /* ticks that were lost by changes */
	double drift;    /* ticks that the rates drawn made too many */
	/* for how long a period was in force of late, in seconds: changes may come late */
	double lasts;
	uint64_t ns;   /* the period that the event has now */
	double hz;     /* the nominal rate */
	uint32_t step; /* a period is a multiple of it ... */
	uint32_t more; /* ... and that much more */
};

/* What a period, with all that is owed, is at least and at most, as parts of the nominal one. */
#define PERIOD_LEAST 0.25
#define PERIOD_MOST  2.0

/*
 * Begins with a first period. hz: above 0, to 10000; seed: any random number, another one for each
 * event; step, more: 1 and 0, or what the period has to say besides (PLOP_PERIOD_STEP). The first
 * tick of an event comes after a whole period, so half a tick is missing: beginnings tells how many
 * events the thread or CPU has had that began and ended so, this one included.
 */
void period_begin(struct period *p, double hz, uint64_t seed, uint32_t step, uint32_t more,
		  unsigned int beginnings);
/* The next period in ns, when the present one was in force for elapsed_ns of the event's time. */
uint64_t period_next(struct period *p, uint64_t elapsed_ns);
/*
 * Another nominal rate from now on. To be called after period_next(), in place of whose period the
 * one that this returns is set. What is owed is the same part of the time, so it is fewer ticks of
 * a lower rate.
 */
uint64_t period_turn(struct period *p, double hz);
/* For how long periods at this rate are in force on average, in ns. */
uint64_t period_lasts(double hz);
/* For how long the next one is to be in force: drawn, from half of that to one and a half times. */
uint64_t period_lasts_now(struct period *p);
