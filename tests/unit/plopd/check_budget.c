/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "plopd/budget.h"

START_TEST(within_the_budget_nothing_changes)
{
	ck_assert_uint_eq(budget_weight(0.002, 0.004, 0.01, 1, 16), 1);
	ck_assert_uint_eq(budget_weight(0.01, 0.01, 0.01, 1, 16), 1);
	ck_assert_uint_eq(budget_weight(0, 0, 0.01, 1, 16), 1);
}
END_TEST

START_TEST(beyond_it_sampling_takes_what_is_left)
{
	/* all else takes 0.2 %, so sampling has 0.8 % of what was 2.4 % */
	ck_assert_uint_eq(budget_weight(0.024, 0.026, 0.01, 1, 16), 3);
	ck_assert_uint_eq(budget_weight(0.011, 0.011, 0.01, 1, 16), 2);
	ck_assert_uint_eq(budget_weight(1, 1, 0.01, 1, 16), 16);
	/* a rate of 4 Hz cannot be made a fifth */
	ck_assert_uint_eq(budget_weight(1, 1, 0.01, 1, 4), 4);
}
END_TEST

START_TEST(sampling_keeps_a_quarter)
{
	ck_assert_uint_eq(budget_weight(0.002, 0.5, 0.01, 1, 16), 1);
	ck_assert_uint_eq(budget_weight(0.005, 0.5, 0.01, 1, 16), 2);
}
END_TEST

START_TEST(raised_again_with_some_room)
{
	/* the whole rate would take 0.9 %, which is within the budget, but just so */
	ck_assert_uint_eq(budget_weight(0.0045, 0.0045, 0.01, 2, 16), 2);
	ck_assert_uint_eq(budget_weight(0.0035, 0.0035, 0.01, 2, 16), 1);
	ck_assert_uint_eq(budget_weight(0, 0, 0.01, 16, 16), 1);
	/* not lower than needed, and not higher than it is */
	ck_assert_uint_eq(budget_weight(0.005, 0.005, 0.01, 4, 16), 3);
}
END_TEST

START_TEST(no_budget_no_weight)
{
	ck_assert_uint_eq(budget_weight(0.5, 0.9, 0, 8, 16), 1);
}
END_TEST

CHECK_MAIN("plopd/budget", within_the_budget_nothing_changes, beyond_it_sampling_takes_what_is_left,
	   sampling_keeps_a_quarter, raised_again_with_some_room, no_budget_no_weight);
