/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "walked.h"

START_TEST(stacks_of_all_generations)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		_cleanup_walk_states_ struct walk_states s = {};
		struct walk_stack stack;
		struct target t;

		setup(&t, versions[i]);
		ck_assert_int_eq(walker_states(t.w, &s), 0);
		ck_assert_uint_eq(s.n, 2);
		ck_assert_uint_eq(s.interpreters, 1);
		ck_assert(!s.changing && !s.more);
		ck_assert_uint_eq(s.states[0].address, STATE(0));
		ck_assert_uint_eq(s.states[0].native_id, t.l.ts_native_id ? 100 : 0);
		stack = stack_of(&t, 0);
		ck_assert(!stack.changing && !stack.truncated);
		ck_assert_uint_eq(stack.n, 2);
		ck_assert_str_eq(stack.frames[0].code->name, "leaf");
		ck_assert_str_eq(stack.frames[0].code->file, "/srv/app.py");
		ck_assert_str_eq(stack.frames[1].code->name, "root");
		if (t.l.version != 0x030a)
			ck_assert_int_eq(stack.frames[0].line, 31);
		ck_assert_uint_eq(t.looks, 1);
		walk_stack_done(&stack);
		stack = stack_of(&t, 1);
		ck_assert(stack.n == 0 && !stack.changing && !stack.truncated);
		walk_stack_done(&stack);
		teardown(&t);
	}
}
END_TEST

/* An older interpreter's thread 0 has entered a newer one. */
START_TEST(one_state_of_each_thread)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		_cleanup_walk_states_ struct walk_states s = {};
		struct target t;

		setup(&t, versions[i]);
		put(&t, RUNTIME + t.l.runtime_interpreters_head, INTERP(1), 8);
		put(&t, INTERP(1) + t.l.interp_next, INTERP(0), 8);
		put(&t, INTERP(1) + t.l.interp_threads_head, STATE(2), 8);
		put_state(&t, 2, 1, 0, RECORD(0));
		put_current(&t, 2, FRAME(1));
		if (t.l.ts_status)
			put(&t, STATE(0) + t.l.ts_status, 0, 4);
		ck_assert_int_eq(walker_states(t.w, &s), 0);
		ck_assert_uint_eq(s.interpreters, 2);
		ck_assert_uint_eq(s.n, 2);
		ck_assert_uint_eq(s.states[0].address, STATE(2));
		ck_assert_uint_eq(s.states[0].interp_no, 1);
		ck_assert_uint_eq(s.states[1].interp_no, 0);
		walk_states_done(&s);
		/* it has come back from there */
		put_current(&t, 2, 0);
		if (t.l.ts_status) {
			put(&t, STATE(0) + t.l.ts_status, PLOP_TS_BOUND, 4);
			put(&t, STATE(2) + t.l.ts_status, 0, 4);
		}
		ck_assert_int_eq(walker_states(t.w, &s), 0);
		ck_assert_uint_eq(s.states[0].address, STATE(0));
		teardown(&t);
	}
}
END_TEST

START_TEST(lists_that_lead_astray)
{
	_cleanup_walk_states_ struct walk_states s = {};
	struct target t;

	setup(&t, 0x030c00f0);
	/* in circles */
	put(&t, STATE(0) + t.l.ts_next, STATE(1), 8);
	ck_assert_int_eq(walker_states(t.w, &s), 0);
	ck_assert_uint_eq(s.n, 2);
	ck_assert(s.changing && s.more);
	ck_assert_uint_le(t.reads, WALK_LIST_TRIES * (WALK_MAX_STATES + 8));
	walk_states_done(&s);
	/* to a state of no interpreter that is known, to nowhere, and to nothing at all */
	put(&t, STATE(0) + t.l.ts_next, STATE(2), 8);
	ck_assert_int_eq(walker_states(t.w, &s), -EFAULT);
	put(&t, STATE(0) + t.l.ts_next, 8, 8);
	ck_assert_int_eq(walker_states(t.w, &s), -EFAULT);
	put(&t, RUNTIME + t.l.runtime_interpreters_head, 0, 8);
	ck_assert_int_eq(walker_states(t.w, &s), 0);
	ck_assert(s.n == 0 && s.interpreters == 0);
	walk_states_done(&s);
	/* interpreters in circles */
	put(&t, RUNTIME + t.l.runtime_interpreters_head, INTERP(2), 8);
	put(&t, INTERP(2) + t.l.interp_next, INTERP(2), 8);
	ck_assert_int_eq(walker_states(t.w, &s), 0);
	ck_assert(s.n == 0 && s.more);
	teardown(&t);
}
END_TEST

