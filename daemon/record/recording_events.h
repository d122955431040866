/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"

/*
 * Where the ticks of a recording with a channel of its own come from; the first four are for
 * recordings.c.
 */

/*
 * Opens the channel's events, and watches the scheduler if recording->waits; as
 * sampler_channel_open(), or -E2BIG: too many processes.
 */
int recording_open(struct recording *recording, unsigned int hz);
/* Has it end when the root of its tree does. */
int recording_watch_tree(struct recording *recording);
/* Ends the ticks of its own channel; what they counted comes with the next cycle. */
void recording_close(struct recording *recording);
/* Watches the scheduler no longer, unless it is for somebody else. */
void recording_unwatch(struct recording *recording);

/* A process made a thread, or executed another program: whether the events stay on its threads. */
void recordings_thread(struct recordings *all, uint32_t tgid, bool exec);
/* The events of this channel cannot stay on threads. */
void recordings_spread(struct recordings *all, uint32_t channel);
