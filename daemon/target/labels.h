/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/* Gives one that has just joined the labels of who made it, if these are known, and those that it has made theirs. */
void target_inherit(struct targets *t, struct target *k);
/* After each cycle: who waits for a maker that does not come has its own labels. */
void labels_cycle(struct targets *t);
