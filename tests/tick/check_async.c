/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk with asyncio's tasks on made-up ones: what runs, names, chains, several, circles. */
#include "tasks_scene.h"

#define LONGEST                                                                               \
	"a name of a task that is longer than what is captured of it, which is a hundred and" \
	" twenty-eight characters, so that its end is missing"

/* The task that runs, with its name between what it runs and what runs it. */
START_TEST(tasks_that_run)
{
	unsigned int layouts = 0;

	EACH_ASYNC
	{
		const struct plop_record_task *x = NULL;
		__u64 code;

		layouts++;
		begin(&each.l, &known, "import");
		tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
		expect_running();
		expect(0);
		expect_rest();
		code = ticks_as_expected(each.name).frames[4].code;
		ck_assert_uint_eq(records_of(PLOP_RECORD_TASK), 1);
		for (size_t i = 0; i < kernel_records(); i++) {
			if (((const struct plop_record *)kernel_record(i).data)->type ==
			    PLOP_RECORD_TASK)
				x = kernel_record(i).data;
		}
		ck_assert_uint_eq(x->head.tgid, TICK_TGID);
		ck_assert_uint_eq(x->code, code);
		ck_assert_uint_eq(x->length, 6);
		ck_assert_uint_eq(x->bytes, 6);
		ck_assert_mem_eq(x->data, "import", 6);
		/* it was sent of late */
		kernel_records_clear();
		ck_assert_uint_eq(ticks_as_expected(each.name).frames[4].code, code);
		ck_assert_uint_eq(records_of(PLOP_RECORD_TASK), 0);
		/* another name is another frame */
		tasks_task(&t, 0, 0, "export");
		ck_assert_uint_ne(ticks_as_expected(each.name).frames[4].code, code);
	}
	/* 3.11, 3.12, both kinds of 3.13, 3.14 and 3.15 */
	ck_assert_uint_eq(layouts, 6);
}
END_TEST

/* Nothing but the coroutine runs: it is the innermost, and where no function is below, the root. */
START_TEST(coroutines_at_the_ends)
{
	EACH_ASYNC
	{
		begin(&each.l, &known, NULL);
		tasks_run(&t, 0, 0, 1, DEPTH, 0);
		nexpected = 0;
		expect_coro(0);
		expect(UNNAMED);
		expect_rest();
		ticks_as_expected(each.name);
		if (!known.ts_running)
			continue;
		made_put(&m, MADE_CORO(0) + known.gen_frame + each.l.frame_previous, 0, 8);
		nexpected = 0;
		expect_coro(0);
		expect(UNNAMED);
		ticks_as_expected(each.name);
	}
}
END_TEST

START_TEST(names)
{
	static const struct {
		const char *name;
		bool told;
	} cases[] = {
		{ NULL, false },   { "Task-1", false }, { "Task-12345678901234567890", false },
		{ "Task-", true }, { "Task-1x", true }, { "Task-123456789012345678901", true },
		{ "", true },      { "serve:7", true }, { LONGEST, true },
	};

	EACH_ASYNC
	{
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			begin(&each.l, &known, cases[i].name);
			tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
			expect_running();
			expect(cases[i].told ? 0 : UNNAMED);
			expect_rest();
			ticks_as_expected(each.name);
			ck_assert_uint_eq(records_of(PLOP_RECORD_TASK), cases[i].told);
		}
		/* one that cannot be read, and one that is said to be endless */
		made_put(&m, MADE_TASK(0) + known.task_name, MADE_BASE + MADE_SIZE, 8);
		expect_running();
		expect(UNNAMED);
		expect_rest();
		ticks_as_expected(each.name);
		begin(&each.l, &known, "x");
		tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
		made_put(&m, made_get(&m, MADE_TASK(0) + known.task_name, 8) + each.l.str_length,
			 UINT64_MAX, 8);
		expected[4] = 0;
		ticks_as_expected(each.name);
		/* it runs into what is not mapped */
		m.hole = made_get(&m, MADE_TASK(0) + known.task_name, 8) + 0x60;
		m.hole_end = m.hole + 0x40;
		expected[4] = UNNAMED;
		ticks_as_expected(each.name);
	}
}
END_TEST

