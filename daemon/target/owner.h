/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/*
 * Whose the samples of a target are: its user's, if it was the user's when this image began, and is
 * now. One that is so no more (it was made undumpable, or changed its user) becomes nobody's
 * (PROCESS_NO_UID) for good. cycle: the number of the cycle that runs, in each of which the kernel
 * is asked once; what was collected before it was asked is not given away.
 */
uid_t target_owner(struct target *k, uint64_t cycle);
/*
 * Whether those whom the selectors are for may see a target's samples, and what its threads are
 * called.
 */
bool target_is_visible(struct target *k, const struct selectors *whom, uint64_t cycle);
