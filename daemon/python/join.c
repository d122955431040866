/* SPDX-License-Identifier: BSD-2-Clause */
#include "plop/limits.h"
#include "python/walker.h"

/*
 * The stack of a thread that went from one interpreter into another: it has a state in each, and
 * those that are not in use and have frames are in the midst of a call into the next one. As the
 * kernel side does it (bpf/callers.bpf.h).
 */

/* States of one thread that are looked at, and readings until all of them agree. */
#define JOIN_MAX   8
#define JOIN_TRIES 16

/* What one of the states contributes. */
struct part {
	const struct walk_state *state;
	struct walk_stack stack;
	uint64_t at; /* rises outwards; 0: not known */
};

struct join {
	struct part parts[JOIN_MAX]; /* the one in use first, then its callers */
	size_t n;
};

static void join_done(struct join *j)
{
	for (size_t i = 0; i < j->n; i++)
		walk_stack_done(&j->parts[i].stack);
	j->n = 0;
}

/*
 * Which of the states is in use, as far as that can be told: from 3.12 on it says so itself.
 * Before, it is the one that has the GIL; if none of them has, in 3.11 the one whose struct on the
 * C stack is the innermost, else the newest that executes something.
 */
static bool in_use_sooner(const struct walker *w, const struct walk_state *s, uint64_t current,
			  uint64_t cframe, uint64_t least)
{
	if (w->l->ts_status)
		return object_u32(w->ts, w->l->ts_status) & PLOP_TS_BOUND;
	if (s->address == current)
		return true;
	return w->l->frame_link == PLOP_LINK_CFRAME ? cframe < least : least == UINT64_MAX;
}

/*
 * The state in use, then those that have frames; newest interpreter first. One that has gone since
 * is left out. -EAGAIN: there are too many, or none of them is in use.
 */
static int join_states(struct walker *w, const struct walk_states *all, const struct walk_state *of,
		       struct join *j)
{
	uint64_t cframe, frame, current = 0, least = UINT64_MAX;
	size_t in_use = JOIN_MAX;

	if (w->l->runtime_current)
		reader_u64(w->r, w->runtime + w->l->runtime_current, &current);
	j->n = 0;
	for (size_t i = 0; i < of->nothers; i++) {
		const struct walk_state *s = &all->others[of->others + i];
		bool used;

		if (reader_read(w->r, s->address, w->ts, w->l->ts_len) < 0 ||
		    object_u64(w->ts, w->l->ts_thread_id) != of->thread_id ||
		    walker_frame(w, &cframe, &frame) < 0)
			continue;
		/*
		 * where it says so itself, a state that an older thread has left behind at the same
		 * address says it as well
		 */
		used = (w->l->ts_status ? in_use == JOIN_MAX : frame || s->address == current) &&
		       in_use_sooner(w, s, current, cframe, least);
		if (!used && !frame)
			continue;
		if (j->n == JOIN_MAX)
			return -EAGAIN;
		if (used) {
			in_use = j->n;
			least = s->address == current ? 0 : cframe;
		}
		j->parts[j->n++] = (struct part){ .state = s };
	}
	if (j->n == 0 || in_use == JOIN_MAX)
		return -EAGAIN;
	if (in_use > 0) {
		struct part first = j->parts[in_use];

		memmove(&j->parts[1], &j->parts[0], in_use * sizeof(first));
		j->parts[0] = first;
	}
	return 0;
}

/*
 * What tells of two states of one thread which is the inner one: something of theirs that lies on
 * the thread's C stack. 3.11 and 3.12 have such a struct; then it is the frame of the interpreter's
 * own below that of a function (entry_frame in Python/ceval.c, 3.13 to 3.15). Before, all that is
 * known is that newer interpreters come first, and that it is the older that calls into the newer.
 */