/* Each that awaits, with its coroutines, as if they had called each other. */
START_TEST(chains_of_awaiters)
{
	EACH_ASYNC
	{
		for (unsigned int n = 1; n <= PLOP_ASYNC_TASKS + 1; n++) {
			begin(&each.l, &known, NULL);
			awaiters(n, 2);
			tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
			expect_running();
			expect(UNNAMED);
			for (unsigned int i = 0; i < MIN(n, (unsigned int)PLOP_ASYNC_TASKS); i++) {
				expect_coro(2 * i + 3);
				expect_coro(2 * i + 2);
				expect(UNNAMED);
			}
			if (n > PLOP_ASYNC_TASKS)
				expect(MORE);
			expect_rest();
			ticks_as_expected(each.name);
		}
	}
}
END_TEST

/* From 3.14 on futures are between: of gather(), which is no task. */
START_TEST(futures_between)
{
	EACH_ASYNC
	{
		if (!known.is_task)
			continue;
		begin(&each.l, &known, NULL);
		awaiters(2, 1);
		tasks_future(&t, 1);
		tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
		expect_running();
		expect(UNNAMED);
		expect_coro(4);
		expect(UNNAMED);
		expect_rest();
		ticks_as_expected(each.name);
		/* what is neither is nothing */
		made_put(&m, MADE_TASK(1) + known.is_task, 2, 1);
		expect_running();
		expect(UNNAMED);
		expect_rest();
		ticks_as_expected(each.name);
	}
}
END_TEST

/* Which one of several it was is not told, however many there are. */
START_TEST(several_awaiters)
{
	EACH_ASYNC
	{
		for (unsigned int n = 1; n <= 8; n++) {
			begin(&each.l, &known, NULL);
			awaiters(n, 1);
			tasks_awaited_by(&t, 0, 1, n);
			if (!known.fut_awaited_by)
				made_put(&m, MADE_TASK(0) + known.fut_callback0, 0, 8);
			/* nobody awaits those */
			for (unsigned int i = 1; i <= n; i++) {
				made_put(&m,
					 MADE_TASK(i) + (known.fut_awaited_by ?
								 known.fut_awaited_by :
								 known.fut_callback0),
					 0, 8);
			}
			tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
			expect_running();
			expect(UNNAMED);
			if (n == 1) {
				expect_coro(2);
				expect(UNNAMED);
			} else {
				expect(PLOP_SYNTHETIC(PLOP_SYNTHETIC_SEVERAL, n));
			}
			expect_rest();
			ticks_as_expected(each.name);
		}
	}
}
END_TEST

/*
 * Who awaits whom goes round. Up to 3.13 each says itself what one thing it awaits, so only the way
 * back to the task that runs can be one; from 3.14 on it ends at the maximum.
 */
START_TEST(awaiters_in_circles)
{
	EACH_ASYNC
	{
		bool both = known.fut_awaited_by == 0;

		for (unsigned int back = 0; back <= 2; back++) {
			unsigned int hops = back == 0 ? 2 : both ? back - 1 : PLOP_ASYNC_TASKS;

			begin(&each.l, &known, NULL);
			awaiters(2, 1);
			tasks_awaited(&t, 2, back);
			tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
			expect_running();
			expect(UNNAMED);
			for (unsigned int i = 0; i < hops; i++) {
				expect_coro(i == 0 || (back == 1 && i % 2 == 0) ? 2 : 4);
				expect(UNNAMED);
			}
			if (hops == PLOP_ASYNC_TASKS)
				expect(MORE);
			expect_rest();
			ticks_as_expected(each.name);
		}
	}
}
END_TEST

