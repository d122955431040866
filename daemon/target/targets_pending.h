/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/* When processes are looked at; for this room's files of targets. */

/*
 * Has a process examined at that time (CLOCK_MONOTONIC), or as soon as possible after it; within
 * 100 ms after it, together with others; or in a while, each time after twice as long.
 */
void targets_ask_again(struct targets *t, const struct target_key *key, uint64_t due_ns);
void targets_ask_together(struct targets *t, const struct target_key *key, uint64_t due_ns);
void targets_ask_later(struct targets *t, const struct target_key *key);
/* Of one that is to be looked at: not before that time; of which program it is, and who runs it. */
void targets_postpone(struct targets *t, const struct target_key *key, uint64_t due_ns);
void targets_pending_program(struct targets *t, const struct target_key *key, uint64_t file,
			     uid_t uid, bool plain);
void targets_forget_pending(struct targets *t, const struct target_key *key);
/* The timer's: looks at those whose time has come. */
int targets_retry(sd_event_source *s, uint64_t usec, void *ctx);

/*
 * Has it examined now. of: what is known of it: whom it is about by its key, and file, first, uid.
 * fresh: as for targets_examine().
 */
void targets_look(struct targets *t, const struct pending *of, bool fresh);
/* Takes one over that is profiled by its launch; false: it has to be looked at. */
bool targets_launched(struct targets *t, const struct plop_record_exec *r);
/* Whether it has ended, or executed another program. */
bool targets_image_is_over(const struct targets *t, const struct target_key *key);
