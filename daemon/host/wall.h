/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "util/macro.h"

/*
 * The time of day, told by the monotonic clock from one agreed moment on, so that whatever is measured between two
 * points has its true length also when somebody sets the clock meanwhile. All in nanoseconds.
 */
struct wall {
	uint64_t real, mono; /* CLOCK_REALTIME and CLOCK_MONOTONIC of that moment */
};

/* Nanoseconds of a clock: clock_ns(), or what a unit test hands in, which must not depend on the machine's time. */
typedef uint64_t (*wall_clock)(clockid_t id);

/* Small corrections of the clock are no step; more is one. */
#define WALL_STEP_NS (200 * NSEC_PER_MSEC)

/* Two readings that far apart are not of one moment: something else ran in between. */
#define WALL_MOMENT_NS (10 * NSEC_PER_MSEC)
#define WALL_READS_MAX 10 /* then the last one has to do */

/* The two clocks at one moment. */
static inline struct wall wall_read(wall_clock clock)
{
	struct wall now = {};

	for (int i = 0; i < WALL_READS_MAX; i++) {
		now.mono = clock(CLOCK_MONOTONIC);
		now.real = clock(CLOCK_REALTIME);
		if (clock(CLOCK_MONOTONIC) - now.mono < WALL_MOMENT_NS)
			break;
	}
	return now;
}

/* The time of day at mono, which may also lie before the agreed moment. */
static inline uint64_t wall_at(const struct wall *w, uint64_t mono)
{
	if (mono >= w->mono)
		return w->real + (mono - w->mono);
	return w->real - MIN(w->mono - mono, w->real);
}

/* Whether the clock was set, forward or back, since the agreed moment: real and mono are now. */
static inline bool wall_stepped(const struct wall *w, uint64_t real, uint64_t mono)
{
	uint64_t expected = wall_at(w, mono);

	return (real > expected ? real - expected : expected - real) > WALL_STEP_NS;
}