/* What a suspended coroutine awaits in its turn, through all that has a frame or wraps one. */
START_TEST(what_awaiters_go_through)
{
	EACH_ASYNC
	{
		begin(&each.l, &known, NULL);
		tasks_coro(&t, 8, MADE_COROUTINE, MADE_TASK(0));
		tasks_wrapper(&t, 7, MADE_CORO_WRAPPER, MADE_CORO(8));
		tasks_coro(&t, 6, MADE_GENERATOR, MADE_CORO(7));
		tasks_coro(&t, 5, MADE_ASYNC_GENERATOR, MADE_CORO(6));
		tasks_wrapper(&t, 4, MADE_ASEND, MADE_CORO(5));
		tasks_coro(&t, 2, MADE_COROUTINE, MADE_CORO(4));
		tasks_task(&t, 1, 2, NULL);
		tasks_awaited(&t, 0, 1);
		tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
		expect_running();
		expect(UNNAMED);
		expect_coro(8);
		expect_coro(6);
		expect_coro(5);
		expect_coro(2);
		expect(UNNAMED);
		expect_rest();
		ticks_as_expected(each.name);
		/* a class of that name, and what is known to be something else */
		for (enum made_type kind = MADE_FUTURE_ITER; kind <= MADE_CLASS; kind++) {
			tasks_coro(&t, 4, kind, MADE_CORO(5));
			tasks_coro(&t, 2, MADE_COROUTINE, MADE_CORO(4));
			expect_running();
			expect(UNNAMED);
			expect_coro(2);
			expect(UNNAMED);
			expect_rest();
			ticks_as_expected(each.name);
		}
		/* one that yields */
		tasks_coro(&t, 2, MADE_ASYNC_GENERATOR, MADE_CORO(5));
		made_put(&m, MADE_CORO(2) + known.gen_state, (uint8_t)known.gen_yields, 1);
		if (known.gen_yields == known.gen_awaits)
			made_put(&m, MADE_CODE(tasks_code_of(2)) + made_instr_of(&m) + 3, 1, 1);
		expect_running();
		expect(UNNAMED);
		expect_coro(2);
		expect(UNNAMED);
		expect_rest();
		ticks_as_expected(each.name);
		/* one that has ended, or runs: it awaits nothing, whatever lies on its stack */
		tasks_coro(&t, 2, MADE_COROUTINE, MADE_CORO(8));
		made_put(&m, MADE_CORO(2) + known.gen_state, 0, 1);
		expect_running();
		expect(UNNAMED);
		expect(UNNAMED);
		expect_rest();
		ticks_as_expected(each.name);
	}
}
END_TEST

/* A task that awaits by more coroutines than are followed, and by one that awaits itself. */
START_TEST(awaiters_without_end)
{
	EACH_ASYNC
	{
		for (unsigned int circle = 0; circle < 2; circle++) {
			begin(&each.l, &known, NULL);
			for (unsigned int i = 2; i < MADE_CORO_MAX; i++)
				tasks_coro(&t, i, MADE_COROUTINE, MADE_CORO(circle ? 2 : i + 1));
			tasks_task(&t, 1, 2, NULL);
			tasks_awaited(&t, 0, 1);
			tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
			expect_running();
			expect(UNNAMED);
			expect(MORE);
			for (unsigned int i = PLOP_ASYNC_FRAMES; i > 0; i--)
				expect_coro(circle ? 2 : i + 1);
			expect(UNNAMED);
			expect_rest();
			ticks_as_expected(each.name);
		}
	}
}
END_TEST

/*
 * Up to 3.13, of a coroutine that runs another by a call (an eager task's first step) it cannot be
 * told whose it is.
 */
START_TEST(coroutines_that_call_others)
{
	EACH_ASYNC
	{
		if (!known.await_ops[0])
			continue;
		begin(&each.l, &known, "caller");
		tasks_run(&t, 0, 0, 2, DEPTH, ABOVE);
		/* CALL, for one */
		made_put(&m, MADE_CODE(tasks_code_of(0)) + each.l.code_bytecode + 4, 53, 1);
		expect_running();
		expect_rest();
		ticks_as_expected(each.name);
	}
}
END_TEST

/* Without the asyncio of that version, and where its tasks are not known: as any stack. */
START_TEST(layouts_without_tasks)
{
	unsigned int layouts = 0;
	struct plop_async a;

	EACH_LAYOUT
	{
		struct tick_result r;

		if (tasks_layout(&each.l, &a))
			continue;
		layouts++;
		begin(&each.l, NULL, NULL);
		made_stack(&m, 0, DEPTH);
		r = tick_tasks();
		expect_frames(&r, DEPTH, DEPTH);
	}
	/* 2.7, 3.6 to 3.10, 3.14t and 3.15t */
	ck_assert_uint_eq(layouts, 8);
}
END_TEST

CHECK_MAIN("tick/async", tasks_that_run, coroutines_at_the_ends, names, chains_of_awaiters,
	   futures_between, several_awaiters, awaiters_in_circles, what_awaiters_go_through,
	   awaiters_without_end, coroutines_that_call_others, layouts_without_tasks);
