/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/* Whether a target may be asked now; not if it was silent, and not again when it ends. */
bool target_may_be_asked(const struct targets *t, const struct target *k);
/* Whether it did not let itself be read of late. */
bool target_is_silent(const struct targets *t, const struct target *k);
/*
 * How a question about its code objects ended, or whether one of another kind kept a helper
 * waiting: by examiner_done_t's r.
 */
void target_heard(const struct targets *t, struct target *k, int r);
