/* SPDX-License-Identifier: BSD-2-Clause */
/* What a tick is counted as, whom it is of, and what becomes of it when tables are full. */
#include "scene.h"

#define OTHER_TGID 99u

START_TEST(ticks_of_other_processes)
{
	struct plop_layout l = layout_of(0x030d);
	struct plop_process p = { .image = 1, .state = PLOP_STATE_UNSUPPORTED };
	struct tick_result r;
	unsigned int named = 0;

	setup(&l, 3);
	tick_task.task.tgid = tick_task.task.pid = 0; /* the idle task */
	r = tick_once(plop_tick);
	ck_assert(r.other && r.lost < 0 && !r.stack);
	tick_task.task.tgid = tick_task.task.pid = (int)OTHER_TGID;
	kernel.lookups = kernel.reads = 0;
	r = tick_once(plop_tick);
	ck_assert(r.other && r.lost < 0 && !r.stack);
	ck_assert_uint_le(kernel.lookups, 2);
	ck_assert_uint_eq(kernel.reads, 0);
	tick_process_set(OTHER_TGID, &p);
	r = tick_once(plop_tick);
	ck_assert_int_eq(r.lost, PLOP_LOST_UNSUPPORTED);
	for (size_t i = 0; i < PLOP_HALF_LOSSES; i++) {
		if (tick_cpu()->half[0].losses[i].tgid == OTHER_TGID)
			named += tick_cpu()->half[0].losses[i].lost[PLOP_LOST_UNSUPPORTED];
	}
	ck_assert_uint_eq(named, 1);
}
END_TEST

/* One in which no interpreter was found yet is asked about, ever more seldom. */
START_TEST(processes_that_are_new)
{
	struct plop_layout l = layout_of(0x030d);
	struct plop_process p = { .image = 7, .state = PLOP_STATE_NEW, .wait = PLOP_WAIT_FIRST_NS };
	unsigned int asked = 0;

	setup(&l, 3);
	p.asked = kernel.now;
	tick_process_set(OTHER_TGID, &p);
	tick_task.task.tgid = tick_task.task.pid = (int)OTHER_TGID;
	for (unsigned int ms = 0; ms < 60000; ms += 10) {
		struct tick_result r;

		kernel.now += 10 * MS;
		r = tick_once(plop_tick);
		ck_assert(r.other && r.lost < 0 && !r.stack);
		if (ms == 10)
			asked = records_of(PLOP_RECORD_CHECK);
	}
	ck_assert_uint_eq(asked, 1);
	/* after 4, 16, 64 ms ... 16 s, and then each 16 s */
	ck_assert_uint_ge(records_of(PLOP_RECORD_CHECK), 6);
	ck_assert_uint_le(records_of(PLOP_RECORD_CHECK), 10);
	ck_assert_uint_le(tick_process(OTHER_TGID)->wait, 4 * PLOP_WAIT_LAST_NS);
}
END_TEST

START_TEST(threads_that_run_no_python)
{
	EACH_LAYOUT
	{
		struct tick_result r;

		setup(&each.l, 3);
		/* one that the interpreter knows, and which runs no function */
		tick_thread(TICK_TGID + 1, MADE_THREAD(1));
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_NO_FRAME);
		tick_task.task.flags = PF_EXITING;
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_EXITING);
		tick_task.task.flags = PF_DUMPCORE;
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_DUMPING);
		tick_task.task.flags = PF_IO_WORKER;
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_WORKER);
		/* it executes another program, whose record is yet to come */
		tick_task.task.flags = 0;
		tick_task.task.mm = &tick_mms[1];
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_EXITING);
	}
}
END_TEST

/*
 * One that the interpreter does not know is looked for three times, and then not again for a while.
 */
START_TEST(threads_without_a_state)
{
	EACH_LAYOUT
	{
		struct tick_result r;

		setup(&each.l, 3);
		tick_thread(TICK_TGID + 9, MADE_THREAD(9));
		for (unsigned int i = 0; i < 3; i++) {
			kernel.reads = 0;
			r = tick_once(plop_tick);
			expect_none(&r, PLOP_STACK_NO_THREAD);
			ck_assert_uint_ge(kernel.reads, 5);
			kernel.now += 10 * MS;
		}
		kernel.reads = 0;
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_NO_THREAD);
		ck_assert_uint_le(kernel.reads, 1);
		/* it has made itself known */
		made_state(&m, 5, 0, 9);
		made_stack(&m, 5, 4);
		made_gil(&m, 5);
		kernel.now += 1000 * MS;
		r = tick_once(plop_tick);
		expect_frames(&r, 4, 4);
	}
}
END_TEST

