/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * One look at the thread that runs here: finds its thread state, walks it, and files the stack in
 * this CPU's table. What looks: the ticks of sample.bpf.c, and the switches of off_cpu.bpf.c.
 */
#include "async.bpf.h"
#include "callers.bpf.h"
#include "entering.bpf.h"
#include "identify.bpf.h"

/* Takes one sample from a user's budget; false: it is used up. number 0: there is no bound. */
static __always_inline bool budget_take(__u32 number, bool count_lost)
{
	struct plop_budget *b = number ? bpf_map_lookup_elem(&budgets, &number) : NULL;
	__u64 now, due;

	if (!b)
		return true;
	now = bpf_ktime_get_ns();
	due = b->due;
	if (due > now + PLOP_BUDGET_NS) {
		if (count_lost)
			__sync_fetch_and_add(&b->lost, 1);
		return false;
	}
	/* what was not used is over; whichever CPU says so first */
	if (due < now)
		__sync_val_compare_and_swap(&b->due, due, now);
	__sync_fetch_and_add(&b->due, b->step);
	return true;
}

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
 * Finds a stack in the half. ret_at: its number; where it is not there, *ret NULL, the first free
 * place of the index.
 */
static __always_inline long stack_find(struct plop_half *half, __u64 hash, __u64 image,
				       __u32 probes, __u32 *ret_at, struct plop_stack **ret)
{
	__u32 tag = hash >> 48;

	for (__u32 i = 0; i < PLOP_HALF_PROBES && i < probes; i++) {
		__u32 at = ((__u32)hash + i) & (PLOP_HALF_INDEX - 1), entry = half->index[at], n;
		struct plop_stack *k;

		if (entry == 0) {
			*ret_at = at;
			*ret = NULL;
			return 0;
		}
		if (entry >> 16 != tag)
			continue;
		n = (entry & 0xffff) - 1;
		if (n >= PLOP_HALF_STACKS)
			continue;
		k = &half->stacks[n];
		if (k->hash == hash && k->image == image) {
			*ret_at = n;
			*ret = k;
			return 0;
		}
	}
	return -1;
}

/* Has the half drained before it, or a recording's part of it, is full. */
static __always_inline void half_pressure(struct plop_cpu *cpu, const struct plop_half *half,
					  __u32 part, bool parted)
{
	const struct plop_part *took = &half->parts[part & (PLOP_PARTS - 1)];
	const volatile struct plop_part *most = &plop_part_most[part & (PLOP_PARTS - 1)];

	if (cpu->pressure == plop_active + 1 ||
	    (half->nstacks <= PLOP_HALF_STACKS / 4 && half->nframes <= PLOP_HALF_FRAMES / 4 &&
	     half->nthreads <= PLOP_HALF_THREADS / 2 &&
	     (!parted || (took->stacks <= most->stacks / 2 && took->frames <= most->frames / 2 &&
			  took->threads <= most->threads / 2))))
		return;
	cpu->pressure = plop_active + 1;
	record_send(PLOP_RECORD_PRESSURE, 0, 0, BPF_RB_FORCE_WAKEUP);
}

/* Counts a tick of a thread that has stack k, number n. Returns 0, or the cause of its loss + 1. */
static __always_inline long stack_again(struct plop_cpu *cpu, struct plop_half *half,
					struct plop_stack *k, __u32 n, __u32 tid, __u32 part,
					bool parted)
{
	__u32 hash = plop_mix((__u64)n << 32 | tid), m = half->nthreads;
	struct plop_part *took = &half->parts[part & (PLOP_PARTS - 1)];
	const volatile struct plop_part *most = &plop_part_most[part & (PLOP_PARTS - 1)];
	struct plop_stack_thread *t;

	if (k->tid == tid) {
		k->count++;
		return 0;
	}
	for (__u32 i = 0; i < (parted ? PLOP_PART_PROBES : PLOP_HALF_PROBES); i++) {
		__u32 at = (hash + i) & (PLOP_HALF_INDEX - 1), entry = half->thread_index[at];

		if (entry == 0) {
			if (m >= PLOP_HALF_THREADS || (parted && took->threads >= most->threads))
				break;
			half->threads[m] = (struct plop_stack_thread){ tid, 1, n, 0 };
			half->thread_index[at] = m + 1;
			half->nthreads = m + 1;
			if (parted)
				took->threads++;
			half_pressure(cpu, half, part, parted);
			return 0;
		}
		t = &half->threads[(entry - 1) & (PLOP_HALF_THREADS - 1)];
		if (t->stack == n && t->tid == tid) {
			t->count++;
			return 0;
		}
	}
	return PLOP_LOST_STACKS_FULL + 1;
}

