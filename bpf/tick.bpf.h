/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * One look at the thread that runs here: finds its thread state, walks it, and files the stack in
 * this CPU's table. What looks: the ticks of sample.bpf.c, and the switches of off_cpu.bpf.c.
 */
#include "async.bpf.h"
#include "callers.bpf.h"
#include "identify.bpf.h"
#include "thread.bpf.h"

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
	/* forked processes have the same stacks, and all have the same without frames */
	__u64 hash = plop_mix(walk->hash ^ q->image ^ ((channel << 16) + flags));

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
 * thread_find() and stack_count() as functions of their own, for the programs that walk tasks:
 * kernels up to 6.12 at least hold the stacks of all functions that are in one another to 512
 * bytes, and what python_tick() itself has on its stack is there below the walk, too.
 */
static __noinline long tasks_thread_find(struct walk *w, struct plop_cpu *cpu,
					 struct plop_process *p, struct plop_half *half)
{
	return thread_find(w, cpu, p, half, true);
}

static __noinline long tasks_stack_count(struct plop_cpu *cpu, struct walk *w, __u32 channel,
					 __u32 part, __u32 flags)
{
	return stack_count(cpu, w, (__u32)bpf_get_current_pid_tgid(), channel, part, true, flags,
			   true, true);
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
						 .user = p->user,
						 .again = plop_reads_all(cpu->entered),
						 .half = half != &cpu->half[0] };
	if (k->base + PLOP_MAX_DEPTH > PLOP_HALF_FRAMES)
		return PLOP_LOST_FRAMES_FULL + 1;
	/* the rest is for others until it is swapped */
	if (k->base > PLOP_HALF_FRAMES / 2 && plop_max_depth > PLOP_QUIET_DEPTH &&
	    user_is_quiet(p->user))
		k->end = k->base + PLOP_QUIET_DEPTH;
	flags = tasks ? tasks_thread_find(&w, cpu, p, half) :
			thread_find(&w, cpu, p, half, use_loop);
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
	if (tasks)
		return tasks_stack_count(cpu, &w, channel, part, flags);
	return stack_count(cpu, &w, (__u32)pid_tgid, channel, part, parted, flags, use_loop, false);
}
