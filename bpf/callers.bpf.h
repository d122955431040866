/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * The frames of the interpreter that called a sub-interpreter. A thread has a state in each
 * interpreter that it entered; those that are not in use and have a frame are in the midst of a
 * call into the next one. Only looked for where the state in use is of another interpreter than the
 * first, which the search for it tells: the frames of all others are all there are.
 */
#include "pystack.bpf.h"

/* Frames looked through for the one that lies on the thread's C stack. */
#define ENTRY_STEPS 1024

/*
 * Goes through all thread states of the process and notes those of this thread that have a frame.
 * The one in use is the innermost; in 3.11, where it was only taken to be in use, it is noted as
 * well, for there they can be put in order.
 */
static __always_inline bool is_guessed(const struct plop_layout *l)
{
	return l->frame_link == PLOP_LINK_CFRAME && !l->ts_status;
}

static long callers_step(__u32 i, struct walk *w)
{
	const struct plop_layout *l = w->l;
	struct search_state *q = &w->s->search;
	struct callers_state *c = &w->s->callers;
	struct caller *k;
	__u64 frame = 0;

	if (!q->ts)
		return search_list(w);
	if (thread_read(l, w->s, q->ts)) {
		q->result = WALK_FAULT;
		return 1;
	}
	if (FIELD64(w->s->ts, l->ts_thread_id, PLOP_TS_MAX) == q->thread &&
	    (q->ts != q->found || is_guessed(l)) && !frame_current(l, w->s, &frame) && frame) {
		if (c->n >= PLOP_CALLERS) {
			q->result = WALK_FAULT;
			return 1;
		}
		k = &c->of[c->n & (PLOP_CALLERS - 1)];
		k->frame = frame;
		k->chunk = k->chunk_end = 0;
		if (l->ts_chunk) {
			k->chunk = FIELD64(w->s->ts, l->ts_chunk, PLOP_TS_MAX);
			k->chunk_end = FIELD64(w->s->ts, PLOP_TS_CHUNK_END(l), PLOP_TS_MAX);
		}
		c->n++;
		c->own |= q->ts == q->found;
		/*
		 * newer interpreters come first, and it is the older that calls into the newer: all
		 * that is known before 3.11
		 */
		k->at = l->frame_link == PLOP_LINK_CFRAME ?
				FIELD64(w->s->ts, l->ts_frame, PLOP_TS_MAX) :
				c->n;
	}
	q->ts = FIELD64(w->s->ts, l->ts_next, PLOP_TS_MAX);
	return 0;
}

/*
 * From c->frame to the first frame that is none of a function (entry_frame in Python/ceval.c, 3.12
 * to 3.15): it lies on the C stack, so that its address tells which of two callers is the inner
 * one.
 */
static long entry_step(__u32 i, struct walk *w)
{
	const struct plop_layout *l = w->l;
	struct callers_state *c = &w->s->callers;
	__u8 *p = w->s->copy + COPY_SIZE;
	__u32 need = l->frame_len;

	if (!c->frame || need > PLOP_FRAME_MAX || !l->frame_owner ||
	    bpf_probe_read_user(p, need, (void *)c->frame)) {
		c->frame = 0;
		return 1;
	}
	if (p[l->frame_owner & (PLOP_FRAME_MAX - 1)] >= l->frame_owner_skip)
		return 1;
	c->frame = FIELD64(p, l->frame_previous, PLOP_FRAME_MAX);
	return 0;
}

static long order_step(__u32 i, struct walk *w)
{
	struct callers_state *c = &w->s->callers;
	struct caller *of = &c->of[i & (PLOP_CALLERS - 1)];

	if (i >= c->n)
		return 1;
	c->frame = of->frame;
	bpf_loop(ENTRY_STEPS, entry_step, w, 0);
	of->at = c->frame;
	return !c->frame;
}

/* Sets by what the callers are put in order. False: it cannot be told. */
static __always_inline bool callers_order(struct walk *w)
{
	struct callers_state *c = &w->s->callers;

	if (c->n < 2 || w->l->frame_link != PLOP_LINK_CURRENT)
		return true;
	bpf_loop(PLOP_CALLERS, order_step, w, 0);
	return c->frame != 0;
}

/* The one that comes next, outwards; PLOP_CALLERS: none does. */
static __always_inline __u32 caller_next(const struct callers_state *c)
{
	__u64 least = 0;
	__u32 found = PLOP_CALLERS;

	for (__u32 i = 0; i < PLOP_CALLERS && i < c->n; i++) {
		__u64 at = c->of[i].at;

		if (at > c->last && (found == PLOP_CALLERS || at < least)) {
			least = at;
			found = i;
		}
	}
	return found;
}

/* Adds the frames of the next one. A step of bpf_loop(), so that the verifier looks at it once. */
static long caller_step(__u32 i, struct walk *w)
{
	struct callers_state *c = &w->s->callers;
	struct walk_state *k = &w->s->walk;
	__u32 next = caller_next(c);
	const struct caller *of;

	if (next >= PLOP_CALLERS)
		return 1;
	of = &c->of[next & (PLOP_CALLERS - 1)];
	c->last = of->at;
	k->frame = of->frame;
	k->chunk = of->chunk;
	k->chunk_end = of->chunk_end;
	k->from = k->length = k->mark = 0;
	bpf_loop(WALK_STEPS, walk_step, w, 0);
	return k->result != WALK_OK || k->frame || k->truncated;
}

/*
 * Adds the callers' frames to those of the thread state that python_tick() has walked. What cannot
 * be found, or put in order, leaves a stack that says its root is missing. A function of its own
 * for the verifier, so it looks everything up anew.
 */
__weak __noinline int callers_walk(__u64 runtime)
{
	__u32 n = bpf_get_smp_processor_id(), layout;
	struct plop_cpu *cpu = bpf_map_lookup_elem(&cpus, &n);
	struct walk w = { .s = bpf_map_lookup_elem(&scratch, &n) };
	struct callers_state *c;
	struct search_state *q;
	struct walk_state *k;

	if (!cpu || !w.s)
		return 0;
	layout = w.s->identify.layout;
	w.l = bpf_map_lookup_elem(&layouts, &layout);
	w.half = &cpu->half[w.s->identify.half & 1];
	k = &w.s->walk;
	q = &w.s->search;
	c = &w.s->callers;
	/* where the own frames did not come to an end, nothing belongs behind them */
	if (!w.l || k->result != WALK_OK || k->frame || k->truncated)
		return 0;
	c->n = c->own = 0;
	c->last = 0;
	q->thread = FIELD64(w.s->ts, w.l->ts_thread_id, PLOP_TS_MAX);
	q->found = cpu->last_state;
	q->ts = 0;
	q->result = WALK_OK;
	if (bpf_probe_read_user(&q->interp, sizeof(q->interp),
				(void *)(runtime + w.l->runtime_interpreters_head)))
		q->result = WALK_FAULT;
	else
		bpf_loop(PLOP_MAX_CALLER_STEPS, callers_step, &w, 0);
	if (q->result != WALK_OK || q->ts || q->interp || !callers_order(&w)) {
		k->truncated = 1;
		return 0;
	}
	if (c->own && c->n < 2)
		return 0;
	if (c->own) {
		k->depth = 0;
		k->hash = plop_seed;
	}
	bpf_loop(PLOP_CALLERS, caller_step, &w, 0);
	return 0;
}