/* One whose innermost function is at another place, and another, each time that it is looked at. */
static void call_deep(struct target *t)
{
	put(t, FRAME(1) + t->l.frame_instr, CODE(1) + t->l.code_bytecode + t->reads % 499 * 2, 8);
	put_frame(t, 2, 2, FRAME(1));
	put_current(t, 0, FRAME(2));
}

START_TEST(frames_that_lead_astray)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		const struct walk_state state = { .address = STATE(0) };
		struct walk_stack s = {};
		struct target t;

		setup(&t, versions[i]);
		/* in circles */
		put(&t, FRAME(0) + t.l.frame_previous, FRAME(1), 8);
		ck_assert_int_eq(walker_stack(t.w, &state, NULL, NULL, &s), -EFAULT);
		ck_assert_uint_le(t.reads, WALK_TRIES * 16);
		put(&t, FRAME(0) + t.l.frame_previous, 8, 8);
		ck_assert_int_eq(walker_stack(t.w, &state, NULL, NULL, &s), -EFAULT);
		put(&t, FRAME(0) + t.l.frame_code, 0, 8);
		ck_assert_int_eq(walker_stack(t.w, &state, NULL, NULL, &s), -EFAULT);
		ck_assert(s.frames == NULL);
		teardown(&t);
	}
}
END_TEST

/* As deep as is shown, one deeper, and deeper than is read. */
START_TEST(deep_stacks)
{
	static const uint32_t depths[] = { PLOP_MAX_DEPTH, PLOP_MAX_DEPTH + 1,
					   WALK_MAX_LINKS + 10 };

	for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
		struct walk_stack s;
		struct target t;

		setup(&t, 0x030c00f0);
		/* with the innermost one and root */
		for (uint32_t n = 0; n < depths[i] - 2; n++) {
			memcpy(t.memory + (DEEP(n) - BASE), t.memory + (FRAME(1) - BASE), 0x80);
			put(&t, DEEP(n) + t.l.frame_previous,
			    n + 1 < depths[i] - 2 ? DEEP(n + 1) : FRAME(0), 8);
		}
		put(&t, FRAME(1) + t.l.frame_previous, DEEP(0), 8);
		s = stack_of(&t, 0);
		ck_assert_uint_eq(s.n, PLOP_MAX_DEPTH);
		ck_assert(s.truncated == (i > 0) && !s.changing);
		ck_assert_str_eq(s.frames[s.n - 1].code->name, i > 0 ? "leaf" : "root");
		walk_stack_done(&s);
		/* the innermost ones come and go: those around them stay */
		t.change = i > 0 ? call_deep : NULL;
		s = stack_of(&t, 0);
		ck_assert(s.changing == (i > 0));
		ck_assert_uint_eq(s.n, PLOP_MAX_DEPTH);
		walk_stack_done(&s);
		teardown(&t);
	}
}
END_TEST

/*
 * What cannot be the end of a stack is none: a generator that has yielded, a frame that was freed.
 */
START_TEST(stacks_that_end_too_early)
{
	static const struct walk_state state = { .address = STATE(0) };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct walk_stack s = {};
		struct target t;

		setup(&t, versions[i]);
		put(&t, FRAME(1) + t.l.frame_previous, 0, 8);
		if (t.l.frame_link == PLOP_LINK_OBJECT)
			put(&t, FRAME(1), 0, 8);
		else
			put(&t, FRAME(1) + t.l.frame_owner, 1, 1);
		put(&t, CODE(1) + t.l.code_flags, 0x20, 4); /* CO_GENERATOR */
		ck_assert_int_eq(walker_stack(t.w, &state, NULL, NULL, &s), -EFAULT);
		teardown(&t);
	}
}
END_TEST

/*
 * All frames of compiled code say that they are a generator's, and there is none of the
 * interpreter's own.
 */
START_TEST(stacks_of_compiled_code)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct walk_stack s;
		struct target t;

		setup(&t, versions[i]);
		if (t.l.frame_owner) {
			put(&t, FRAME(0) + t.l.frame_previous, 0, 8);
			put(&t, FRAME(0) + t.l.frame_owner, 1, 1);
			put(&t, FRAME(1) + t.l.frame_owner, 1, 1);
			put(&t, CODE(1) + t.l.code_flags, 0x20, 4); /* one may be */
		}
		s = stack_of(&t, 0);
		ck_assert_uint_eq(s.n, 2);
		ck_assert(!s.changing);
		walk_stack_done(&s);
		teardown(&t);
	}
}
END_TEST

/* A thread that goes on within its innermost function. */
static void step(struct target *t)
{
	put(t, FRAME(1) + t->l.frame_instr, CODE(1) + t->l.code_bytecode + t->reads % 9 * 2, 8);
}

/* One that calls one function, then the other, from another place each time. */
static void call(struct target *t)
{
	unsigned int odd = t->reads & 1;

	put(t, FRAME(0) + t->l.frame_instr, CODE(0) + t->l.code_bytecode + t->reads % 499 * 2, 8);
	put_frame(t, 1, 1 + odd, FRAME(0));
}

