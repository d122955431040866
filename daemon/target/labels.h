/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/*
 * Gives one that has just joined the labels of who made it, if these are known, and those that it
 * has made theirs.
 */
void target_inherit(struct targets *t, struct target *k);
/*
 * Has one wait for who made it to be known; has it not wait any longer, if it does: it has its own
 * labels, or has ended.
 */
void target_wait_label(struct targets *t, struct target *k);
void target_unwait_label(struct targets *t, struct target *k);
/* Gives one the version of the newest mark that is for it; its own, if none is any more. */
void target_mark(const struct targets *t, struct target *k);
/* The same of all, after the marks have changed; those that whom matches are counted. */
unsigned int targets_mark(struct targets *t, const struct selectors *whom);
/* After each cycle: who waits for a maker that does not come has its own labels. */
void labels_cycle(struct targets *t);
