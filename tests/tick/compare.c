/* SPDX-License-Identifier: BSD-2-Clause */
#include "compare.h"

#include "python/walk.h"
#include "ticked.h"

/*
 * The frame's function, by its code object's address, is that of the walker's frame, at the same
 * line.
 */
static bool frame_same(const struct reader *r, const struct plop_layout *l,
		       const struct plop_frame *f, const struct walk_frame *other)
{
	struct code_object *c = NULL;
	uint32_t fingerprint = 0;
	bool same;

	if (code_object_read(r, l, f->code, &c, &fingerprint) < 0)
		return !other->code;
	same = other->code && strcmp(c->name, other->code->name) == 0 &&
	       strcmp(c->file, other->code->file) == 0 &&
	       code_object_line(c, f->instr, l->code_bytecode) == other->line &&
	       (f->fingerprint & PLOP_FINGERPRINT_BITS) == fingerprint;
	code_object_unref(c);
	return same;
}

/* Functions that user space never shows (code_object_hidden()) are in what the kernel sends up. */
static bool frame_hidden(const struct reader *r, const struct plop_layout *l,
			 const struct plop_frame *f)
{
	struct code_object *c = NULL;
	bool hidden = false;
	uint32_t fingerprint;

	if (code_object_read(r, l, f->code, &c, &fingerprint) == 0) {
		hidden = code_object_hidden(c);
		code_object_unref(c);
	}
	return hidden;
}

static const char *stack_same(const struct reader *r, const struct plop_layout *l,
			      const struct tick_result *t, const struct walk_stack *s)
{
	size_t n = 0;

	for (uint16_t i = 0; i < t->stack->depth; i++) {
		if (frame_hidden(r, l, &t->frames[i]))
			continue;
		if (n == s->n)
			return "the tick has more frames";
		if (!frame_same(r, l, &t->frames[i], &s->frames[n]))
			return "a frame is of another function, or at another line";
		n++;
	}
	return n < s->n ? "the tick has fewer frames" : NULL;
}

/* What a tick may lose that user space does not: it looks at fewer thread states. */
static bool may_lose(long cause, size_t nstates)
{
	return cause == PLOP_LOST_THREADS && nstates > PLOP_MAX_CALLER_STEPS;
}

static const char *compare_thread(const struct reader *r, const struct plop_layout *l,
				  uint64_t runtime, struct walker *w, const struct walk_states *all,
				  const struct walk_state *state, struct compared *ret)
{
	_cleanup_walk_stack_ struct walk_stack s = {};
	const char *differs;
	struct tick_result t;

	tick_begin(r, l, runtime);
	tick_thread(TICK_TGID, state->thread_id);
	t = tick_once(plop_tick);
	if (walker_thread(w, all, state, NULL, NULL, &s) < 0 || s.changing) {
		ret->untold++;
		return NULL;
	}
	if (t.lost >= 0) {
		ret->lost++;
		return may_lose(t.lost, all->n) ? NULL : "the tick has no stack";
	}
	if (!t.stack)
		return "the tick has no stack, and did not lose it";
	if (s.truncated != !!(t.stack->flags & PLOP_STACK_TRUNCATED))
		return "one says that there are more frames";
	differs = stack_same(r, l, &t, &s);
	if (!differs && s.n)
		ret->same++;
	else if (!differs)
		ret->without++;
	return differs;
}

const char *compare(const struct reader *r, const struct plop_layout *l, uint64_t runtime,
		    struct compared *ret)
{
	_cleanup_walk_states_ struct walk_states all = {};
	_cleanup_(walker_freep) struct walker *w = NULL;
	const char *differs = NULL;

	if (walker_new(r, l, runtime, &w) < 0)
		return "no walker could be made";
	if (walker_states(w, &all) < 0 || all.changing || all.more)
		return NULL;
	for (size_t i = 0; i < all.n && !differs; i++)
		differs = compare_thread(r, l, runtime, w, &all, &all.states[i], ret);
	return differs;
}
