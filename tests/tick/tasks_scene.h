/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A made-up process with asyncio's tasks, and what a tick has to make of it. */
#include "scene.h"
#include "tasks.h"

#define DEPTH 5
#define ABOVE 2

static struct tasks t;

/* All layouts whose tasks plop knows. */
#define EACH_ASYNC                                                                                 \
	for (struct plop_async known, *one = &known; one; one = NULL)                              \
		for (struct each each = { 0 }; (each.name = made_layout(each.i, &each.l)) != NULL; \
		     each.i++)                                                                     \
			if (tasks_layout(&each.l, &known))

/*
 * State 0 is idle, and plopd wants to know of tasks: of a recording's channel. The coroutines 0 and
 * 1 are task 0's.
 */
static inline void begin(const struct plop_layout *l, const struct plop_async *a, const char *name)
{
	setup(l, 0);
	m.next_chunk = m.next_entry = 0;
	if (a) {
		tasks_new(&t, &m, a);
		tasks_coro(&t, 1, MADE_COROUTINE, 0);
		tasks_coro(&t, 0, MADE_COROUTINE, MADE_CORO(1));
		tasks_task(&t, 0, 0, name);
		*tick_async(1) = *a;
		tick_process(TICK_TGID)->async = 1;
	}
	*tick_channel(1) =
		(struct plop_channel){ .kind = PLOP_CHANNEL_ALL, .part = PLOP_PART_TRUSTED };
	plop_trusted = 1;
}

static inline struct tick_result tick_tasks(void)
{
	return tick_once_set(1, plop_tick_async);
}

/* The frames as they are expected, innermost first. */
static __u64 expected[PLOP_MAX_DEPTH];
static unsigned int nexpected;

static inline void expect(__u64 code)
{
	ck_assert_uint_lt(nexpected, ARRAY_SIZE(expected));
	expected[nexpected++] = code;
}

static inline void expect_coro(unsigned int n)
{
	expect(MADE_CODE(tasks_code_of(n)));
}

/* What task 0 runs: functions, and its two coroutines. */
static inline void expect_running(void)
{
	nexpected = 0;
	for (unsigned int i = ABOVE; i > 0; i--)
		expect(MADE_CODE(20 + i - 1));
	expect_coro(1);
	expect_coro(0);
}

static inline void expect_rest(void)
{
	for (unsigned int i = DEPTH; i > 0; i--)
		expect(MADE_CODE(made_code_of(i - 1)));
}

#define UNNAMED PLOP_SYNTHETIC(PLOP_SYNTHETIC_TASK, 0)
#define MORE    PLOP_SYNTHETIC(PLOP_SYNTHETIC_MORE, 0)

/* A tick shows just these; 0 in place of a name's. */
static inline struct tick_result ticks_as_expected(const char *layout)
{
	struct tick_result r = tick_tasks();

	ck_assert_msg(r.lost == -1 && !r.other && r.stack, "%s: lost %ld", layout, r.lost);
	ck_assert_msg(r.stack->depth == nexpected, "%s: %u frames, not %u", layout, r.stack->depth,
		      nexpected);
	for (unsigned int i = 0; i < nexpected; i++) {
		__u64 code = r.frames[i].code;

		if (expected[i] == 0)
			ck_assert_uint_eq(PLOP_SYNTHETIC_WHAT(code), PLOP_SYNTHETIC_NAMED);
		ck_assert_uint_eq(PLOP_FRAME_TAG(code),
				  expected[i] && plop_frame_is_python(expected[i]) ?
					  PLOP_FRAME_TAG(expected[i]) :
					  PLOP_FRAME_TAG_SYNTHETIC);
		ck_assert_msg(!expected[i] || code == expected[i], "%s: frame %u is %llx, not %llx",
			      layout, i, code, expected[i]);
		if (plop_frame_is_python(code))
			ck_assert_uint_eq(r.frames[i].instr, made_instr_of(&m));
	}
	return r;
}

/*
 * Task i + 1 awaits task i, by so many coroutines as are said, the first of which is number 2 * i +
 * 2.
 */
static inline void awaiters(unsigned int n, unsigned int coros)
{
	for (unsigned int i = 0; i < n; i++) {
		unsigned int c = 2 * (i + 1);

		if (coros == 2)
			tasks_coro(&t, c + 1, MADE_COROUTINE, MADE_TASK(i));
		tasks_coro(&t, c, MADE_COROUTINE, coros == 2 ? MADE_CORO(c + 1) : MADE_TASK(i));
		tasks_task(&t, i + 1, c, NULL);
		tasks_awaited(&t, i, i + 1);
	}
}
