/* SPDX-License-Identifier: BSD-2-Clause */
#include "sampler/programs.h"

#include "plop/limits.h"
#include "sampler/sampler.h"

#define NEEDS_PART "Linux 5.17, and a verifier that takes them; else it is a fault of plop"

static const struct feature programs_known[PROGRAMS_MAX] = {
	[PROGRAMS_TICK] = { .name = "plop's programs: of ticks",
			    .needs = "a verifier that takes them; else it is a fault of plop",
			    .required = true },
	[PROGRAMS_SETS] = { .name = "plop's programs: of recordings", .needs = NEEDS_PART },
	[PROGRAMS_OFF_CPU] = { .name = "plop's programs: of time off CPU", .needs = NEEDS_PART },
	[PROGRAMS_TASKS] = { .name = "plop's programs: of asyncio tasks", .needs = NEEDS_PART },
};

/* The part of the sampler that each but the first is. */
static const enum sampler_part parts[PROGRAMS_MAX] = {
	[PROGRAMS_SETS] = SAMPLER_PART_SETS,
	[PROGRAMS_OFF_CPU] = SAMPLER_PART_WALL,
	[PROGRAMS_TASKS] = SAMPLER_PART_TASKS,
};

void programs_try(struct feature programs[PROGRAMS_MAX])
{
	/* without a loop it waits until a part is loaded */
	const struct sampler_options options = { .hz = 1, .max_depth = PLOP_MAX_DEPTH };
	const struct sampler_handlers handlers = {};
	_cleanup_(sampler_freep) struct sampler *s = NULL;
	_cleanup_free_ char *error = NULL;
	int r = sampler_new(&options, &handlers, &s, &error);

	memcpy(programs, programs_known, sizeof(programs_known));
	programs[PROGRAMS_TICK].error = MIN(r, 0);
	for (int i = PROGRAMS_TICK + 1; i < PROGRAMS_MAX; i++)
		programs[i].error = s ? MIN(sampler_need(s, parts[i]), 0) : -ECANCELED;
}
