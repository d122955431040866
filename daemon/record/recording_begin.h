/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"

/*
 * How a recording begins, for recordings.c. One that shares the ticks of all waits for a swap. One
 * that has ticks of its own waits for the programs that it takes, then, if it is one with asyncio
 * tasks, until it is known where its processes have them, and begins with the first of its ticks.
 */

/* How long one waits, before it begins and when it has ended, for what is read of its processes. */
#define RECORDING_ANSWERS_USEC (2 * USEC_PER_SEC)

/* Begins one that has ticks of its own, or has it wait for what it takes. */
int recording_begin_loaded(struct recording *recording);
/* Begins one that shares the ticks of all, with the last swap. */
void recording_begin_shared(struct recording *recording);
/* Whoever waits for it to begin is told that it does, or r, why it does not. */
void recording_tell_loaded(struct recording *recording, int r);
/* For targets.async_answered; ctx: struct recordings. */
void recordings_prepared(void *ctx);
