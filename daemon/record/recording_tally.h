/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"

/* Notes how much the kernel has stopped its ticks until now, as it begins, and while it goes on. */
void recording_throttling_begin(struct recording *recording);
void recording_throttling(struct recording *recording);

/*
 * What became of the ticks of a recording. Where it shares those that are always
 * on, and is of processes that were named, or made by somebody who may not see all others, these
 * are the ticks of its processes alone: a loss is told as its own only if it is.
 */

/*
 * After a cycle: what that counted. host: of all; channels: of those that recordings have of their
 * own, by PLOP_CHANNEL_PLACE().
 */
void recording_tally(struct recording *recording, const struct tally *host,
		     const struct plop_channel_counters *channels);
/*
 * What became of its ticks until now. The stacks of a cycle are counted some milliseconds at a time
 * (collect.c), and what is lost is known when all are: samples that are counted by now are ticks.
 */
struct tally recording_tally_now(const struct recording *recording);
/* Its profile with these, as of profile_snapshot(). */
int recording_snapshot(const struct recording *recording, struct profile **ret);
/* Lost ticks of one process, of a collected half. */
void recordings_loss(struct recordings *all, const struct plop_loss *loss);
