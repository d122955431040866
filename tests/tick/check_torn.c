/* SPDX-License-Identifier: BSD-2-Clause */
/* asyncio's tasks that are not to be believed, or not whole: torn, freed, without room. */
#include "tasks_scene.h"

/* A task is believed only if its coroutine is on the stack. */
START_TEST(tasks_that_are_not_on_the_stack)
{
	EACH_ASYNC
	{
		begin(&each.l, &known, "lost");
		tasks_coro(&t, 9, MADE_COROUTINE, 0);
		tasks_task(&t, 3, 9, "elsewhere");
		/* task 0's coroutines run; the thread, or the event loop, says it is task 3 */
		tasks_run(&t, 3, 0, 2, DEPTH, ABOVE);
		expect_running();
		expect_rest();
		ticks_as_expected(each.name);
		/* no coroutine at all */
		begin(&each.l, &known, "lost");
		tasks_run(&t, 0, 0, 0, DEPTH, ABOVE);
		nexpected = 0;
		expect(MADE_CODE(21));
		expect(MADE_CODE(20));
		expect_rest();
		ticks_as_expected(each.name);
		/* nothing is said of a task */
		begin(&each.l, &known, "lost");
		tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
		if (known.ts_running)
			made_put(&m, MADE_STATE(0) + known.ts_running, 0, 8);
		else
			made_put(&m, MADE_HANDLE + known.handle_callback, 0, 8);
		expect_running();
		expect_rest();
		ticks_as_expected(each.name);
		ck_assert_uint_eq(records_of(PLOP_RECORD_TASK), 0);
	}
}
END_TEST

/* A scene with all of it. */
static void begin_all(const struct plop_layout *l, const struct plop_async *a)
{
	begin(l, a, "all");
	awaiters(6, 2);
	tasks_awaited_by(&t, 3, 4, 1 + roll(3));
	tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
}

/* The frames that the thread has itself are there, in their order, whatever is between them. */
static void expect_own(const struct tick_result *r)
{
	unsigned int found = 0;

	expect_running();
	expect_rest();
	for (unsigned int i = 0; i < r->stack->depth && found < nexpected; i++)
		found += r->frames[i].code == expected[found];
	ck_assert_uint_eq(found, nexpected);
}

/* Part of what is of tasks is freed: not mapped any more. */
START_TEST(memory_that_is_freed)
{
	EACH_ASYNC
	{
		for (uint64_t at = MADE_TASKS; at < MADE_TASK(7); at += 0x80) {
			struct tick_result r;

			dice = at;
			begin_all(&each.l, &known);
			m.hole = at;
			m.hole_end = at + (roll(2) ? 0x80 : 0x4000);
			m.hole_end = MIN(m.hole_end, MADE_CORO(0));
			r = tick_tasks();
			ck_assert_int_eq(r.lost, -1);
			expect_own(&r);
		}
	}
}
END_TEST

/* Lists, sets, names and tasks that are written to while they are read. */
static void tear(struct made *of)
{
	static const uint64_t numbers[] = { 0, 1, 7, 8, 9, 255, UINT32_MAX, UINT64_MAX };
	uint64_t at = MADE_TASK(0) + roll((uint32_t)(MADE_CORO(0) - MADE_TASK(0) - 8));

	if (roll(4))
		return;
	at &= ~7ull;
	made_put(of, at,
		 roll(2) ? numbers[roll(ARRAY_SIZE(numbers))] :
			   MADE_TASKS + roll((uint32_t)(MADE_CORO(0) - MADE_TASKS)),
		 8);
}

START_TEST(tasks_that_are_torn)
{
	EACH_ASYNC
	{
		for (unsigned int i = 0; i < 150; i++) {
			struct tick_result r;

			dice = each.i << 32 | i;
			begin_all(&each.l, &known);
			for (unsigned int n = roll(200); n > 0; n--)
				tear(&m);
			m.change = tear;
			r = tick_tasks();
			ck_assert_int_eq(r.lost, -1);
			expect_own(&r);
			ck_assert_uint_le(kernel.reads, 64u * PLOP_ASYNC_TASKS * PLOP_ASYNC_FRAMES);
		}
	}
}
END_TEST

/* As it is, and with all of the process's memory spoilt: the invariants of tick_once(). */
START_TEST(processes_that_are_spoilt)
{
	EACH_ASYNC
	{
		for (unsigned int i = 0; i < 100; i++) {
			dice = each.i << 32 | i;
			begin_all(&each.l, &known);
			for (unsigned int n = roll(60); n > 0; n--)
				spoil(&m);
			if (i % 2)
				m.change = spoil;
			tick_tasks();
		}
	}
}
END_TEST

/*
 * A deep stack has no room for all that awaits, or for the task's name: it is said that there is
 * more, and of a task nothing is told in part.
 */
START_TEST(stacks_without_room)
{
	EACH_ASYNC
	{
		for (unsigned int left = 0; left < 20; left++) {
			unsigned int above = PLOP_MAX_DEPTH - 2 - left;
			struct tick_result r;

			begin(&each.l, &known, NULL);
			awaiters(2, 2);
			tasks_run(&t, 0, 0, 2, DEPTH, above);
			r = tick_tasks();
			ck_assert_int_eq(r.lost, -1);
			/* two coroutines, the task, twice three for those that await, the rest */
			ck_assert_uint_eq(r.stack->depth, MIN(above + 2 + 1 + 6 + DEPTH,
							      (unsigned int)PLOP_MAX_DEPTH));
			if (left > 0)
				ck_assert_uint_eq(r.frames[above + 2].code, UNNAMED);
			if (left >= 1 + 6)
				ck_assert_uint_eq(r.frames[above + 2 + 6].code, UNNAMED);
			else if (left > 1)
				ck_assert_uint_eq(r.frames[above + 3].code, MORE);
			ck_assert_int_eq(!!(r.stack->flags & PLOP_STACK_TRUNCATED),
					 left < 1 + 6 + DEPTH);
		}
	}
}
END_TEST

CHECK_MAIN("tick/torn", tasks_that_are_not_on_the_stack, memory_that_is_freed, tasks_that_are_torn,
	   processes_that_are_spoilt, stacks_without_room);
