/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/walk.h"

/*
 * What Python's threading calls the threads of a process: its _active, a dict from pthread_self()
 * to Thread object, says so for all that it started, whatever they do meanwhile. What cannot be
 * read for sure, or was read while it changed, has no name here.
 *
 * ret_names: for each of the states an owned text, cut at PLOP_MAX_THREAD_NAME characters, or NULL.
 * Without: threads that threading did not start, which it calls MainThread or Dummy-1, if anything.
 * 0, also when there is no threading; -EOPNOTSUPP: not in this version; -ESRCH: the process is
 * gone; -ENOMEM. On failure all are NULL.
 */
int thread_names_read(const struct reader *memory, const struct plop_layout *l, uint64_t runtime,
		      const struct walk_states *s, char **ret_names);