/* One that calls what is below another, whose place stays as it is. */
static void call_below(struct target *t)
{
	unsigned int odd = t->reads & 1;

	put(t, FRAME(1) + t->l.frame_instr, CODE(1) + t->l.code_bytecode + t->reads % 13 * 2, 8);
	put_frame(t, 2 + odd, 2, FRAME(1));
	put_current(t, 0, FRAME(2 + odd));
}

static void settle(struct target *t)
{
	if (t->reads < 40)
		call(t);
}

START_TEST(stacks_that_change)
{
	struct walk_stack s;
	struct target t;

	setup(&t, 0x030c00f0);
	t.change = step;
	s = stack_of(&t, 0);
	ck_assert(s.n == 2 && !s.changing);
	ck_assert_str_eq(s.frames[0].code->name, "leaf");
	walk_stack_done(&s);
	/*
	 * root is at another place each time, so that nothing of this can be told but that it is so
	 */
	t.change = call;
	s = stack_of(&t, 0);
	ck_assert(s.n == 0 && s.changing);
	ck_assert_uint_le(t.looks, 1 + WALK_TRIES);
	walk_stack_done(&s);
	t.change = NULL;
	t.reads = 0;
	call(&t);
	t.change = settle;
	s = stack_of(&t, 0);
	ck_assert(s.n == 2 && !s.changing);
	walk_stack_done(&s);
	/* here it is in root all the time */
	t.change = call_below;
	s = stack_of(&t, 0);
	ck_assert(s.changing);
	ck_assert_uint_eq(s.n, 1);
	ck_assert_str_eq(s.frames[0].code->name, "root");
	walk_stack_done(&s);
	/* what has no code object did not stay, it was never whole */
	put(&t, CODE(0) + t.l.code_linetable, 0, 8);
	s = stack_of(&t, 0);
	ck_assert(s.changing && s.n == 0);
	walk_stack_done(&s);
	teardown(&t);
}
END_TEST

/* All that is at the address of a code object is another, once. */
static void replace(struct target *t)
{
	if (t->reads == 3) {
		put_code(t, 1, "new");
		put(t, CODE(1) + t->l.code_firstlineno, 50, 4);
	}
}

START_TEST(code_that_changes)
{
	struct walk_stack s;
	struct target t;

	setup(&t, 0x030c00f0);
	s = stack_of(&t, 0);
	ck_assert_str_eq(s.frames[0].code->name, "leaf");
	walk_stack_done(&s);
	t.reads = 0;
	t.change = replace;
	s = stack_of(&t, 0);
	ck_assert_str_eq(s.frames[0].code->name, "new");
	ck_assert_int_eq(s.frames[0].line, 51);
	walk_stack_done(&s);
	/* one that is none has no name, and the others have theirs */
	t.change = NULL;
	put(&t, CODE(1) + t.l.code_linetable, 0, 8);
	s = stack_of(&t, 0);
	ck_assert(s.n == 2 && !s.frames[0].code && s.frames[0].line == 0);
	ck_assert_str_eq(s.frames[1].code->name, "root");
	walk_stack_done(&s);
	teardown(&t);
}
END_TEST

static void give_gil(struct target *t)
{
	put(t, STATE(t->reads & 1) + t->l.ts_status, PLOP_TS_BOUND | PLOP_TS_ACTIVE, 4);
	put(t, STATE(~t->reads & 1) + t->l.ts_status, PLOP_TS_BOUND, 4);
}

static void both(struct target *t)
{
	put(t, STATE(0) + t->l.ts_status, PLOP_TS_BOUND | PLOP_TS_ACTIVE, 4);
	put(t, STATE(1) + t->l.ts_status, PLOP_TS_BOUND | PLOP_TS_ACTIVE, 4);
}

