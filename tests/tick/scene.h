/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the tests of this folder begin with: a made-up process, and ticks on it. */
#include "check_main.h"
#include "made.h"
#include "python/python.h"
#include "ticked.h"

#define MS 1000000ull

static struct made m;

/*
 * An interpreter with three threads: 0 is in a stack of depth functions and has the GIL, 1 and 2
 * run nothing.
 */
static inline void setup(const struct plop_layout *l, unsigned int depth)
{
	made_new(&m, l);
	for (unsigned int i = 0; i < 3; i++)
		made_state(&m, i, 0, i);
	made_stack(&m, 0, depth);
	made_gil(&m, 0);
	tick_begin(&m.r, l, MADE_RUNTIME);
	tick_thread(TICK_TGID, MADE_THREAD(0));
}

/* A tick that may be of anything. */
static inline void tick(void)
{
	struct bpf_perf_event_data ctx = {};
	const char *broken;

	plop_tick(&ctx);
	broken = tick_broken();
	ck_assert_msg(!broken, "%s", broken);
}

/*
 * Thread 7 is in one interpreter, which was called from a second, that from a third, the first one
 * that there was.
 */
static inline void setup_nested(const struct plop_layout *l, unsigned int interpreters)
{
	setup(l, 5);
	for (unsigned int i = 1; i < interpreters; i++)
		made_interp(&m, i);
	/* inner ones lie at lower addresses of the C stack */
	for (unsigned int i = 0; i < interpreters; i++) {
		made_state(&m, 3 + i, interpreters - 1 - i, 7);
		made_stack(&m, 3 + i, 2 + i);
		made_status(&m, 3 + i, i == 0, i == 0);
	}
	made_gil(&m, 3);
	tick_thread(TICK_TGID + 7, MADE_THREAD(7));
}

/* Numbers that look like chance, and are the same in each run: dice is set by the test. */
static uint64_t dice;

static inline uint32_t roll(uint32_t n)
{
	dice = dice * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(dice >> 33) % n;
}

/*
 * Puts something where it does not belong: here and there a byte, or a pointer, which may lead
 * somewhere.
 */
static inline void spoil(struct made *t)
{
	uint64_t at = roll(4) ? MADE_STATE(0) + roll(0x6000) : MADE_BASE + roll(MADE_SIZE - 8);

	if (roll(2))
		made_put(t, at, roll(256), 1);
	else
		made_put(t, at & ~7ull, MADE_BASE + roll(MADE_SIZE), 8);
}

/* All layouts, one after the other. */
struct each {
	size_t i;
	const char *name;
	struct plop_layout l;
};
#define EACH_LAYOUT \
	for (struct each each = { 0 }; (each.name = made_layout(each.i, &each.l)) != NULL; each.i++)

/* That number's layout alone. */
static inline struct plop_layout layout_of(uint16_t version)
{
	EACH_LAYOUT
	{
		if (each.l.version == version)
			return each.l;
	}
	ck_abort_msg("no layout of %x", version);
}

/*
 * The n frames from r's number at on are those of a stack of depth functions, from its innermost
 * on.
 */
static inline void expect_part(const struct tick_result *r, unsigned int at, unsigned int depth,
			       unsigned int n)
{
	ck_assert_uint_ge(r->stack->depth, at + n);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int code = made_code_of(depth - 1 - i);

		ck_assert_uint_eq(r->frames[at + i].code, MADE_CODE(code));
		ck_assert_uint_eq(r->frames[at + i].instr, made_instr_of(&m));
		ck_assert_uint_ne(r->frames[at + i].fingerprint, 0);
	}
}

/* A stack of depth functions, of which the n innermost are shown. */
static inline void expect_frames(const struct tick_result *r, unsigned int depth, unsigned int n)
{
	ck_assert_int_eq(r->lost, -1);
	ck_assert(!r->other && r->stack);
	ck_assert_uint_eq(r->stack->depth, n);
	expect_part(r, 0, depth, n);
}

/* A stack without frames, for that reason. */
static inline void expect_none(const struct tick_result *r, unsigned int reason)
{
	ck_assert_int_eq(r->lost, -1);
	ck_assert(r->stack && r->stack->depth == 0);
	ck_assert_uint_eq(r->stack->flags & 0xffu, reason);
}

/* How many records of that type there are in the ring buffer. */
static inline unsigned int records_of(__u32 type)
{
	unsigned int n = 0;

	for (size_t i = 0; i < kernel_records(); i++) {
		const struct plop_record *r = kernel_record(i).data;

		n += r->type == type;
	}
	return n;
}
