/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/student.h"

#include <math.h>

/* Of the printed tables of the t distribution, two-sided 5 %, 1 % and 0.1 %. */
static const struct {
	double df, t[3];
} table[] = {
	{ 1, { 12.706, 63.657, 636.619 } }, { 2, { 4.303, 9.925, 31.599 } },
	{ 5, { 2.571, 4.032, 6.869 } },     { 10, { 2.228, 3.169, 4.587 } },
	{ 30, { 2.042, 2.750, 3.646 } },    { 120, { 1.980, 2.617, 3.373 } },
	{ 1e9, { 1.960, 2.576, 3.291 } },
};

START_TEST(values_are_those_of_the_tables)
{
	static const double p[] = { 0.05, 0.01, 0.001 };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(p); j++) {
			ck_assert_double_eq_tol(student_two_sided(table[i].t[j], table[i].df), p[j],
						p[j] * 0.002);
			ck_assert_double_eq_tol(student_within(1 - p[j], table[i].df),
						table[i].t[j], table[i].t[j] * 0.0005);
		}
	}
}
END_TEST

START_TEST(far_out_is_still_told)
{
	/* of the Cauchy distribution, which one degree of freedom is: 1 - 2 / pi * atan(t) */
	for (double t = 0.01; t < 1e6; t *= 7)
		ck_assert_double_eq_tol(student_two_sided(t, 1), 1 - 2 / M_PI * atan(t),
					1e-9 * student_two_sided(t, 1) + 1e-12);
	/* of two: 1 - t / sqrt(2 + t * t) */
	for (double t = 0.01; t < 100; t *= 3)
		ck_assert_double_eq_tol(student_two_sided(t, 2), 1 - t / sqrt(2 + t * t), 1e-10);
	ck_assert_double_gt(student_two_sided(30, 1e9), 0);
	ck_assert_double_lt(student_two_sided(30, 1e9), 1e-190);
}
END_TEST

START_TEST(within_is_the_inverse)
{
	static const double inside[] = { 0.5, 0.95, 0.99, 0.9999 };

	for (double df = 0.7; df < 1e9; df *= 3) {
		for (size_t i = 0; i < ARRAY_SIZE(inside); i++) {
			double t = student_within(inside[i], df);

			ck_assert_double_eq_tol(student_two_sided(t, df), 1 - inside[i], 1e-8);
		}
	}
}
END_TEST

START_TEST(what_is_no_number_says_nothing)
{
	ck_assert_double_gt(student_within(0.95, NAN), 1e9);
	ck_assert_double_gt(student_within(0.95, 0), 1e9);
	ck_assert_double_eq(student_two_sided(NAN, 5), 1);
	ck_assert_double_eq(student_two_sided(3, NAN), 1);
	ck_assert_double_eq(student_two_sided(3, 0), 1);
	ck_assert_double_eq(student_two_sided(INFINITY, 5), 0);
	ck_assert_double_eq(student_two_sided(0, 5), 1);
	ck_assert_double_eq(student_two_sided(-2.571, 5), student_two_sided(2.571, 5));
}
END_TEST

CHECK_MAIN("diff/student", values_are_those_of_the_tables, far_out_is_still_told,
	   within_is_the_inverse, what_is_no_number_says_nothing);
