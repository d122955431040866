/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * From the thread that runs to its thread state and its innermost frame: remembered of the last
 * tick, or looked for in all interpreters of the process.
 */
#include "entering.bpf.h"

/* What the walk needs of the thread that runs. */
struct thread_facts {
	__u64 thread; /* the thread pointer: what pthread_self() is on x86-64 */
	__u64 mm;
	__u32 flags;
};

/* btf: by plain loads; bpf_get_current_task_btf() needs 5.11. */
static __always_inline void thread_facts_read(struct thread_facts *ret, bool btf)
{
	struct task_struct *task = btf ? bpf_get_current_task_btf() :
					 (void *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	ret->thread = btf ? task->thread.fsbase : BPF_CORE_READ(task, thread.fsbase);
#else
	ret->thread = btf ? task->thread.uw.tp_value : BPF_CORE_READ(task, thread.uw.tp_value);
#endif
	ret->mm = (__u64)(btf ? task->mm : BPF_CORE_READ(task, mm));
	ret->flags = btf ? task->flags : BPF_CORE_READ(task, flags);
}

/*
 * Whether a thread state, its head in s->ts, is one of its interpreter's: a freed one may lie there
 * as it was, and a new thread have its id, which is the address of its stack. Of 2.7's, which have
 * no prev, it is not told.
 */
static __always_inline bool is_listed(const struct plop_layout *l, struct scratch *s, __u64 ts)
{
	__u64 there = 0, previous, interp;

	if (l->ts_next < 8)
		return false;
	/* prev lies before next: see PLOP_TS_INTERP() */
	previous = FIELD64(s->ts, l->ts_next - 8, PLOP_TS_MAX);
	interp = FIELD64(s->ts, PLOP_TS_INTERP(l), PLOP_TS_MAX);
	bpf_probe_read_user(&there, sizeof(there),
			    (void *)(previous ? previous + l->ts_next :
						interp + l->interp_threads_head));
	return there == ts;
}

/*
 * Up to 3.11: whether the state that has the GIL is one of this thread, which then has it in use;
 * what of it is not told.
 */
static __always_inline bool is_current(const struct plop_layout *l, struct scratch *s, __u64 thread)
{
	__u64 id = 0;

	if (s->search.current)
		bpf_probe_read_user(&id, sizeof(id), (void *)(s->search.current + l->ts_thread_id));
	return id == thread;
}

/*
 * Before 3.12 nothing in a thread state says whether its thread has it in use: whether it has to be
 * looked for. Another interpreter may have one that is. If that has not the GIL either, it is a
 * newer one than this state's, for it is at the head of their list, or any, when this has no frame.
 * Or this is not one any more.
 */
static __always_inline bool is_elsewhere(const struct plop_layout *l, const struct plop_process *p,
					 struct scratch *s, __u64 ts, __u64 frame)
{
	__u64 head = 0, next = 0, interp = FIELD64(s->ts, PLOP_TS_INTERP(l), PLOP_TS_MAX);

	if (frame && s->search.current == ts)
		return false;
	if (s->search.current != ts &&
	    is_current(l, s, FIELD64(s->ts, l->ts_thread_id, PLOP_TS_MAX)))
		return true;
	if (bpf_probe_read_user(&head, sizeof(head),
				(void *)(p->runtime + l->runtime_interpreters_head)))
		return false;
	if (head != interp || frame)
		return head != interp;
	if (!is_listed(l, s, ts))
		return true;
	bpf_probe_read_user(&next, sizeof(next), (void *)(head + l->interp_next));
	return next != 0;
}

/*
 * After so many searches without a result, NONE_APART ms apart, a thread is not looked for until
 * NONE_LASTS ms have passed. Not after the first: a tick may come between a thread's start and its
 * first line in Python, or its stack, and so its thread pointer, may be one that a thread has just
 * ended on. At most 3, by how it is remembered.
 */
#define NONE_IS_SURE PLOP_NO_STATE_SURE
#define NONE_APART   2
#define NONE_LASTS   256
/* plopd is woken no more often than after so many ms for threads whose states are not reached. */
#define STATES_APART 20

static __always_inline __u64 now_ms(void)
{
	return bpf_ktime_get_ns() / 1000000;
}

/*
 * Has plopd look for the thread state that the search did not reach: it has time for all of them.
 */
static __always_inline void state_ask(__u32 tgid, __u64 image, __u64 thread)
{
	struct plop_record_state r = {
		.head = { .type = PLOP_RECORD_STATE, .tgid = tgid, .image = image },
		.thread = thread,
	};
	__u64 now = now_ms(), flags = BPF_RB_NO_WAKEUP;

	if (!records_room())
		return;
	if (now - plop_states_woken >= STATES_APART) {
		plop_states_woken = now;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_output(&records, &r, sizeof(r), flags);
}

/*
 * Looks for the thread state of the current thread in all interpreters. Returns 0 with its address
 * in q->found and its head in s->ts, or as thread_find().
 */
static __always_inline long thread_search(struct walk *w, struct plop_process *p,
					  struct plop_half *half, __u64 thread, __u64 key,
					  bool use_loop)
{
	const struct plop_layout *l = w->l;
	struct search_state *q = &w->s->search;

	q->image = p->image;
	q->thread = thread;
	q->ts = q->found = 0;
	q->result = WALK_OK;
	if (bpf_probe_read_user(&q->interp, sizeof(q->interp),
				(void *)(p->runtime + l->runtime_interpreters_head))) {
		/* a page of _PyRuntime that nothing has touched yet: the interpreter is not up */
		if (!p->mm)
			return PLOP_STACK_NO_INTERP;
		return -(PLOP_LOST_FAULT + 1);
	}
	if (!q->interp)
		return p->mm ? PLOP_STACK_FINALISED : PLOP_STACK_NO_INTERP;
	half->counters[PLOP_C_THREAD_SEARCHES]++;
	if (!l->ts_status && is_current(l, w->s, thread) && !thread_read(l, w->s, q->current)) {
		q->found = q->current;
		bpf_probe_read_user(&q->sub, sizeof(q->sub),
				    (void *)(FIELD64(w->s->ts, PLOP_TS_INTERP(l), PLOP_TS_MAX) +
					     l->interp_next));
		thread_remember(key, q->found | (q->sub ? PLOP_THREAD_SUB : 0));
		return 0;
	}
	if (use_loop) {
		bpf_loop(PLOP_MAX_THREAD_STEPS, search_step, w, 0);
	} else {
		for (__u32 i = 0; i < PLOP_BOUNDED_THREADS; i++) {
			if (search_step(i, w))
				break;
		}
	}
	if (!q->found && q->result == WALK_FAULT)
		return -(PLOP_LOST_FAULT + 1);
	if (q->found && q->ts == q->found)
		return 0;
	/*
	 * the steps have ended, and not the lists: behind them may be the state, or the one that is
	 * in use
	 */
	if (q->result == WALK_OK && (q->ts || q->interp)) {
		thread_remember(key, PLOP_NO_STATE(now_ms(), 1, NONE_IS_SURE));
		state_ask(w->s->identify.tgid, q->image, thread);
		return -(PLOP_LOST_THREADS + 1);
	}
	if (!q->found) {
		if (q->missed == 0 || now_ms() - q->missed_at >= NONE_APART) {
			q->missed += q->missed < NONE_IS_SURE;
			q->missed_at = now_ms();
		}
		thread_remember(key, PLOP_NO_STATE(q->missed_at, 0, q->missed));
		return PLOP_STACK_NO_THREAD;
	}
	/* none that is in use, so the search went on behind it */
	thread_remember(key, q->found | (q->sub ? PLOP_THREAD_SUB : 0));
	return thread_read(l, w->s, q->found) ? -(PLOP_LOST_FAULT + 1) : 0;
}

/* Up to 3.6 nothing but the end of its last interpreter says that it has. */
static __always_inline bool is_finalising(const struct plop_layout *l, const struct plop_process *p)
{
	__u64 word = 0;

	if (bpf_probe_read_user(&word, sizeof(word),
				(void *)(p->runtime + (l->runtime_finalizing ?
							       l->runtime_finalizing :
							       l->runtime_interpreters_head))))
		return false;
	return l->runtime_finalizing ? word != 0 : word == 0;
}

/*
 * Finds the thread state of the current thread. Returns the flags of a stack without frames, 0 with
 * w->frame set, or -(cause + 1). The head of the thread state is in s->ts after.
 */
static __always_inline long thread_find(struct walk *w, struct plop_cpu *cpu,
					struct plop_process *p, struct plop_half *half,
					bool use_loop)
{
	const struct plop_layout *l = w->l;
	struct scratch *s = w->s;
	struct thread_facts facts;
	__u64 thread, key, ts, sub, frame = 0;
	long r;

	thread_facts_read(&facts, use_loop);
	if (facts.flags & PF_EXITING || (p->mm && p->mm != facts.mm))
		return PLOP_STACK_EXITING;
	if (facts.flags & (PF_DUMPCORE | PF_WORKER))
		return facts.flags & PF_WORKER ? PLOP_STACK_WORKER : PLOP_STACK_DUMPING;
	thread = facts.thread;
	key = PLOP_THREAD_KEY(p->image, thread);
	if (cpu->last_thread == key) {
		ts = cpu->last_state;
		sub = cpu->last_sub;
	} else {
		ts = thread_recall(key);
		sub = ts & PLOP_THREAD_SUB;
	}
	s->search.missed = s->search.current = 0;
	if (l->runtime_current)
		bpf_probe_read_user(&s->search.current, sizeof(s->search.current),
				    (void *)(p->runtime + l->runtime_current));
	if (PLOP_NO_STATE_IS(ts)) {
		s->search.missed_at = PLOP_NO_STATE_MS(ts);
		/* what user space has written lies ahead */
		if ((__s64)(now_ms() - s->search.missed_at) < NONE_LASTS)
			s->search.missed = PLOP_NO_STATE_MISSED(ts);
		if (s->search.missed >= NONE_IS_SURE)
			return PLOP_NO_STATE_BEYOND(ts) ? -(PLOP_LOST_THREADS + 1) :
							  PLOP_STACK_NO_THREAD;
		ts = 0;
	}
	ts &= ~PLOP_THREAD_SUB;
	if (ts && (thread_read(l, s, ts) ||
		   FIELD64(s->ts, l->ts_thread_id, PLOP_TS_MAX) != thread || !thread_bound(l, s)))
		ts = 0;
	if (ts &&
	    (frame_current(l, s, &frame) || (!l->ts_status && is_elsewhere(l, p, s, ts, frame))))
		ts = 0;
	if (!ts) {
		r = thread_search(w, p, half, thread, key, use_loop);
		if (r)
			return r;
		p->mm = facts.mm;
		ts = s->search.found;
		sub = s->search.sub;
		if (frame_current(l, s, &frame))
			return -(PLOP_LOST_FAULT + 1);
	}
	cpu->last_thread = key;
	cpu->last_state = ts;
	cpu->last_sub = sub;
	if (!frame)
		frame = frame_before(l, s);
	/* who called it may have one nevertheless */
	if (!frame && !sub)
		return is_finalising(l, p) ? PLOP_STACK_FINALISED : PLOP_STACK_NO_FRAME;
	s->walk.frame = frame;
	if (l->ts_chunk) {
		s->walk.chunk = FIELD64(s->ts, l->ts_chunk, PLOP_TS_MAX);
		s->walk.chunk_end = FIELD64(s->ts, PLOP_TS_CHUNK_END(l), PLOP_TS_MAX);
	}
	return 0;
}

/*
 * Whether the current thread has the GIL, as flags of its stack. The head of its state is in s->ts.
 */
static __always_inline __u32 gil_flags(const struct plop_layout *l, struct scratch *s, __u64 ts)
{
	if (l->free_threaded)
		return 0;
	if (l->ts_status)
		return FIELD32(s->ts, l->ts_status, PLOP_TS_MAX) & PLOP_TS_ACTIVE ?
			       PLOP_STACK_GIL_HELD :
			       PLOP_STACK_GIL_RELEASED;
	if (!l->runtime_current)
		return 0;
	return s->search.current == ts ? PLOP_STACK_GIL_HELD : PLOP_STACK_GIL_RELEASED;
}
