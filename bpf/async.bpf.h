/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * The walk of a thread that may run an asyncio task: the thread's own frames, with the task's name
 * and the coroutines of those that await it put between (plop/async.h). In programs of its own,
 * which are loaded only for recordings that ask for it. Nothing is guessed: a task is believed only
 * if its coroutine's frame is on the stack that was walked, one that awaits only if it says of
 * itself what it awaits, or the awaited one says so of it.
 */
#include "awaits.bpf.h"

/* Names that were sent of late: plop_mix(image ^ code), its low bits replaced by when. */
#define NAMES_SENT    4096
#define NAME_SENT_FOR 8 /* seconds, after which it is sent again: plopd may have forgotten it */

/* Digits of a name that asyncio gives: its counter has 64 bits. */
#define DEFAULT_DIGITS 20

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NAMES_SENT);
	__type(key, __u32);
	__type(value, __u64);
} async_names SEC(".maps") __weak;

/* Whether the last frame met is that of a coroutine. */
static __always_inline bool is_coroutine(struct walk_async *y)
{
	__u32 flags = 0;

	if (y->s->inner)
		bpf_probe_read_user(&flags, sizeof(flags),
				    (void *)(y->s->inner_code + y->a->code_flags));
	return flags & CODE_IS_COROUTINE;
}

/* walk_pause_t of a walk that looks for the outermost frame of a task's coroutine. */
static __always_inline bool async_pauses(struct walk *w, __u64 f, __u8 *p, __u64 code)
{
	struct walk_async *y = (struct walk_async *)w;
	struct async_scratch *s = y->s;
	__u8 owner = p[y->w.l->frame_owner & (PLOP_FRAME_MAX - 1)];

	if (y->a->ts_running) {
		if (s->passed) {
			s->paused = 1;
			/* once is enough */
			s->passed = s->until = 0;
			return true;
		}
		if (f == s->until && owner == OWNER_GENERATOR)
			s->passed = 1;
		return false;
	}
	if (s->paused || s->barred)
		return false;
	if (owner == OWNER_GENERATOR) {
		/* nearly all await: so that is asked first */
		if (s->inner && y->a->await_ops[0] &&
		    !is_awaiting(y->a, FIELD64(p, y->w.l->frame_instr, PLOP_FRAME_MAX)) &&
		    is_coroutine(y))
			s->barred = 1;
		s->inner = f;
		s->inner_code = code;
		return false;
	}
	/* none, or a generator that a function goes through */
	if (!is_coroutine(y)) {
		s->inner = 0;
		return false;
	}
	s->paused = 1;
	return true;
}

static long walk_async_step(__u32 i, struct walk_async *y)
{
	return walk_frames(i, &y->w, async_pauses, true);
}

/* Adds a frame to those of the walk. */
static __always_inline void async_put(struct walk_async *y, __u64 code, __u32 instr)
{
	struct walk_state *k = &y->w.s->walk;

	if (frame_put(y->w.half, k->base + k->depth, k->end, &k->hash, code, instr))
		k->depth++;
	else
		y->s->failed = 1;
}

static __always_inline void synthetic_put(struct walk_async *y, __u32 what, __u64 number)
{
	async_put(y, PLOP_SYNTHETIC(what, number), 0);
}

/* Sends a name, which lies in s->name, unless it was sent of late. */
static __always_inline void name_send(struct walk_async *y, __u64 code, __u64 length, __u32 state,
				      __u32 bytes)
{
	struct plop_record_task *r = (void *)y->s->record;
	__u64 key = plop_mix(y->w.s->identify.image ^ code) & ~(__u64)PLOP_SECONDS_MASK, *sent;
	__u32 slot = key >> 40 & (NAMES_SENT - 1), now = y->w.s->identify.now & PLOP_SECONDS_MASK;

	sent = bpf_map_lookup_elem(&async_names, &slot);
	if (!sent || ((*sent & ~(__u64)PLOP_SECONDS_MASK) == key &&
		      ((now - (__u32)*sent) & PLOP_SECONDS_MASK) < NAME_SENT_FOR))
		return;
	r->head.type = PLOP_RECORD_TASK;
	r->head.tgid = y->w.s->identify.tgid;
	r->head.image = y->w.s->identify.image;
	r->code = code;
	r->length = length;
	r->state = state;
	r->bytes = bytes;
	__builtin_memcpy(r->data, y->s->name, PLOP_CAPTURE_TASK);
	if (records_room() &&
	    !bpf_ringbuf_output(&records, r, sizeof(*r) + PLOP_CAPTURE_TASK, BPF_RB_NO_WAKEUP))
		*sent = key | now;
}

