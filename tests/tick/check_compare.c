/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tick and python/walk.h, which look at the same memory by code of their own, see the same
 * stacks.
 */
#include "compare.h"
#include "scene.h"

static void expect_same(struct compared *c, const char *name)
{
	const char *differs = compare(&m.r, &m.l, MADE_RUNTIME, c);

	ck_assert_msg(!differs, "%s: %s", name, differs);
}

START_TEST(stacks_of_all_layouts)
{
	static const unsigned int depths[] = { 1, 8, 103, PLOP_MAX_DEPTH, PLOP_MAX_DEPTH + 1 };

	EACH_LAYOUT
	{
		for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
			struct compared c = {};

			setup(&each.l, depths[i]);
			expect_same(&c, each.name);
			ck_assert_uint_eq(c.same, 1);
			ck_assert_uint_eq(c.without, 2);
		}
	}
}
END_TEST

START_TEST(stacks_through_interpreters)
{
	EACH_LAYOUT
	{
		for (unsigned int n = 1; n <= 3; n++) {
			struct compared c = {};

			setup_nested(&each.l, n);
			expect_same(&c, each.name);
			ck_assert_uint_eq(c.same, 2);
		}
	}
}
END_TEST

/*
 * Two of a thread's states say that they are in use: the first one is believed, the other takes
 * part as a caller.
 */
START_TEST(states_that_both_say_so)
{
	EACH_LAYOUT
	{
		for (unsigned int n = 2; n <= 3; n++) {
			struct compared c = {};

			setup_nested(&each.l, n);
			made_status(&m, 2 + n, true, false);
			expect_same(&c, each.name);
			ck_assert_uint_eq(c.same, 2);
		}
	}
}
END_TEST

/* What cannot be the address of a code object: neither has a stack. */
START_TEST(addresses_of_no_code)
{
	static const uint64_t codes[] = { 0, 1ull << 63, UINT64_MAX & ~7ull };

	EACH_LAYOUT
	{
		for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
			struct compared c = {};
			struct tick_result r;

			setup(&each.l, 5);
			made_put(&m, MADE_CHUNK(0) + 24 + m.l.frame_code, codes[i], 8);
			r = tick_once(plop_tick);
			ck_assert_int_eq(r.lost, PLOP_LOST_CORRUPT);
			expect_same(&c, each.name);
			ck_assert_uint_eq(c.untold, 1);
			ck_assert_uint_eq(c.same, 0);
		}
	}
}
END_TEST

/* A process in which something is as it cannot be, and stays so. */
START_TEST(processes_that_are_spoilt)
{
	EACH_LAYOUT
	{
		struct compared c = {};

		for (unsigned int i = 0; i < 50; i++) {
			dice = each.i << 32 | i;
			setup_nested(&each.l, 1 + roll(3));
			for (unsigned int n = roll(600); n > 0; n--)
				spoil(&m);
			expect_same(&c, each.name);
		}
		/* of each there are some, or this compares nothing */
		ck_assert_uint_ge(c.same, 20);
		ck_assert_uint_ge(c.without, 20);
		ck_assert_uint_ge(c.untold, 1);
	}
}
END_TEST

CHECK_MAIN("tick/compare", stacks_of_all_layouts, stacks_through_interpreters,
	   states_that_both_say_so, addresses_of_no_code, processes_that_are_spoilt);