/* Lists in circles, and longer than a tick looks at: lost, and plopd is asked, which has time. */
START_TEST(threads_beyond_the_search)
{
	EACH_LAYOUT
	{
		struct tick_result r;

		setup(&each.l, 3);
		made_put(&m, MADE_STATE(0) + m.l.ts_next, MADE_STATE(2), 8);
		tick_thread(TICK_TGID + 9, MADE_THREAD(9));
		r = tick_once(plop_tick);
		ck_assert_int_eq(r.lost, PLOP_LOST_THREADS);
		ck_assert_uint_eq(records_of(PLOP_RECORD_STATE), 1);
		ck_assert_uint_le(kernel.reads, PLOP_MAX_THREAD_STEPS * 2 + 8);
		kernel.reads = 0;
		r = tick_once(plop_tick);
		ck_assert_int_eq(r.lost, PLOP_LOST_THREADS);
		ck_assert_uint_le(kernel.reads, 1);
		/* interpreters in circles */
		made_put(&m, MADE_STATE(0) + m.l.ts_next, 0, 8);
		made_put(&m, MADE_INTERP(0) + m.l.interp_next, MADE_INTERP(0), 8);
		tick_thread(TICK_TGID + 10, MADE_THREAD(10));
		kernel.reads = 0;
		r = tick_once(plop_tick);
		ck_assert_int_eq(r.lost, PLOP_LOST_THREADS);
		ck_assert_uint_le(kernel.reads, PLOP_MAX_THREAD_STEPS * 2 + 8);
	}
}
END_TEST

START_TEST(interpreters_that_come_and_go)
{
	EACH_LAYOUT
	{
		uint64_t head = MADE_RUNTIME + each.l.runtime_interpreters_head;
		struct tick_result r;

		setup(&each.l, 3);
		/* not up yet: there is none, and then not even the page */
		made_put(&m, head, 0, 8);
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_NO_INTERP);
		m.hole = head;
		m.hole_end = head + 8;
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_NO_INTERP);
		m.hole = m.hole_end = 0;
		made_put(&m, head, MADE_INTERP(0), 8);
		r = tick_once(plop_tick);
		expect_frames(&r, 3, 3);
		/* on its way down, while functions that were registered for it run, and after */
		if (m.l.runtime_finalizing)
			made_put(&m, MADE_RUNTIME + m.l.runtime_finalizing, MADE_STATE(0), 8);
		r = tick_once(plop_tick);
		expect_frames(&r, 3, 3);
		made_current(&m, 0, 0);
		r = tick_once(plop_tick);
		expect_none(&r,
			    m.l.runtime_finalizing ? PLOP_STACK_FINALISED : PLOP_STACK_NO_FRAME);
		made_put(&m, head, 0, 8);
		made_put(&m, MADE_STATE(0) + m.l.ts_thread_id, 0, 8);
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_FINALISED);
	}
}
END_TEST

/* A thread state was freed and another made in its place, or none. */
START_TEST(states_that_are_remembered)
{
	EACH_LAYOUT
	{
		struct tick_result r;

		setup(&each.l, 3);
		r = tick_once(plop_tick);
		expect_frames(&r, 3, 3);
		ck_assert_uint_eq(tick_cpu()->half[0].counters[PLOP_C_THREAD_SEARCHES], 1);
		r = tick_once(plop_tick);
		expect_frames(&r, 3, 3);
		ck_assert_uint_eq(tick_cpu()->half[0].counters[PLOP_C_THREAD_SEARCHES], 0);
		/* thread 1 now has what was thread 0's, and the other way round */
		made_put(&m, MADE_STATE(0) + m.l.ts_thread_id, MADE_THREAD(1), 8);
		made_put(&m, MADE_STATE(1) + m.l.ts_thread_id, MADE_THREAD(0), 8);
		made_gil(&m, 1);
		r = tick_once(plop_tick);
		expect_none(&r, PLOP_STACK_NO_FRAME);
		tick_thread(TICK_TGID + 1, MADE_THREAD(1));
		made_gil(&m, 0);
		r = tick_once(plop_tick);
		expect_frames(&r, 3, 3);
		/* not mapped any more */
		m.hole = MADE_STATE(0);
		m.hole_end = MADE_STATE(0) + 8;
		r = tick_once(plop_tick);
		ck_assert_int_eq(r.lost, PLOP_LOST_FAULT);
	}
}
END_TEST

static void innermost_at(uint64_t instr)
{
	uint64_t frame = made_get(&m, MADE_STATE(0) + m.l.ts_frame, 8);

	made_put(&m, frame + m.l.frame_instr, MADE_CODE(0) + m.l.code_bytecode + instr, 8);
}

/* Counted once each, however often they come, and by whichever thread. */
START_TEST(stacks_that_come_again)
{
	struct plop_layout l = layout_of(0x030d);
	const struct plop_half *half;

	setup(&l, 3);
	half = &tick_cpu()->half[0];
	for (unsigned int i = 0; i < 10; i++)
		tick();
	ck_assert_uint_eq(half->nstacks, 1);
	ck_assert_uint_eq(half->stacks[0].count, 10);
	ck_assert_uint_eq(half->stacks[0].tid, TICK_TGID);
	made_stack(&m, 1, 3);
	tick_thread(TICK_TGID + 1, MADE_THREAD(1));
	made_status(&m, 1, true, true);
	for (unsigned int i = 0; i < 5; i++)
		tick();
	ck_assert_uint_eq(half->nstacks, 1);
	ck_assert_uint_eq(half->stacks[0].count, 10);
	ck_assert_uint_eq(half->nthreads, 1);
	ck_assert_uint_eq(half->threads[0].tid, TICK_TGID + 1);
	ck_assert_uint_eq(half->threads[0].count, 5);
	/* in the other half it is a new one */
	plop_active = 1;
	tick();
	ck_assert_uint_eq(tick_cpu()->half[1].nstacks, 1);
	ck_assert_uint_eq(half->nstacks, 1);
}
END_TEST