START_TEST(who_holds_the_gil)
{
	_cleanup_walk_states_ struct walk_states s = {};
	bool holds[2];
	struct target t;

	setup(&t, 0x030c00f0);
	ck_assert_int_eq(walker_states(t.w, &s), 0);
	ck_assert_int_eq(walker_gil(t.w, &s, holds), WALK_GIL_FREE);
	put(&t, STATE(1) + t.l.ts_status, PLOP_TS_BOUND | PLOP_TS_ACTIVE, 4);
	ck_assert_int_eq(walker_gil(t.w, &s, holds), WALK_GIL_HELD);
	ck_assert(!holds[0] && holds[1]);
	/* it is seen with both only when it went from one to the other, and then with neither */
	both(&t);
	ck_assert_int_eq(walker_gil(t.w, &s, holds), WALK_GIL_CHANGING);
	ck_assert(!holds[0] && !holds[1]);
	t.change = give_gil;
	t.reads = 1;
	ck_assert_int_eq(walker_gil(t.w, &s, holds), WALK_GIL_CHANGING);
	t.change = NULL;
	t.l.free_threaded = 1;
	ck_assert_int_eq(walker_gil(t.w, &s, holds), WALK_GIL_NONE);
	walk_states_done(&s);
	teardown(&t);

	setup(&t, 0x030800f0);
	t.l.runtime_current = 0;
	ck_assert_int_eq(walker_states(t.w, &s), 0);
	ck_assert_int_eq(walker_gil(t.w, &s, holds), WALK_GIL_UNKNOWN);
	t.l.runtime_current = 0x200;
	ck_assert_int_eq(walker_gil(t.w, &s, holds), WALK_GIL_FREE);
	put(&t, RUNTIME + 0x200, STATE(0), 8);
	ck_assert_int_eq(walker_gil(t.w, &s, holds), WALK_GIL_HELD);
	ck_assert(holds[0] && !holds[1]);
	put(&t, RUNTIME + 0x200, STATE(2), 8);
	ck_assert_int_eq(walker_gil(t.w, &s, holds), WALK_GIL_CHANGING);
	teardown(&t);
}
END_TEST

START_TEST(where_the_gil_is)
{
	struct walk_state s = { .address = STATE(0), .interp = INTERP(0) };
	struct target t;

	setup(&t, 0x030c00f0);
	t.l.gil_where = PLOP_GIL_UNKNOWN;
	t.l.gil_at = 0x300;
	t.l.gil_size = 0x40;
	ck_assert(!walker_is_gil(t.w, &s, RUNTIME + 0x300));
	t.l.gil_where = PLOP_GIL_RUNTIME;
	ck_assert(walker_is_gil(t.w, &s, RUNTIME + 0x300));
	ck_assert(walker_is_gil(t.w, &s, RUNTIME + 0x33c));
	ck_assert(!walker_is_gil(t.w, &s, RUNTIME + 0x340));
	ck_assert(!walker_is_gil(t.w, &s, RUNTIME + 0x2fc));
	t.l.gil_where = PLOP_GIL_POINTER;
	put(&t, INTERP(0) + 0x300, RECORD(7), 8);
	ck_assert(walker_is_gil(t.w, &s, RECORD(7) + 8));
	ck_assert(!walker_is_gil(t.w, &s, RUNTIME + 0x300));
	s.interp = 8;
	ck_assert(!walker_is_gil(t.w, &s, RECORD(7) + 8));
	teardown(&t);
}
END_TEST

START_TEST(tids_by_the_records_of_threads)
{
	_cleanup_walk_states_ struct walk_states s = {};
	const uint32_t tids[] = { 4712, 4711, 4713 };
	uint32_t found[2];
	struct target t;

	setup(&t, 0x030800f0);
	ck_assert_int_eq(walker_states(t.w, &s), 0);
	ck_assert_int_eq(walker_tids(t.w, &s, tids, 3, found), 0);
	ck_assert(found[0] == 0 && found[1] == 0);
	/* the process's id, the same in both, is not it */
	put(&t, RECORD(0) + 724, 4711, 4);
	put(&t, RECORD(1) + 724, 4711, 4);
	put(&t, RECORD(0) + 720, 4711, 4);
	put(&t, RECORD(1) + 720, 4713, 4);
	ck_assert_int_eq(walker_tids(t.w, &s, tids, 3, found), 0);
	ck_assert_uint_eq(found[0], 4711);
	ck_assert_uint_eq(found[1], 4713);
	/* another place says otherwise: nothing is known */
	put(&t, RECORD(0) + 8, 4712, 4);
	put(&t, RECORD(1) + 8, 4711, 4);
	ck_assert_int_eq(walker_tids(t.w, &s, tids, 3, found), 0);
	ck_assert(found[0] == 0 && found[1] == 0);
	/* the only thread that came along with fork() */
	put(&t, RECORD(0) + 8, 0, 8);
	put(&t, RECORD(1) + 8, 0, 8);
	put(&t, RECORD(0) + 724, 0, 4);
	put(&t, RECORD(1) + 724, 0, 4);
	ck_assert_int_eq(walker_tids(t.w, &s, &tids[2], 1, found), 0);
	ck_assert_uint_eq(found[0], 0);
	ck_assert_uint_eq(found[1], 4713);
	teardown(&t);
}
END_TEST

CHECK_MAIN("python/walk", stacks_of_all_generations, one_state_of_each_thread,
	   lists_that_lead_astray, frames_that_lead_astray, deep_stacks, stacks_that_end_too_early,
	   stacks_of_compiled_code, stacks_that_change, code_that_changes, who_holds_the_gil,
	   where_the_gil_is, tids_by_the_records_of_threads);