/*
 * Whether s->name, of one byte for each character, is "Task-" and a number, the name that asyncio
 * gives to a task (Task.__init__ of Lib/asyncio/tasks.py). There is one for each task, so it tells
 * nothing, and would make a stack of its own for each.
 */
static __always_inline bool is_default_name(struct async_scratch *s, __u64 length)
{
	const char *c = (const char *)s->name;

	if (length <= 5 || length > 5 + DEFAULT_DIGITS ||
	    (s->name[0] & 0xffffffffffULL) != 0x2d6b736154ULL)
		return false;
	for (__u32 i = 5; i < 5 + DEFAULT_DIGITS; i++)
		if (i < length && (c[i] < '0' || c[i] > '9'))
			return false;
	return true;
}

/* The frame of a task whose name is a str: stands for the name, whichever object has it. */
static __always_inline void name_put(struct walk_async *y, __u64 str)
{
	const struct plop_layout *l = y->w.l;
	__u64 length = 0, n, h, code;
	__u32 state = 0, ascii;

	if (bpf_probe_read_user(&length, sizeof(length), (void *)(str + l->str_length)) ||
	    bpf_probe_read_user(&state, sizeof(state), (void *)(str + l->str_state))) {
		synthetic_put(y, PLOP_SYNTHETIC_TASK, 0);
		return;
	}
	/* what is in the word besides kind, compact and ascii changes while the string lives */
	state &= 0x1fU << l->str_kind_shift;
	ascii = plop_str_is_ascii(l, state);
	n = length * plop_str_kind(l, state);
	if (length > PLOP_CAPTURE_TASK || n > PLOP_CAPTURE_TASK)
		n = PLOP_CAPTURE_TASK;
	__builtin_memset(y->s->name, 0, sizeof(y->s->name));
	if (n && bpf_probe_read_user(y->s->name, n, (void *)(str + plop_str_data(l, ascii)))) {
		synthetic_put(y, PLOP_SYNTHETIC_TASK, 0);
		return;
	}
	if (n == length && is_default_name(y->s, length)) {
		synthetic_put(y, PLOP_SYNTHETIC_TASK, 0);
		return;
	}
	h = plop_fingerprint_add(length + ((__u64)state << 32), y->s->name, PLOP_CAPTURE_TASK / 8);
	code = PLOP_SYNTHETIC(PLOP_SYNTHETIC_NAMED, plop_mix(h));
	name_send(y, code, length, state, n);
	async_put(y, code, 0);
}

static __always_inline void task_put(struct walk_async *y, __u64 task)
{
	const struct plop_async *a = y->a;
	__u64 name = pointer_read(task + a->task_name), type;

	type = pointer_read(name + a->object_type);
	/*
	 * a number: nobody has named the task, or asked for its name (Modules/_asynciomodule.c,
	 * 3.12 and later)
	 */
	if (pointer_read(type + a->type_flags) & TYPE_IS_STR)
		name_put(y, name);
	else
		synthetic_put(y, PLOP_SYNTHETIC_TASK, 0);
}

/*
 * The frames of an awaiting task are found from the outermost on, and needed the other way round.
 */
static long chain_put(__u32 i, struct walk_async *y)
{
	struct async_scratch *s = y->s;
	__u32 n = s->nchain - 1 - i;

	if (n >= PLOP_ASYNC_FRAMES)
		return 1;
	async_put(y, s->chain[n].code, s->chain[n].instr);
	return 0;
}

