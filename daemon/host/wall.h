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
	/*
	 * CLOCK_REALTIME, CLOCK_MONOTONIC and CLOCK_BOOTTIME of that moment. A clock that is set to a time before 1970 is taken as
	 * one that stood at 1970 when the machine started.
	 */
	uint64_t real, mono, boot;
};

/* Nanoseconds of a clock: clock_ns(), or what a unit test hands in, which must not depend on the machine's time. */
typedef uint64_t (*wall_clock)(clockid_t id);

/* Small corrections of the clock are no step; more is one. */
#define WALL_STEP_NS (200 * NSEC_PER_MSEC)

/* Two readings that far apart are not of one moment: something else ran in between. */
#define WALL_MOMENT_NS (10 * NSEC_PER_MSEC)
#define WALL_READS_MAX 10 /* then the last one has to do */

/* The clocks at one moment. */
static inline struct wall wall_read(wall_clock clock)
{
	struct wall now = {};

	for (int i = 0; i < WALL_READS_MAX; i++) {
		now.mono = clock(CLOCK_MONOTONIC);
		now.boot = clock(CLOCK_BOOTTIME);
		now.real = clock(CLOCK_REALTIME);
		if (clock(CLOCK_MONOTONIC) - now.mono < WALL_MOMENT_NS)
			break;
	}
	if (!now.real)
		now.real = now.boot;
	return now;
}

/* The time of day at mono, which may also lie before the agreed moment. */
static inline uint64_t wall_at(const struct wall *w, uint64_t mono)
{
	if (mono >= w->mono)
		return w->real + (mono - w->mono);
	return w->real - MIN(w->mono - mono, w->real);
}

/* How far the clock was set, forward or back (negative), between two moments; 0: it was not. */
static inline int64_t wall_step(const struct wall *agreed, const struct wall *now)
{
	/* the time since the machine started goes on while it sleeps, as the time of day does */
	int64_t by = (int64_t)(now->real - agreed->real) - (int64_t)(now->boot - agreed->boot);

	return by > (int64_t)WALL_STEP_NS || by < -(int64_t)WALL_STEP_NS ? by : 0;
}

/* How long the machine slept between them. */
static inline uint64_t wall_slept(const struct wall *agreed, const struct wall *now)
{
	uint64_t all = now->boot - agreed->boot, awake = now->mono - agreed->mono;

	return all > awake + WALL_STEP_NS ? all - awake : 0;
}
