/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * The CPython walk: from the thread pointer to the thread state, from there frame by frame, by the
 * layout of that interpreter. Every loop is a step function with a stated bound, run by LOOP():
 * bpf_loop() where the kernel has it (5.17), a bounded loop elsewhere; the program that includes
 * this says which.
 */
#include "plop.bpf.h"

/* What the loops without bpf_loop() reach. */
#define PLOP_BOUNDED_DEPTH   96 /* frames; a multiple of WALK_STRIDE */
#define PLOP_BOUNDED_THREADS 64

/*
 * Loads of a field at an offset that the layout gives: the mask is what the verifier needs to see.
 */
#define FIELD64(base, off, max) (*(__u64 *)((base) + ((off) & ((max)-1))))
#define FIELD32(base, off, max) (*(__u32 *)((base) + ((off) & ((max)-1))))
#define FIELD8(base, off, max)  (*(__u8 *)((base) + ((off) & ((max)-1))))

enum walk_result {
	WALK_OK = 0,
	WALK_FAULT,
	WALK_CORRUPT,
};

/* What the steps of a loop are given: pointers only; what changes is in s. */
struct walk {
	const struct plop_layout *l;
	struct scratch *s;
	struct plop_half *half;
};

/*
 * Frames of 3.11+ lie side by side in chunks (struct _stack_chunk { previous, size, top, data },
 * Include/internal or cpython/pystate.h), callers below callees, so one copy serves some forty of
 * them. It must not begin below the chunk, where nothing may be mapped.
 *
 * Up to 3.10 a frame is an object, and whoever calls a code object again is given the frame that it
 * had before (co_zombieframe, Objects/frameobject.c): those of a program's different functions lie
 * anywhere, and only in a recursion, whose frames are made one after the other, does each caller
 * lie some hundred bytes below its callee. So a frame that lies that near below the one before it
 * is copied with what is below it in its own page, which is mapped as the frame is. What lies
 * elsewhere is read as before, alone.
 */
#define NEAR_FRAME 1024u
#define PAGE_LEAST 4096u /* no machine has smaller pages */

/*
 * Copies what ends with the frame at f, or only that frame; above: the one that was looked at
 * before, its callee. Returns its place in s->copy, or -1.
 */
static __always_inline long copy_move(struct scratch *s, const struct plop_layout *l, __u64 f,
				      __u64 above)
{
	__u64 header[2], need = l->frame_len, lowest = 0, start, length;
	struct walk_state *k = &s->walk;

	if (need > PLOP_FRAME_MAX)
		return -1;
	if (k->chunk && !(f >= k->chunk && f < k->chunk_end)) {
		/*
		 * the previous chunk: the current one's header names it, the copy that reached it
		 * holds it
		 */
		if (k->from == k->chunk && k->length >= 16) {
			__u64 previous = *(__u64 *)s->copy;

			if (previous && f >= previous &&
			    !bpf_probe_read_user(header, sizeof(header), (void *)previous) &&
			    f - previous < header[1]) {
				k->chunk = previous;
				k->chunk_end = previous + header[1];
			}
		}
	}
	if (k->chunk && f >= k->chunk && f < k->chunk_end)
		lowest = k->chunk;
	else if (!k->chunk && above - f < NEAR_FRAME)
		lowest = f & ~(__u64)(PAGE_LEAST - 1);
	if (lowest) {
		start = f + need - COPY_SIZE;
		if (f + need < lowest + COPY_SIZE)
			start = lowest;
		length = f + need - start;
		if (IS_WITHIN(length, COPY_SIZE)) {
			if (!bpf_probe_read_user(s->copy, length, (void *)start)) {
				k->from = start;
				k->length = length - need;
				return f - start;
			}
			/* nothing is left of the copy that was there */
			k->from = k->length = 0;
		}
	}
	if (bpf_probe_read_user(s->copy + COPY_SIZE, need, (void *)f))
		return -1;
	return COPY_SIZE;
}

/* copy_move() as a function of its own: see walk_frames(). */
__weak __noinline long copy_moved(struct scratch *s, const struct plop_layout *l, __u64 f,
				  __u64 above)
{
	return s && l ? copy_move(s, l, f, above) : -1;
}

/*
 * Puts a frame at place n of the half, and into its stack's hash; false: there is no room, end
 * being the stack's. All frames of all kinds get there by this.
 */
