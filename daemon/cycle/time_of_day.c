/* SPDX-License-Identifier: BSD-2-Clause */
#include "cycle/time_of_day.h"

/*
 * Two readings that far apart are not of one moment: something else ran in between. At last they
 * have to do.
 */
#define MOMENT_NS (10 * NSEC_PER_MSEC)

struct time_of_day time_of_day_read(clock_reader clock)
{
	struct time_of_day now = {};

	for (int i = 0; i < TIME_OF_DAY_READS_MAX; i++) {
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

uint64_t time_of_day_at(const struct time_of_day *w, uint64_t mono)
{
	if (mono >= w->mono)
		return w->real + (mono - w->mono);
	return w->real - MIN(w->mono - mono, w->real);
}

int64_t time_of_day_step(const struct time_of_day *agreed, const struct time_of_day *now)
{
	/* the time since the machine started goes on while it sleeps, as the time of day does */
	int64_t by = (int64_t)(now->real - agreed->real) - (int64_t)(now->boot - agreed->boot);

	return by > (int64_t)TIME_OF_DAY_STEP_NS || by < -(int64_t)TIME_OF_DAY_STEP_NS ? by : 0;
}

uint64_t time_of_day_slept(const struct time_of_day *agreed, const struct time_of_day *now)
{
	uint64_t all = now->boot - agreed->boot, awake = now->mono - agreed->mono;

	return all > awake + TIME_OF_DAY_STEP_NS ? all - awake : 0;
}