/* Names the frames of the walked stack, and compares them with those of k, if there is one. */
static __always_inline void stack_identify(struct walk *w, struct plop_half *half,
					   const struct plop_stack *k, bool use_loop, bool tasks)
{
	struct walk_state *walk = &w->s->walk;
	struct identify_state *q = &w->s->identify;

	q->filed = k && k->read_from != PLOP_STACK_CHANGED ? k->frames + 1 : 0;
	q->read_from = walk->depth;
	q->differs = 0;
	if (tasks) {
		bpf_loop(walk->depth, identify_tasks_step, w, 0);
	} else if (use_loop) {
		bpf_loop(walk->depth, identify_step, w, 0);
	} else {
		for (__u32 i = 0; i < PLOP_BOUNDED_DEPTH && i < walk->depth; i++) {
			if (identify_bounded(i))
				break;
		}
	}
	half->counters[PLOP_C_CODES] += q->sent;
	half->counters[PLOP_C_CODES_DROPPED] += q->dropped;
}

/*
 * Whether stack k, which has the addresses of the walked one, is it, as far as that is to be read
 * at this tick.
 */
static __always_inline bool stack_is_same(struct walk *w, struct plop_stack *k, bool use_loop)
{
	struct identify_state *q = &w->s->identify;

	if (k->read_from == PLOP_STACK_CHANGED)
		return false;
	if (!k->young)
		return true;
	if (q->again || !use_loop)
		return false;
	q->filed = k->frames + 1;
	q->read_from = k->read_from;
	q->next_from = k->depth;
	bpf_loop(PLOP_READ_INNERMOST + k->depth - k->read_from, compare_step, w, 0);
	if (!q->differs)
		k->read_from = q->next_from;
	return !q->differs;
}

/*
 * Files the walked stack under its half, and leaves its hash in walk->hash. Returns 0, or the cause
 * of its loss + 1. A stack is found by its addresses alone, and what is to be read of it compared.
 * Where it is another, or has been, it is found by its fingerprints as well.
 */
