/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "known.h"

/*
 * A recording with time off CPU of one process at 100 Hz, main -> work: 30 ms with the GIL, 20 ms
 * without it, 10 ms asking for it and 5 ms waiting for it, 100 ms asleep, 1.5 ms with no CPU. The
 * thread has a name, the recording two labels.
 */
#define KNOWN_TIME_US 166500

static struct profile *known_off_cpu(void)
{
	static const struct {
		enum sample_state state;
		uint64_t count, off_cpu_us;
	} samples[] = {
		{ SAMPLE_GIL_HELD, 3, 0 },       { SAMPLE_GIL_RELEASED, 2, 0 },
		{ SAMPLE_WAITING_GIL, 1, 5000 }, { SAMPLE_SLEEPING, 0, 100000 },
		{ SAMPLE_RUNNABLE, 0, 1500 },
	};
	struct process_info info = known_process(100, "app");
	uint32_t process, stack, frames[2];
	struct profile *p = NULL;
	int r;

	r = profile_new(KNOWN_START, 100, &p);
	assert(r == 0);
	p->end_ns = KNOWN_END;
	p->off_cpu = true;
	r = profile_process(p, &info, "3.11.2", &process);
	assert(r == 0);
	frames[0] = known_frame(p, "main", "/srv/app.py", 1, 90);
	frames[1] = known_frame(p, "work", "/srv/app.py", 10, 12);
	r = dict_stack(p->dict, frames, 2, &stack);
	assert(r == 0);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		r = profile_add_state(p, process, 101, stack, samples[i].state, samples[i].count,
				      samples[i].off_cpu_us * 1000);
		assert(r == 0);
	}
	r = profile_thread(p, process, 101, "worker");
	assert(r == 0);
	r = labels_add(&p->labels, "env", "it's \"prod\"");
	assert(r == 0);
	r = labels_add(&p->labels, "version", "7");
	assert(r == 0);
	return p;
}
