/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/*
 * The time of day, told by the monotonic clock from one agreed moment on, so that whatever is measured between two
 * points has its true length also when somebody sets the clock meanwhile. All in nanoseconds.
 */
struct wall {
	uint64_t real, mono; /* CLOCK_REALTIME and CLOCK_MONOTONIC of that moment */
};

/* Reading the two clocks one after the other may take that long on a busy machine; more is a step. */
#define WALL_STEP_NS (200 * NSEC_PER_MSEC)

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