static __always_inline long stack_count(struct plop_cpu *cpu, struct walk *w, __u32 tid,
					__u32 channel, __u32 part, bool parted, __u32 flags,
					bool use_loop, bool tasks)
{
	struct walk_state *walk = &w->s->walk;
	struct identify_state *q = &w->s->identify;
	struct plop_half *half = w->half;
	struct plop_part *took = &half->parts[part & (PLOP_PARTS - 1)];
	const volatile struct plop_part *most = &plop_part_most[part & (PLOP_PARTS - 1)];
	struct plop_stack *k;
	__u32 at = 0, n, probes = parted ? PLOP_PART_PROBES : PLOP_HALF_PROBES;
	__u64 hash = plop_mix(walk->hash ^ ((channel << 16) + flags));

	if (stack_find(half, hash, q->image, probes, &at, &k))
		return PLOP_LOST_STACKS_FULL + 1;
	walk->hash = hash;
	if (k && stack_is_same(w, k, use_loop))
		return stack_again(cpu, half, k, at, tid, part, parted);
	stack_identify(w, half, k, use_loop, tasks);
	if (k) {
		if (q->filed)
			k->read_from = q->changed ? PLOP_STACK_CHANGED : q->read_from;
		if (q->filed && !q->changed && !q->differs)
			return stack_again(cpu, half, k, at, tid, part, parted);
		hash = plop_mix(hash ^ q->fingerprints);
		walk->hash = hash;
		if (stack_find(half, hash, q->image, probes, &at, &k))
			return PLOP_LOST_STACKS_FULL + 1;
		if (k)
			return stack_again(cpu, half, k, at, tid, part, parted);
	}
	n = half->nstacks;
	if (n >= PLOP_HALF_STACKS || (parted && took->stacks >= most->stacks))
		return PLOP_LOST_STACKS_FULL + 1;
	if (parted && took->frames + walk->depth > most->frames)
		return PLOP_LOST_FRAMES_FULL + 1;
	k = &half->stacks[n];
	k->hash = hash;
	k->image = q->image;
	k->tgid = q->tgid;
	k->tid = tid;
	k->count = 1;
	k->frames = walk->base;
	k->depth = walk->depth;
	k->flags = flags;
	k->read_from = q->read_from;
	k->young = q->young;
	k->channel = channel;
	half->index[at & (PLOP_HALF_INDEX - 1)] = (__u32)(hash >> 48 << 16) | (n + 1);
	half->nstacks = n + 1;
	half->nframes = walk->base + walk->depth;
	if (parted) {
		took->stacks++;
		took->frames += walk->depth;
	}
	half_pressure(cpu, half, part, parted);
	return 0;
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

/*
 * Walks the current thread of a profiled process and files its stack. Returns 0 (counted as python)
 * or the cause of its loss + 1. *truncated is counted up where the stack was too deep. tasks: with
 * the asyncio task that runs, and who awaits it; needs use_loop. part: whose room in the half it
 * takes; parted: a constant, that it is a recording's, so that the verifier need not follow both
 * ways everywhere.
 */
static __always_inline long python_tick(struct plop_cpu *cpu, struct plop_half *half,
					struct plop_process *p, __u64 pid_tgid, __u32 channel,
					__u32 part, bool parted, __u64 *truncated, bool use_loop,
					bool tasks)
{
	__u32 cpu_number = bpf_get_smp_processor_id(), layout = p->layout;
	struct walk w = { .half = half };
	struct walk_state *k;
	long flags;

	w.l = bpf_map_lookup_elem(&layouts, &layout);
	w.s = bpf_map_lookup_elem(&scratch, &cpu_number);
	if (!w.l || !w.s)
		return PLOP_LOST_UNSUPPORTED + 1;
	k = &w.s->walk;
	*k = (struct walk_state){ .base = half->nframes,
				  .end = half->nframes + plop_max_depth,
				  .hash = plop_seed };
	w.s->identify = (struct identify_state){ .image = p->image,
						 .tgid = pid_tgid >> 32,
						 .layout = layout,
						 .now = plop_seconds,
						 .active = plop_active,
						 .again = plop_reads_all(cpu->entered),
						 .half = half != &cpu->half[0] };
	if (k->base + PLOP_MAX_DEPTH > PLOP_HALF_FRAMES)
		return PLOP_LOST_FRAMES_FULL + 1;
	flags = thread_find(&w, cpu, p, half, use_loop);
	if (flags < 0)
		return -flags;
	if (flags == 0) {
		flags = gil_flags(w.l, w.s, cpu->last_state);
		if (tasks && p->async) {
			async_walk(p->async);
		} else if (use_loop) {
			/*
			 * a frame that is no Python function lies between each two C calls into the
			 * interpreter
			 */
			bpf_loop(WALK_STEPS, walk_step, &w, 0);
		} else {
			for (__u32 i = 0; i < PLOP_BOUNDED_DEPTH / WALK_STRIDE; i++) {
				if (walk_bounded(i))
					break;
			}
		}
		if (use_loop && k->result != WALK_OK && w.l->frame_link == PLOP_LINK_CFRAME)
			entering_walk();
		if (use_loop && cpu->last_sub)
			callers_walk(p->runtime);
		if (k->result == WALK_FAULT)
			return PLOP_LOST_FAULT + 1;
		if (k->result == WALK_CORRUPT)
			return PLOP_LOST_CORRUPT + 1;
		if (k->frame && !k->truncated && k->depth)
			k->truncated = 1; /* the loop's bound, not the depth, ended the walk */
		if (k->truncated) {
			flags |= PLOP_STACK_TRUNCATED;
			++*truncated;
		}
		if (k->depth == 0)
			flags |= PLOP_STACK_NO_FRAME;
		half->counters[PLOP_C_FRAMES] += k->depth;
	}
	return stack_count(cpu, &w, (__u32)pid_tgid, channel, part, parted, flags, use_loop, tasks);
}