static __always_inline bool frame_put(struct plop_half *half, __u32 n, __u32 end, __u64 *hash,
				      __u64 code, __u32 instr)
{
	struct plop_frame *out;

	if (n >= end || n >= PLOP_HALF_FRAMES)
		return false;
	out = &half->frames[n];
	out->code = code;
	out->instr = instr;
	*hash = ((*hash << 23 | *hash >> 41) ^ (code + ((__u64)instr << 42))) *
		0x9e3779b97f4a7c15ULL;
	return true;
}

/*
 * Walks up to WALK_STRIDE frames: a step of bpf_loop() is an indirect call, and what changes from
 * frame to frame stays in registers within one. Returns 1 when the walk is over, as bpf_loop()
 * wants it.
 */
#define WALK_STRIDE 4
#define WALK_STEPS  (2 * PLOP_MAX_DEPTH / WALK_STRIDE)

/*
 * pause: NULL, or a constant: whether the walk, which w is the first member of, has to stop before
 * the frame at f, of which p is a copy and code the code object. The next step then begins with
 * that frame.
 */
typedef bool (*walk_pause_t)(struct walk *w, __u64 f, __u8 *p, __u64 code);

static __always_inline long walk_frames(__u32 i, struct walk *w, walk_pause_t pause, bool calls)
{
	const struct plop_layout *l = w->l;
	struct walk_state *k = &w->s->walk;
	__u32 off_previous = l->frame_previous & (PLOP_FRAME_MAX - 1);
	__u32 off_code = l->frame_code & (PLOP_FRAME_MAX - 1);
	__u32 off_instr = l->frame_instr & (PLOP_FRAME_MAX - 1);
	__u32 off_owner = l->frame_owner & (PLOP_FRAME_MAX - 1);
	__u64 f = k->frame, hash = k->hash, from = k->from, length = k->length, mark = k->mark;
	__u64 above = k->above;
	__u32 n = k->base + k->depth, end = k->end, step = i * WALK_STRIDE;
	long over = 0;

	for (__u32 j = 0; j < WALK_STRIDE; j++) {
		__u64 code, here = f, at = f - from;
		__u32 instr;
		__u8 *p;

		if (!f) {
			over = 1;
			break;
		}
		/*
		 * a chain that comes back to where it was at the last power of two of steps goes
		 * round for ever
		 */
		if (f == mark) {
			k->result = WALK_CORRUPT;
			over = 1;
			break;
		}
		if (!(step & (step - 1)))
			mark = f;
		step++;
		if (at > length) {
			long moved = calls ? copy_moved(w->s, l, f, above) :
					     copy_move(w->s, l, f, above);

			if (moved < 0) {
				k->result = WALK_FAULT;
				over = 1;
				break;
			}
			at = moved;
			from = k->from;
			length = k->length;
		}
		if (at > COPY_SIZE)
			return 1;
		p = w->s->copy + at;
		above = here;
		f = *(__u64 *)(p + off_previous);
		if (off_owner && p[off_owner] >= l->frame_owner_skip)
			continue;
		code = *(__u64 *)(p + off_code) & ~(__u64)l->frame_tag_mask;
		if (!plop_frame_is_python(code)) {
			k->result = WALK_CORRUPT;
			over = 1;
			break;
		}
		if (pause && pause(w, here, p, code)) {
			f = here;
			over = 1;
			break;
		}
		if (l->frame_link == PLOP_LINK_OBJECT)
			instr = *(__u32 *)(p + off_instr) * l->frame_lasti_unit;
		else
			instr = *(__u64 *)(p + off_instr) - code;
		if (!frame_put(w->half, n, end, &hash, code, instr)) {
			k->truncated = 1;
			over = 1;
			break;
		}
		n++;
	}
	k->frame = f;
	k->above = above;
	k->mark = mark;
	k->hash = hash;
	k->depth = n - k->base;
	return over;
}

static long walk_step(__u32 i, struct walk *w)
{
	return walk_frames(i, w, NULL, true);
}

static __always_inline void thread_remember(__u64 key, __u64 state)
{
	__u32 n = PLOP_THREAD_BUCKET(key), way;
	struct plop_thread_bucket *b;

	b = bpf_map_lookup_elem(&threads, &n);
	if (!b)
		return;
	way = PLOP_THREAD_WAY(key);
#pragma unroll
	for (int i = 0; i < PLOP_THREAD_WAYS; i++) {
		if (b->key[i] == key || b->key[i] == 0) {
			way = i;
			break;
		}
	}
	way &= PLOP_THREAD_WAYS - 1;
	b->key[way] = key;
	b->state[way] = state;
}

