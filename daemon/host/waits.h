/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/events.h"
#include "profile/symbolizer.h"

/*
 * The time off CPU of one wall-clock recording. Each time comes as a record when it is over, its stack with the cycle in
 * which the thread left: they are put together here, by the stack's hash, and go into the recording's profile.
 */
struct waits;

/* begun_ns: CLOCK_MONOTONIC; nothing before counts. */
int waits_new(uint64_t begun_ns, struct waits **ret);
void waits_free(struct waits *w);
DEFINE_FREEP(struct waits, waits_free)

/*
 * Notes the threads that a process has when it joins: those that do not run are off CPU from begun_ns on, though nobody saw
 * them leave.
 */
void waits_threads(struct waits *w, pid_t pid);
/* A time that is over. process: the sink's, of r->head.tgid. end_ns: nothing after it counts. */
int waits_add(struct waits *w, const struct plop_record_wait *r, uint32_t process, uint64_t end_ns);
/* A stack of PLOP_SET_WALL. */
int waits_stack(struct waits *w, struct sink *sink, const struct symbolized_stack *s);
/* After a cycle: what has its stack goes into the profile. last: all of it does. */
int waits_settle(struct waits *w, struct sink *sink, bool last);
/*
 * At the end, before the last waits_settle(): the threads that are still off CPU. process: finds the sink's index of a
 * tgid, or says no (< 0).
 */
void waits_sleeping(struct waits *w, const struct plop_sleeper *sleeper, uint32_t process,
		    uint64_t end_ns);
int waits_asleep_throughout(struct waits *w, struct sink *sink,
			    int (*process)(uint32_t tgid, uint32_t *ret, void *ctx), void *ctx,
			    uint64_t end_ns);
/* Bytes held. */
size_t waits_bytes(const struct waits *w);
