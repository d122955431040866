/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "walked.h"

/*
 * Thread 0 of three interpreters, the first of which called the newest, which called the one
 * between them. Each state has a frame, of root, leaf and other; those of 3.11 and 3.12 are put in
 * order by where their structs are.
 */
static void setup_interpreters(struct target *t, uint32_t hexversion)
{
	setup(t, hexversion);
	put(t, RUNTIME + t->l.runtime_interpreters_head, INTERP(2), 8);
	put(t, INTERP(2) + t->l.interp_next, INTERP(1), 8);
	put(t, INTERP(1) + t->l.interp_next, INTERP(0), 8);
	for (unsigned int n = 1; n <= 2; n++) {
		put(t, INTERP(n) + t->l.interp_threads_head, STATE(n + 1), 8);
		put_state(t, n + 1, n, 0, RECORD(0));
		put_frame(t, 1 + n, n, t->l.version >= 0x030c ? FRAME(9) : 0);
		put_current(t, n + 1, FRAME(1 + n));
	}
	/* thread 1 runs nothing, and is out of the way */
	put(t, INTERP(0) + t->l.interp_threads_head, STATE(0), 8);
	put_current(t, 0, FRAME(0));
	if (t->l.ts_status) {
		put(t, STATE(0) + t->l.ts_status, 0, 4);
		put(t, STATE(3) + t->l.ts_status, 0, 4);
	}
	if (t->l.frame_link != PLOP_LINK_CFRAME)
		return;
	/* the first interpreter's is the highest, the middle one's the lowest */
	for (unsigned int n = 0; n < 3; n++) {
		static const unsigned int place[] = { 9, 1, 5 };
		const uint64_t at = DEEP(100 + place[n]);

		put(t, STATE(n ? n + 1 : 0) + t->l.ts_frame, at, 8);
		put(t, at + t->l.cframe_current, FRAME(n ? n + 1 : 0), 8);
	}
}

static void is_joined(struct target *t, const char *const *names, size_t n, bool changing)
{
	_cleanup_walk_states_ struct walk_states all = {};
	struct walk_stack s = {};

	ck_assert_int_eq(walker_states(t->w, &all), 0);
	ck_assert_uint_eq(all.n, 1);
	t->looks = 0;
	ck_assert_int_eq(walker_thread(t->w, &all, &all.states[0], look, t, &s), 0);
	ck_assert(t->looks > 0);
	ck_assert_uint_eq(s.n, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(s.frames[i].code->name, names[i]);
	ck_assert_int_eq(s.changing, changing);
	walk_stack_done(&s);
}

START_TEST(stacks_through_interpreters)
{
	static const char *const by_place[] = { "leaf", "other", "root" },
				 *const by_age[] = { "other", "leaf", "root" },
				 *const outer[] = { "root" };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct target t;

		setup_interpreters(&t, versions[i]);
		if (t.l.frame_link == PLOP_LINK_OBJECT)
			is_joined(&t, by_age, 3, false);
		else
			is_joined(&t, by_place, 3, false);
		if (t.l.runtime_current) {
			/* whatever is known else: the one that has the GIL is in use */
			put(&t, RUNTIME + t.l.runtime_current, STATE(2), 8);
			is_joined(&t, by_place, 3, false);
		}
		/* one that executes nothing any more */
		put_current(&t, 3, 0);
		if (t.l.frame_link == PLOP_LINK_CFRAME)
			put(&t, DEEP(105) + t.l.cframe_current, 0, 8);
		is_joined(&t, (const char *const[]){ "leaf", "root" }, 2, false);
		/* none of its states is in use: what is certain is what called all others */
		if (t.l.ts_status) {
			put(&t, STATE(2) + t.l.ts_status, 0, 4);
			is_joined(&t, outer, 1, true);
		}
		teardown(&t);
	}
}
END_TEST

/* Who calls does something else after each time that the one it called was looked at. */
static void caller_goes_on(struct target *t)
{
	put_frame(t, 0, t->looks & 1 ? 0 : 2, t->l.version >= 0x030c ? FRAME(9) : 0);
}

START_TEST(stacks_through_interpreters_that_change)
{
	_cleanup_walk_states_ struct walk_states all = {};
	struct walk_stack s = {};
	struct target t;

	setup_interpreters(&t, 0x030c00f0);
	ck_assert_int_eq(walker_states(t.w, &all), 0);
	t.change = caller_goes_on;
	ck_assert_int_eq(walker_thread(t.w, &all, &all.states[0], look, &t, &s), 0);
	/* nothing is said to have been called by what it was not */
	ck_assert(s.changing);
	ck_assert_uint_le(s.n, 1);
	walk_stack_done(&s);
	teardown(&t);
}
END_TEST

CHECK_MAIN("python/join", stacks_through_interpreters, stacks_through_interpreters_that_change);
