/* SPDX-License-Identifier: BSD-2-Clause */
#include "cycle/cycle.h"

void cycle_init(struct cycle *c, sd_event *loop, wall_clock clock, void (*swap)(void *ctx),
		void *ctx)
{
	*c = (struct cycle){
		.loop = loop, .clock_ns = clock, .wall = wall_read(clock), .swap = swap, .ctx = ctx
	};
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
	c->swapped_ns = wall_at(&c->wall, c->swapped_mono);
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
	return wall_at(&c->wall, cycle_mono_ns(c));
}

uint64_t cycle_time_at(const struct cycle *c, uint64_t mono_ns)
{
	return wall_at(&c->wall, mono_ns);
}

bool cycle_clock_set(struct cycle *c, int64_t *ret_by_ns)
{
	struct wall now = wall_read(c->clock_ns);
	int64_t by = wall_step(&c->wall, &now);

	if (!by && !wall_slept(&c->wall, &now))
		return false;
	c->wall = now;
	c->swapped_ns = wall_at(&c->wall, c->swapped_mono);
	*ret_by_ns = by;
	return true;
}
