/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"

/* Time off CPU, of the recordings that want it: how it comes to their waits (waits.h). */

/* A time that is over, and the stack of one. */
void recordings_wait(struct recordings *all, const struct plop_record_wait *w);
void recordings_wait_stack(struct recordings *all, struct target *k,
			   const struct symbolized_stack *s);
/* At the end, for recordings.c: who is off CPU then was so until then. */
void recording_end_waits(struct recording *recording);