/* Workers that were forked have the same stacks at the same addresses, and as many places. */
START_TEST(stacks_of_many_processes)
{
	struct plop_layout l = layout_of(0x030d);
	const struct plop_half *half;

	for (unsigned int depth = 0; depth < 6; depth += 5) {
		setup(&l, depth);
		half = &tick_cpu()->half[0];
		for (unsigned int i = 0; i < 200; i++) {
			struct plop_process p = *tick_process(TICK_TGID);

			p.image = TICK_IMAGE + i;
			tick_process_set(TICK_TGID, &p);
			tick();
		}
		ck_assert_uint_eq(half->counters[PLOP_C_LOST + PLOP_LOST_STACKS_FULL], 0);
		ck_assert_uint_eq(half->nstacks, 200);
	}
}
END_TEST

/* A CPU whose period changes seldom: the first tick of a profiled process tells, and no other. */
START_TEST(cpus_that_are_still)
{
	struct plop_layout l = layout_of(0x030d);

	setup(&l, 5);
	kernel_records_clear();
	tick_cpu()->still = 1;
	tick_thread(TICK_TGID + 1000, MADE_THREAD(0));
	tick_task.task.tgid = (int)TICK_TGID + 1000;
	tick();
	ck_assert_uint_eq(records_of(PLOP_RECORD_PERIOD), 0);
	ck_assert_uint_eq(tick_cpu()->still, 1);
	tick_task.task.tgid = (int)TICK_TGID;
	tick();
	ck_assert_uint_eq(records_of(PLOP_RECORD_PERIOD), 1);
	ck_assert_uint_eq(tick_cpu()->still, 0);
	tick();
	ck_assert_uint_eq(records_of(PLOP_RECORD_PERIOD), 1);
}
END_TEST

START_TEST(tables_that_are_full)
{
	struct plop_layout l = layout_of(0x030d);
	const struct plop_half *half;

	setup(&l, 1);
	half = &tick_cpu()->half[0];
	for (unsigned int i = 0; i < PLOP_HALF_STACKS + 100; i++) {
		innermost_at(i);
		tick();
	}
	/* not all find a place of the index that is near enough */
	ck_assert_uint_ge(half->nstacks, PLOP_HALF_STACKS * 9 / 10);
	ck_assert_uint_eq(half->counters[PLOP_C_LOST + PLOP_LOST_STACKS_FULL],
			  PLOP_HALF_STACKS + 100 - half->nstacks);
	/* plopd was told once, early */
	ck_assert_uint_eq(records_of(PLOP_RECORD_PRESSURE), 1);

	setup(&l, PLOP_MAX_DEPTH);
	half = &tick_cpu()->half[0];
	for (unsigned int i = 0; i < 30; i++) {
		uint64_t frame = made_get(&m, MADE_STATE(0) + m.l.ts_frame, 8);

		made_put(&m, frame + m.l.frame_instr, MADE_CODE(0) + m.l.code_bytecode + i, 8);
		tick();
	}
	ck_assert_uint_eq(half->nstacks, PLOP_HALF_FRAMES / PLOP_MAX_DEPTH);
	ck_assert_uint_eq(half->counters[PLOP_C_LOST + PLOP_LOST_FRAMES_FULL],
			  30 - PLOP_HALF_FRAMES / PLOP_MAX_DEPTH);

	/* a thousand threads in one stack take places of their own */
	setup(&l, 1);
	half = &tick_cpu()->half[0];
	for (unsigned int i = 0; i < PLOP_HALF_THREADS + 100; i++) {
		tick_thread(TICK_TGID + i, MADE_THREAD(0));
		tick();
	}
	ck_assert_uint_eq(half->nstacks, 1);
	ck_assert_uint_ge(half->nthreads, PLOP_HALF_THREADS * 9 / 10);
	ck_assert_uint_eq(half->counters[PLOP_C_LOST + PLOP_LOST_STACKS_FULL],
			  PLOP_HALF_THREADS + 100 - 1 - half->nthreads);
}
END_TEST

CHECK_MAIN("tick/count", ticks_of_other_processes, processes_that_are_new,
	   threads_that_run_no_python, threads_without_a_state, threads_beyond_the_search,
	   interpreters_that_come_and_go, states_that_are_remembered, stacks_that_come_again,
	   stacks_of_many_processes, cpus_that_are_still, tables_that_are_full);
