/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/fdr.h"

#include <math.h>

/* The fifteen of Benjamini and Hochberg's paper, of which four are called at 0.05. */
START_TEST(the_example_of_the_paper)
{
	double p[] = { 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
		       0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000 };
	int called = 0;

	ck_assert_int_eq(fdr_adjust(p, ARRAY_SIZE(p)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		called += p[i] <= 0.05;
	ck_assert_int_eq(called, 4);
	ck_assert_double_eq_tol(p[0], 0.0015, 1e-12);
	ck_assert_double_eq_tol(p[3], 0.0095 * 15 / 4, 1e-12);
	ck_assert_double_eq(p[14], 1);
}
END_TEST

START_TEST(order_and_ties_do_not_matter)
{
	double p[] = { 0.04, 0.01, 0.04, 0.02 };

	ck_assert_int_eq(fdr_adjust(p, 4), 0);
	ck_assert_double_eq_tol(p[0], 0.04, 1e-12);
	ck_assert_double_eq_tol(p[1], 0.04, 1e-12);
	ck_assert_double_eq_tol(p[2], 0.04, 1e-12);
	ck_assert_double_eq_tol(p[3], 0.04, 1e-12);
}
END_TEST

START_TEST(what_is_no_number_does_not_count)
{
	double p[] = { NAN, 0.02, NAN, 0.5 };

	ck_assert_int_eq(fdr_adjust(p, 4), 0);
	ck_assert_double_nan(p[0]);
	ck_assert_double_nan(p[2]);
	ck_assert_double_eq_tol(p[1], 0.04, 1e-12);
	ck_assert_double_eq_tol(p[3], 0.5, 1e-12);
	ck_assert_int_eq(fdr_adjust(p, 0), 0);
}
END_TEST

CHECK_MAIN("diff/fdr", the_example_of_the_paper, order_and_ties_do_not_matter,
	   what_is_no_number_does_not_count);
