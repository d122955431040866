/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "proc/tasks.h"
#include "profile/profile.h"
#include "python/walk.h"

struct manager;
struct target;

/*
 * What threads are called: what Python's threading calls them, and those that it did not start, the main thread among them, what the
 * kernel does. Threading's names are read for all threads of a process at once, at most once in each cycle.
 */
struct thread_names {
	struct process_names *all; /* of this cycle */
	uint64_t spent_ns;         /* ... for reading them */
};

/* Forgets them: the next cycle begins. */
void thread_names_done(struct thread_names *n);
/* Names a thread of k in p, the first few times that it is seen. k NULL: the process is not known any more. */
void thread_names_look(struct thread_names *n, struct manager *m, struct target *k,
		       struct profile *p, uint32_t process, uint32_t tid);
/*
 * The names that threads have in the end: one is seen before it is named, if it is seen soon enough, some are named anew; and of one
 * that slept throughout nothing was seen at all.
 */
void thread_names_last(struct thread_names *n, struct manager *m, struct profile *p);

/* Which task each state is of: as the interpreter says, or by the thread library's records, or there is but one. ret: for each of the states, NULL: not known. -ENOMEM. */
int thread_tasks(struct walker *w, const struct walk_states *s, const struct tasks *t,
		 const struct task **ret);