static uint64_t stack_place(const struct walker *w, size_t number)
{
	if (w->l->frame_link == PLOP_LINK_OBJECT)
		return number;
	if (w->l->frame_link == PLOP_LINK_CFRAME)
		return w->chain->cframe;
	for (uint32_t i = 0; i < w->chain->n; i++) {
		if (w->chain->links[i].skipped)
			return w->chain->links[i].address;
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static bool stack_same(const struct walk_stack *a, const struct walk_stack *b)
{
	if (a->n != b->n || a->truncated != b->truncated)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (a->frames[i].code != b->frames[i].code ||
		    a->frames[i].line != b->frames[i].line)
			return false;
	}
	return true;
}

/* Reads the callers, not the one in use. */
static int join_callers(struct walker *w, struct join *j)
{
	for (size_t i = 1; i < j->n; i++) {
		struct part *p = &j->parts[i];
		int r = walker_stack(w, p->state, NULL, NULL, &p->stack);

		if (r < 0)
			return r == -EFAULT ? -EAGAIN : r;
		p->at = stack_place(w, i);
		if (p->stack.changing || (!p->at && j->n > 2))
			return -EAGAIN;
	}
	if (j->n > 2)
		qsort(&j->parts[1], j->n - 1, sizeof(j->parts[0]), by_place);
	return 0;
}

static int join_make(const struct join *j, struct walk_stack *ret)
{
	struct walk_stack s = { .changing = j->parts[0].stack.changing };
	size_t n = 0;

	for (size_t i = 0; i < j->n; i++)
		n += j->parts[i].stack.n;
	s.frames = calloc(MIN(n, (size_t)PLOP_MAX_DEPTH) + 1, sizeof(*s.frames));
	if (!s.frames)
		return -ENOMEM;
	for (size_t i = 0; i < j->n && !s.truncated; i++) {
		const struct walk_stack *from = &j->parts[i].stack;

		s.truncated = from->truncated || from->n > PLOP_MAX_DEPTH - s.n;
		for (size_t k = 0; k < from->n && s.n < PLOP_MAX_DEPTH; k++) {
			s.frames[s.n] = from->frames[k];
			if (s.frames[s.n].code)
				code_object_ref(s.frames[s.n].code);
			s.n++;
		}
	}
	*ret = s;
	return 0;
}

/*
 * The callers, then the one in use, then the callers again: 0 when they stood still meanwhile, and
 * no other has come.
 */
static int join_try(struct walker *w, const struct walk_states *all, const struct walk_state *of,
		    void (*meanwhile)(void *ctx), void *ctx, struct walk_stack *ret)
{
	_cleanup_(join_done) struct join before = {};
	_cleanup_(join_done) struct join after = {};
	int r = join_states(w, all, of, &before);

	if (r >= 0)
		r = join_callers(w, &before);
	if (r >= 0)
		r = walker_stack(w, before.parts[0].state, meanwhile, ctx, &before.parts[0].stack);
	if (r >= 0)
		r = join_states(w, all, of, &after);
	if (r >= 0)
		r = join_callers(w, &after);
	if (r < 0)
		return r == -EFAULT ? -EAGAIN : r;
	if (before.n != after.n || before.parts[0].state != after.parts[0].state)
		return -EAGAIN;
	for (size_t i = 1; i < before.n; i++) {
		if (before.parts[i].state != after.parts[i].state ||
		    !stack_same(&before.parts[i].stack, &after.parts[i].stack))
			return -EAGAIN;
	}
	return join_make(&before, ret);
}

int walker_thread(struct walker *w, const struct walk_states *all, const struct walk_state *of,
		  void (*meanwhile)(void *ctx), void *ctx, struct walk_stack *ret)
{
	int r = -EAGAIN;

	if (of->nothers < 2)
		return walker_stack(w, of, meanwhile, ctx, ret);
	for (unsigned int i = 0; i < JOIN_TRIES && r == -EAGAIN; i++)
		r = join_try(w, all, of, meanwhile, ctx, ret);
	if (r != -EAGAIN)
		return r;
	/*
	 * goes back and forth: what stays is the stack of the oldest interpreter, which calls into
	 * all others
	 */
	r = walker_stack(w, &all->others[of->others + of->nothers - 1], meanwhile, ctx, ret);
	if (r == 0)
		ret->changing = true;
	return r;
}
