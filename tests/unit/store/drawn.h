/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <check.h>

#include "../format/known.h"
#include "profile/profile.h"

/* The same numbers each time, others for each seed. */
static uint64_t state;

static inline uint32_t draw(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % below;
}

/* A window of what was drawn: some of 40 processes, each some of 6 threads, 200 functions. */
/* A sample of that stack, in a state that ticks have. */
static inline void drawn_add(struct profile *p, uint32_t process, uint32_t thread,
			     const uint32_t *frames, uint32_t depth, uint64_t count)
{
	static const enum sample_state states[] = { SAMPLE_PLAIN, SAMPLE_GIL_HELD,
						    SAMPLE_GIL_RELEASED };
	uint32_t stack;

	ck_assert_int_eq(dict_stack(p->dict, frames, depth, &stack), 0);
	ck_assert_int_eq(profile_add_state(p, process, thread, stack,
					   states[draw(ARRAY_SIZE(states))], count, 0),
			 0);
}

static inline struct profile *drawn_window(uint64_t start_ns, uint64_t length)
{
	struct profile *p = NULL;
	uint32_t frames[8], process;
	char name[32];

	ck_assert_int_eq(profile_new(start_ns, 100, &p), 0);
	p->end_ns = start_ns + length;
	for (uint32_t i = draw(12); i > 0; i--) {
		uint32_t depth = draw(ARRAY_SIZE(frames)), who = draw(40);
		struct process_info info = known_process(100 + (pid_t)who, "app");

		info.uid = 1000 + who % 3;
		ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
		for (uint32_t k = 0; k < depth; k++) {
			snprintf(name, sizeof(name), "f%u", draw(200));
			frames[k] = known_frame(p, name, "/srv/app.py", 1, (int)draw(9));
		}
		drawn_add(p, process, draw(6), frames, depth, 1 + draw(1000));
	}
	p->tally.python = p->samples_total;
	p->tally.other = draw(100);
	p->tally.truncated = draw(3);
	for (int i = 0; i < PLOP_LOST_CAUSES - 1; i++)
		p->tally.lost[i] = draw(4) ? 0 : draw(50);
	p->tally.ticks = p->tally.python + p->tally.other;
	for (int i = 0; i < PLOP_LOST_CAUSES; i++)
		p->tally.ticks += p->tally.lost[i];
	return p;
}