/* What is remembered: 0 nothing, odd a "there is none", else an address. */
static __always_inline __u64 thread_recall(__u64 key)
{
	__u32 n = PLOP_THREAD_BUCKET(key);
	struct plop_thread_bucket *b;

	b = bpf_map_lookup_elem(&threads, &n);
	if (!b)
		return 0;
#pragma unroll
	for (int i = 0; i < PLOP_THREAD_WAYS; i++) {
		if (b->key[i] == key)
			return b->state[i];
	}
	return 0;
}

/* Reads the head of a thread state into s->ts. */
static __always_inline long thread_read(const struct plop_layout *l, struct scratch *s, __u64 ts)
{
	__u32 length = l->ts_len;

	if (length == 0 || length > PLOP_TS_MAX)
		return -1;
	return bpf_probe_read_user(s->ts, length, (void *)ts);
}

/* Where the innermost frame of the thread state in s->ts is; 0: it executes no Python function. */
static __always_inline long frame_current(const struct plop_layout *l, struct scratch *s,
					  __u64 *ret)
{
	__u64 frame = FIELD64(s->ts, l->ts_frame, PLOP_TS_MAX);

	if (l->frame_link == PLOP_LINK_CFRAME && frame &&
	    bpf_probe_read_user(&frame, sizeof(frame), (void *)(frame + l->cframe_current)))
		return -1;
	*ret = frame;
	return 0;
}

/*
 * Whether the thread state in s->ts is the one that its thread has in use, as far as that can be
 * told.
 */
static __always_inline bool thread_bound(const struct plop_layout *l, struct scratch *s)
{
	return !l->ts_status || FIELD32(s->ts, l->ts_status, PLOP_TS_MAX) & PLOP_TS_BOUND;
}

/* Goes on to the thread states of the next interpreter; 1: there is none. */
static __always_inline long search_list(struct walk *w)
{
	struct search_state *q = &w->s->search;
	__u64 interp = q->interp;

	if (!interp)
		return 1;
	if (bpf_probe_read_user(&q->ts, sizeof(q->ts),
				(void *)(interp + w->l->interp_threads_head)) ||
	    bpf_probe_read_user(&q->interp, sizeof(q->interp),
				(void *)(interp + w->l->interp_next))) {
		q->result = WALK_FAULT;
		return 1;
	}
	return 0;
}

/*
 * A thread state as it is remembered; the first interpreter is at the end of the list, so what
 * comes before another is not its.
 */
static __always_inline __u64 search_mark(const struct search_state *q)
{
	return q->ts | (q->interp ? PLOP_THREAD_SUB : 0);
}

/*
 * One step of the search for a thread state through all interpreters of the process. A thread has a
 * state in each interpreter that it entered: the one in use is wanted. Where that cannot be told
 * (before 3.12) the first one that executes something: newer interpreters come first, and it is the
 * older that calls into the newer.
 */
static long search_step(__u32 i, struct walk *w)
{
	const struct plop_layout *l = w->l;
	struct search_state *q = &w->s->search;
	__u64 id;

	if (!q->ts)
		return search_list(w);
	if (thread_read(l, w->s, q->ts)) {
		q->result = WALK_FAULT;
		return 1;
	}
	id = FIELD64(w->s->ts, l->ts_thread_id, PLOP_TS_MAX);
	if (l->ts_status ? thread_bound(l, w->s) : id != q->thread)
		thread_remember(PLOP_THREAD_KEY(q->image, id), search_mark(q));
	if (id == q->thread) {
		__u64 frame = 0;

		if (!q->found) {
			q->found = q->ts;
			q->sub = q->interp != 0;
		}
		frame_current(l, w->s, &frame);
		if (l->ts_status ? thread_bound(l, w->s) : frame != 0) {
			q->found = q->ts;
			q->sub = q->interp != 0;
			thread_remember(PLOP_THREAD_KEY(q->image, id), search_mark(q));
			return 1;
		}
	}
	q->ts = FIELD64(w->s->ts, l->ts_next, PLOP_TS_MAX);
	return 0;
}
