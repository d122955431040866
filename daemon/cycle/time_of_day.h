/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "util/macro.h"

/*
 * The time of day, told by the monotonic clock from one agreed moment on, so that whatever is
 * measured between two points has its true length also when somebody sets the clock meanwhile. All
 * in nanoseconds.
 */
struct time_of_day {
	/*
	 * CLOCK_REALTIME, CLOCK_MONOTONIC and CLOCK_BOOTTIME of that moment. A clock that is set to
	 * a time before 1970 is taken as one that stood at 1970 when the machine started.
	 */
	uint64_t real, mono, boot;
};

/*
 * Nanoseconds of a clock: clock_ns(), or what a unit test hands in, which must not depend on the
 * machine's time.
 */
typedef uint64_t (*clock_reader)(clockid_t id);

/* Small corrections of the clock are no step; more is one. */
#define TIME_OF_DAY_STEP_NS (200 * NSEC_PER_MSEC)

/*
 * The clocks at one moment: readings between which something else ran are not, and are made anew,
 * so often.
 */
#define TIME_OF_DAY_READS_MAX 10
struct time_of_day time_of_day_read(clock_reader clock);
/* The time of day at mono, which may also lie before the agreed moment. */
uint64_t time_of_day_at(const struct time_of_day *w, uint64_t mono);
/* How far the clock was set, forward or back (negative), between two moments; 0: it was not. */
int64_t time_of_day_step(const struct time_of_day *agreed, const struct time_of_day *now);
/* How long the machine slept between them. */
uint64_t time_of_day_slept(const struct time_of_day *agreed, const struct time_of_day *now);
