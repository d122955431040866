/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"

/*
 * What threads are called: what Python's threading calls them, and those that it did not start, the
 * main thread among them, what the kernel does. Threading's names are asked for, for all threads of
 * a process at once, at most once in each cycle; they come a moment later.
 */

/* Names a thread of k in the recording's profile, the first few times that it is seen. */
void thread_names_look(struct recording *recording, struct target *k, uint32_t process,
		       uint32_t tid);
/* At the end of a cycle: asks for what was looked for. */
void thread_names_ask(struct recordings *all);
/*
 * The names that threads have in the end: one is seen before it is named, if it is seen soon
 * enough, some are named anew; and of one that slept throughout nothing was seen at all. Counts up
 * recording.naming for each process that was asked; recording_named() is called when the last of
 * them has answered.
 */
void thread_names_last(struct recording *recording);
