/* SPDX-License-Identifier: BSD-2-Clause */
#include "cycle/wall.h"

/* Two readings that far apart are not of one moment: something else ran in between. At last they have to do. */
#define MOMENT_NS (10 * NSEC_PER_MSEC)

struct wall wall_read(wall_clock clock)
{
	struct wall now = {};

	for (int i = 0; i < WALL_READS_MAX; i++) {
		now.mono = clock(CLOCK_MONOTONIC);
		now.boot = clock(CLOCK_BOOTTIME);
		now.real = clock(CLOCK_REALTIME);
		if (clock(CLOCK_MONOTONIC) - now.mono < MOMENT_NS)
			break;
	}
	if (!now.real)
		now.real = now.boot;
	return now;
}

uint64_t wall_at(const struct wall *w, uint64_t mono)
{
	if (mono >= w->mono)
		return w->real + (mono - w->mono);
	return w->real - MIN(w->mono - mono, w->real);
}

int64_t wall_step(const struct wall *agreed, const struct wall *now)
{
	/* the time since the machine started goes on while it sleeps, as the time of day does */
	int64_t by = (int64_t)(now->real - agreed->real) - (int64_t)(now->boot - agreed->boot);

	return by > (int64_t)WALL_STEP_NS || by < -(int64_t)WALL_STEP_NS ? by : 0;
}

uint64_t wall_slept(const struct wall *agreed, const struct wall *now)
{
	uint64_t all = now->boot - agreed->boot, awake = now->mono - agreed->mono;

	return all > awake + WALL_STEP_NS ? all - awake : 0;
}
