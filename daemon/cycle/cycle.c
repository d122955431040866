/* SPDX-License-Identifier: BSD-2-Clause */
#include "cycle/cycle.h"

void cycle_init(struct cycle *c, sd_event *loop, clock_reader clock, void (*swap)(void *ctx),
		void *ctx)
{
	*c = (struct cycle){ .loop = loop,
			     .clock_ns = clock,
			     .day = time_of_day_read(clock),
			     .swap = swap,
			     .ctx = ctx };
}

uint64_t cycle_ask(struct cycle *c)
{
	if (c->running) {
		c->again = true;
		return c->number + 1;
	}
	if (c->swap)
		c->swap(c->ctx);
	return c->number;
}

void cycle_swapped(struct cycle *c)
{
	c->swapped_mono = cycle_mono_ns(c);
	c->swapped_ns = time_of_day_at(&c->day, c->swapped_mono);
	c->number++;
	c->running = true;
	c->again = false;
}

bool cycle_complete(struct cycle *c)
{
	c->running = false;
	return c->again;
}

uint64_t cycle_mono_ns(const struct cycle *c)
{
	return c->clock_ns(CLOCK_MONOTONIC);
}

uint64_t cycle_time_ns(const struct cycle *c)
{
	return time_of_day_at(&c->day, cycle_mono_ns(c));
}

uint64_t cycle_time_at(const struct cycle *c, uint64_t mono_ns)
{
	return time_of_day_at(&c->day, mono_ns);
}

bool cycle_clock_set(struct cycle *c, int64_t *ret_by_ns)
{
	struct time_of_day now = time_of_day_read(c->clock_ns);
	int64_t by = time_of_day_step(&c->day, &now);

	if (!by && !time_of_day_slept(&c->day, &now))
		return false;
	c->day = now;
	c->swapped_ns = time_of_day_at(&c->day, c->swapped_mono);
	*ret_by_ns = by;
	return true;
}
