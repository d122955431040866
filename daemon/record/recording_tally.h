/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"

/* Notes how much the kernel has stopped its ticks until now, as it begins, and while it goes on. */
void recording_throttling_begin(struct recording *recording);
void recording_throttling(struct recording *recording);

/*
 * What became of the ticks of a recording; for recordings.c. Where it shares those that are always
 * on, and is of processes that were named, or made by somebody who may not see all others, these
 * are the ticks of its processes alone: a loss is told as its own only if it is.
 */

/*
 * After a cycle: what that counted. host: of all; channels: of those that recordings have of their
 * own, by PLOP_CHANNEL_PLACE().
 */
void recording_tally(struct recording *recording, const struct tally *host,
		     const struct plop_channel_counters *channels);
/* Lost ticks of one process, of a collected half. */
void recordings_loss(struct recordings *all, const struct plop_loss *loss);
