/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "examiner/examiner.h"
#include "plop/events.h"
#include "profile/symbolizer.h"

/*
 * The time off CPU of one recording. Each time comes as a record when it is over, its stack with
 * the cycle in which the thread left: they are put together here, by the stack's hash, and go into
 * the recording's profile.
 */
struct waits;

/* begun_ns: CLOCK_MONOTONIC; nothing before counts. */
int waits_new(uint64_t begun_ns, struct waits **ret);
void waits_free(struct waits *w);
DEFINE_FREEP(struct waits, waits_free)

/*
 * Notes the threads that a process has when it joins: those that do not run are off CPU from
 * begun_ns on, though nobody saw them leave. What they wait for, and their stacks, is read from the
 * outside (asleep.c) and told by waits_read().
 */
void waits_threads(struct waits *w, pid_t pid);
/*
 * A process whose threads were noted, and not read yet; then it is taken as read. false: there is
 * none. ret_threads: how many it had.
 */
bool waits_unread(struct waits *w, pid_t *ret, uint32_t *ret_threads);
/* One more question about such threads has no answer yet, or (-1) has. How many have none. */
unsigned int waits_asking(struct waits *w, int more);
/* What was read of a process: where a GIL is, and a thread that slept. */
void waits_gil(struct waits *w, pid_t pid, uint64_t gil, uint32_t size);
int waits_read(struct waits *w, struct sink *sink, pid_t pid, const struct asleep_thread *t);
/* A time that is over. process: the sink's, of r->head.tgid. end_ns: nothing after it counts. */
int waits_add(struct waits *w, const struct plop_record_wait *r, uint32_t process, uint64_t end_ns);
/* A stack of PLOP_CHANNEL_OFF_CPU. */
int waits_stack(struct waits *w, struct sink *sink, const struct symbolized_stack *s);
/* After a cycle: what has its stack goes into the profile. last: all of it does. */
int waits_settle(struct waits *w, struct sink *sink, bool last);
/*
 * At the end, before the last waits_settle(): the threads that are still off CPU, then those whose
 * wait began before begun_ns. process: finds the sink's index of a tgid, or says no (< 0).
 * ret_unread: how many of these did not wake, and have no stack.
 */
void waits_sleeping(struct waits *w, const struct plop_sleeper *sleeper, uint32_t process,
		    uint64_t end_ns);
int waits_from_before(struct waits *w, struct sink *sink,
		      int (*process)(uint32_t tgid, uint32_t *ret, void *ctx), void *ctx,
		      uint64_t end_ns, uint32_t *ret_unread);
/* Bytes held. */
size_t waits_bytes(const struct waits *w);
