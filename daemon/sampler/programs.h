/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "sampler/features.h"

/* What plopd loads into the kernel; its verifier may refuse one and take another. */
enum program_id {
	PROGRAMS_TICK,    /* what is always there */
	PROGRAMS_SETS,    /* recordings at a rate of their own */
	PROGRAMS_OFF_CPU, /* recordings of time off CPU */
	PROGRAMS_TASKS,   /* recordings with asyncio tasks */
	PROGRAMS_MAX,
};

/*
 * Loads all of them, and throws them away again, in a second or so; nothing is sampled. Only where
 * no required feature is missing. -ECANCELED: it was not tried, as those before are not there.
 */
void programs_try(struct feature programs[PROGRAMS_MAX]);