/* Goes on to what awaits the task that was put last; 1: there is nothing more. */
static __always_inline long hop(struct walk_async *y)
{
	const struct plop_async *a = y->a;
	struct async_scratch *s = y->s;
	__u64 by, several = 0;
	__u8 is_task = 1;

	by = a->ts_running ? awaiter(y, &several) : awaiter_called(y, &several);
	if (several) {
		synthetic_put(y, PLOP_SYNTHETIC_SEVERAL, several);
		return 1;
	}
	/* who awaits what runs does not run itself: this would go round */
	if (!by || by == s->running)
		return 1;
	if (++s->hops > PLOP_ASYNC_TASKS) {
		synthetic_put(y, PLOP_SYNTHETIC_MORE, 0);
		return 1;
	}
	if (a->is_task &&
	    (bpf_probe_read_user(&is_task, sizeof(is_task), (void *)(by + a->is_task)) ||
	     is_task > 1))
		return 1;
	s->fut = by;
	if (!is_task)
		return 0;
	s->task = by;
	s->nchain = 0;
	s->object = pointer_read(by + a->task_coro);
	return s->object == 0;
}

static long async_step(__u32 i, struct walk_async *y)
{
	struct async_scratch *s = y->s;

	if (s->failed)
		return 1;
	if (!s->task)
		return hop(y);
	if (s->object)
		chain_step(y);
	if (s->object && s->nchain < PLOP_ASYNC_FRAMES)
		return 0;
	if (s->object)
		synthetic_put(y, PLOP_SYNTHETIC_MORE, 0);
	bpf_loop(s->nchain, chain_put, y, 0);
	task_put(y, s->task);
	s->task = s->object = 0;
	return 0;
}

/*
 * Puts the task, which is known, and all that await it behind what was walked of the stack, as far
 * as there is room.
 */
static __always_inline void tasks_put(struct walk_async *y)
{
	struct walk_state *k = &y->w.s->walk;
	struct async_scratch *s = y->s;
	__u64 hash;
	__u32 depth;

	s->failed = 0;
	task_put(y, s->running);
	if (s->failed)
		return;
	hash = k->hash;
	depth = k->depth;
	s->fut = s->running;
	s->task = s->object = 0;
	s->hops = 0;
	bpf_loop(PLOP_ASYNC_TASKS * (2 * PLOP_ASYNC_FRAMES + 2), async_step, y, 0);
	if (s->failed || s->task) {
		k->hash = hash;
		k->depth = depth;
		synthetic_put(y, PLOP_SYNTHETIC_MORE, 0);
	}
}

/*
 * Walks the thread that python_tick() has found, with its task; async: plop_process.async. The
 * outcome is as that of walk_step(). A function of its own for the verifier, which would follow
 * each way to it through all of it; so it looks everything up anew.
 */
__weak __noinline int async_walk(__u32 async)
{
	__u32 n = bpf_get_smp_processor_id(), layout;
	struct plop_cpu *cpu = bpf_map_lookup_elem(&cpus, &n);
	struct walk_async y = { .w.s = bpf_map_lookup_elem(&scratch, &n),
				.s = bpf_map_lookup_elem(&async_scratch, &n),
				.a = bpf_map_lookup_elem(&asyncs, &async) };
	struct async_scratch *s = y.s;
	struct identify_state *q;
	struct walk_state *k;

	if (!cpu || !y.w.s || !s || !y.a)
		return 0;
	k = &y.w.s->walk;
	q = &y.w.s->identify;
	layout = q->layout;
	y.w.l = bpf_map_lookup_elem(&layouts, &layout);
	y.w.half = &cpu->half[q->half & 1];
	if (!y.w.l)
		return 0;
	s->running = s->until = s->inner = 0;
	s->passed = s->paused = s->barred = 0;
	if (y.a->ts_running) {
		s->running = pointer_read(cpu->last_state + y.a->ts_running);
		if (s->running)
			s->until = pointer_read(s->running + y.a->task_coro) + y.a->gen_frame;
	}
	bpf_loop(WALK_STEPS, walk_async_step, &y, 0);
	if (!y.a->ts_running && s->paused)
		s->running = task_called(&y);
	/* passed: the coroutine is the root of the stack */
	if (k->result == WALK_OK && s->running && (s->paused || s->passed))
		tasks_put(&y);
	if (s->paused) {
		k->mark = 0;
		bpf_loop(WALK_STEPS, walk_async_step, &y, 0);
	}
	return 0;
}
