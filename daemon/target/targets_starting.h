/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/*
 * Those whose interpreter is not up (python_process.starting) are looked at again until it is.
 * target_starts(): begins; target_looked_at(): what came of it, r as examiner_done_t's.
 * target_not_up(): a tick found it so.
 */
bool target_is_starting(const struct target *k);
/*
 * Whether it was listed because nothing could be told of it, and by now is known to be no Python.
 */
bool target_was_none(const struct target *k, int r, const struct python_process *python);
void target_starts(struct targets *t, struct target *k);
/*
 * Of one that is profiled by its launch: where its libpython lies, a tick finds. Takes that over as
 * soon as it is known; until then python.runtime is 0.
 */
void target_arrived(const struct targets *t, struct target *k);
void target_looked_at(struct targets *t, struct target *k, int r,
		      const struct python_process *python);
void target_not_up(struct targets *t, struct target *k);
/* How many minutes that lasts already; 0: less than one, or it is up. */
unsigned int target_minutes_starting(const struct targets *t, const struct target *k);
