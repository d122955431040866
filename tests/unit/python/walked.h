/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A target whose stacks are walked, for check_walk.c and check_join.c. */
#include <check.h>

#include "plop/limits.h"
#include "proc/process.h"
#include "python/walk.h"

/*
 * A target's memory: a runtime, interpreters, thread states, frames, code objects; everything at a
 * place of its own.
 */
#define BASE      0x7f0000000000ull
#define RUNTIME   (BASE + 0x100)
#define INTERP(n) (BASE + 0x1000 + (n)*0x400)
#define STATE(n)  (BASE + 0x4000 + (n)*0x400)
#define CFRAME(n) (STATE(n) + 0x300)
#define FRAME(n)  (BASE + 0x8000 + (n)*0x100)
#define CODE(n)   (BASE + 0x10000 + (n)*0x800)
#define RECORD(n) (BASE + 0x18000 + (n)*0x800)
#define DEEP(n)   (BASE + 0x20000 + (n)*0x80)
#define SIZE      0x80000

struct target {
	uint8_t memory[SIZE];
	struct reader_bytes bytes;
	struct reader plain, r;
	struct plop_layout l;
	unsigned int reads;
	void (*change)(struct target *t); /* called before each read */
	struct walker *w;
	unsigned int looks;
};

static inline void put(struct target *t, uint64_t address, uint64_t v, size_t size)
{
	memcpy(t->memory + (address - BASE), &v, size);
}

static inline int changing_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct target *t = ctx;

	t->reads++;
	if (t->change)
		t->change(t);
	return reader_read(&t->plain, address, buffer, size);
}

static inline void put_ascii(struct target *t, uint64_t address, const char *s)
{
	put(t, address + 8, 0x5555, 8);
	put(t, address + t->l.str_length, strlen(s), 8);
	put(t, address + t->l.str_state,
	    t->l.str_state_set ? 1 : 1u << t->l.str_kind_shift | 3u << (t->l.str_kind_shift + 3),
	    4);
	memcpy(t->memory + (address - BASE) + t->l.str_ascii_data, s, strlen(s));
}

/* A function on line 30, whose first ten code units are on line 31. */
static inline void put_code(struct target *t, unsigned int n, const char *name)
{
	const uint64_t file_at = CODE(n) + 0x200, name_at = CODE(n) + 0x400,
		       table_at = CODE(n) + 0x600;

	put(t, CODE(n) + 8, 0x4444, 8);
	put(t, CODE(n) + t->l.code_argcount, 2, 4);
	put(t, CODE(n) + t->l.code_firstlineno, 30, 4);
	put(t, CODE(n) + t->l.code_filename, file_at, 8);
	put(t, CODE(n) + t->l.code_name, name_at, 8);
	if (t->l.code_qualname)
		put(t, CODE(n) + t->l.code_qualname, name_at, 8);
	put(t, CODE(n) + t->l.code_linetable, table_at, 8);
	put_ascii(t, file_at, "/srv/app.py");
	put_ascii(t, name_at, name);
	put(t, table_at + t->l.bytes_size, 4, 8);
	/*
	 * 3.11: two entries of one and of eight units, "line + 1", then "no line"; lnotab: at 0 one
	 * line on, at 200 another
	 */
	put(t, table_at + t->l.bytes_data, t->l.version >= 0x030b ? 0xffff00dfu : 0x01c80100u, 4);
}

static inline void put_frame(struct target *t, unsigned int n, unsigned int code, uint64_t previous)
{
	const struct plop_layout *l = &t->l;

	put(t, FRAME(n) + l->frame_previous, previous, 8);
	put(t, FRAME(n) + l->frame_code, CODE(code), 8);
	if (l->frame_link == PLOP_LINK_OBJECT) {
		put(t, FRAME(n), 1, 8); /* ob_refcnt */
		put(t, FRAME(n) + l->frame_instr, 2, 4);
	} else {
		put(t, FRAME(n) + l->frame_instr, CODE(code) + l->code_bytecode + 2, 8);
	}
	if (l->frame_owner)
		put(t, FRAME(n) + l->frame_owner, 0, 1);
}

static inline void put_current(struct target *t, unsigned int state, uint64_t frame)
{
	if (t->l.frame_link == PLOP_LINK_CFRAME) {
		put(t, STATE(state) + t->l.ts_frame, frame ? CFRAME(state) : 0, 8);
		put(t, CFRAME(state) + t->l.cframe_current, frame, 8);
	} else {
		put(t, STATE(state) + t->l.ts_frame, frame, 8);
	}
}

static inline void put_state(struct target *t, unsigned int n, unsigned int interp, uint64_t next,
			     uint64_t thread)
{
	const struct plop_layout *l = &t->l;

	put(t, STATE(n) + l->ts_next, next, 8);
	put(t, STATE(n) + l->ts_next + 8, INTERP(interp), 8);
	put(t, STATE(n) + l->ts_thread_id, thread, 8);
	if (l->ts_native_id)
		put(t, STATE(n) + l->ts_native_id, 100 + n, 8);
	if (l->ts_status)
		put(t, STATE(n) + l->ts_status, PLOP_TS_BOUND, 4);
	put_current(t, n, 0);
}

/*
 * One interpreter with two threads. Thread 0 is in leaf, called by root; from 3.12 on there is an
 * interpreter's own frame at the end. Thread 1 runs nothing.
 */
static inline void setup(struct target *t, uint32_t hexversion)
{
	memset(t, 0, sizeof(*t));
	t->bytes = (struct reader_bytes){ .data = t->memory, .size = SIZE, .base = BASE };
	t->plain = bytes_reader(&t->bytes);
	t->r = (struct reader){ .read = changing_read, .ctx = t };
	ck_assert_int_eq(layout_by_version(hexversion, &t->l), 0);
	put(t, RUNTIME + t->l.runtime_interpreters_head, INTERP(0), 8);
	put(t, INTERP(0) + t->l.interp_threads_head, STATE(1), 8);
	put_state(t, 1, 0, STATE(0), RECORD(1));
	put_state(t, 0, 0, 0, RECORD(0));
	put_code(t, 0, "root");
	put_code(t, 1, "leaf");
	put_code(t, 2, "other");
	put_frame(t, 0, 0, 0);
	if (t->l.version >= 0x030c) {
		put_frame(t, 0, 0, FRAME(9));
		put_frame(t, 9, 0, 0);
		put(t, FRAME(9) + t->l.frame_owner, t->l.frame_owner_skip, 1);
	}
	put_frame(t, 1, 1, FRAME(0));
	put_current(t, 0, FRAME(1));
	ck_assert_int_eq(walker_new(&t->r, &t->l, RUNTIME, &t->w), 0);
}

static inline void teardown(struct target *t)
{
	walker_free(t->w);
}

static const uint32_t versions[] = { 0x020712f0, 0x03060ff0, 0x030800f0,
				     0x030a00f0, 0x030b00f0, 0x030c00f0 };

static inline void look(void *ctx)
{
	((struct target *)ctx)->looks++;
}

static inline struct walk_stack stack_of(struct target *t, unsigned int state)
{
	const struct walk_state s = { .address = STATE(state) };
	struct walk_stack stack = {};

	ck_assert_int_eq(walker_stack(t->w, &s, look, t, &stack), 0);
	return stack;
}
