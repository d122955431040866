/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/series.h"

#include <math.h>

static struct side side;
static const struct neighbours none; /* of all functions */

static void setup(void)
{
	memset(&side, 0, sizeof(side));
}

static void teardown(void)
{
	side_done(&side);
}

static struct series of(const double *y, uint32_t n)
{
	struct series s = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		if (y[i] > 0)
			series_add(&s, &side, i, y[i]);
	}
	return s;
}

static void windows(const double *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ck_assert_int_eq(side_add(&side, x[i], 0), 0);
	side_close(&side);
}

/* Neighbours that differ as far as they can are no reason to be surer. */
START_TEST(a_share_and_its_variance)
{
	static const double x[] = { 100, 200, 300, 400 }, y[] = { 20, 30, 75, 75 };
	double squares = 0;
	struct series s;
	struct fraction a;

	windows(x, 4);
	s = of(y, 4);
	a = series_fraction(&s, &side, &none);
	ck_assert_double_eq_tol(a.value, 0.2, 1e-12);
	for (int i = 0; i < 4; i++)
		squares += (y[i] - 0.2 * x[i]) * (y[i] - 0.2 * x[i]);
	ck_assert_double_eq_tol(a.variance, squares * 4 / 3 / 1e6, 1e-12);
	ck_assert_double_eq_tol(a.df, 3, 1e-12);
}
END_TEST

START_TEST(windows_that_are_all_equal_are_not_sure)
{
	static const double x[] = { 50, 50, 50, 50 }, y[] = { 10, 10, 10, 10 }, zero[4];
	struct series s;

	windows(x, 4);
	s = of(y, 4);
	ck_assert_double_eq_tol(series_fraction(&s, &side, &none).variance, 0.2 * 0.8 / 200, 1e-12);
	s = of(x, 4);
	ck_assert_double_eq(series_fraction(&s, &side, &none).value, 1);
	ck_assert_double_eq_tol(series_fraction(&s, &side, &none).variance, 199.0 / 200 / 200 / 200,
				1e-12);
	s = of(zero, 4);
	ck_assert_double_eq(series_fraction(&s, &side, &none).value, 0);
	ck_assert_double_eq_tol(series_fraction(&s, &side, &none).variance, 199.0 / 200 / 200 / 200,
				1e-12);
}
END_TEST

START_TEST(too_little_says_nothing)
{
	struct series s = { 0 };

	side_close(&side);
	ck_assert_double_nan(series_fraction(&s, &side, &none).value);
	ck_assert_int_eq(side_add(&side, 0, 0), 0);
	ck_assert_int_eq(side_add(&side, NAN, 0), 0);
	ck_assert_int_eq(side_add(&side, 10, 0), 0);
	side_close(&side);
	ck_assert_uint_eq(side.n, 1);
	series_add(&s, &side, 0, 5);
	ck_assert_double_eq(series_fraction(&s, &side, &none).value, 0.5);
	ck_assert_double_infinite(series_fraction(&s, &side, &none).variance);
	ck_assert_double_nan(series_part(&s, &side, 2));
}
END_TEST

/* Blocks of five alike windows, as a job makes that runs for minutes; some without the function. */
START_TEST(windows_that_go_with_their_neighbours_say_less)
{
	double sum = 0, lag = 0, r;
	double e[60], y[60];
	struct series s;
	struct fraction a;

	for (uint32_t i = 0; i < 60; i++) {
		y[i] = (i / 5) % 2 ? 20 : 0;
		ck_assert_int_eq(side_add(&side, 100, 0), 0);
	}
	side_close(&side);
	s = of(y, 60);
	a = series_fraction(&s, &side, &none);
	for (uint32_t i = 0; i < 60; i++) {
		e[i] = y[i] - 10;
		sum += e[i] * e[i];
		lag += i ? e[i] * e[i - 1] : 0;
	}
	r = lag / 59 / (sum / 60);
	r += 1.0 / 60;
	ck_assert_double_gt(r, 0.5);
	ck_assert_double_eq_tol(a.variance, sum * 60 / 59 / 36e6 * (1 + r) / (1 - r), 1e-10);
	ck_assert_double_eq_tol(a.df, 60 * (1 - r) / (1 + r) - 1, 1e-6);
}
END_TEST

/* Hosts are runs of their own: the last window of one is no neighbour of the next one's first. */
START_TEST(runs_are_apart)
{
	struct series s = { 0 };

	for (uint32_t i = 0; i < 12; i++)
		ck_assert_int_eq(side_add(&side, 100, i / 6), 0);
	side_close(&side);
	ck_assert_uint_eq(side.pairs[0], 10);
	ck_assert_uint_eq(side.pairs[1], 8);
	for (uint32_t i = 0; i < 12; i++)
		series_add(&s, &side, i, i < 6 ? 10 : 30);
	ck_assert_double_eq(s.lags[0], 5 * 100 + 5 * 900);
	ck_assert_double_eq(s.lags[1], 4 * 100 + 4 * 900);
	for (uint32_t i = 0; i < SIDE_PARTS; i++) {
		ck_assert_double_eq(side.parts[i], 400);
		ck_assert_double_eq(series_part(&s, &side, i), 0.2);
	}
}
END_TEST

CHECK_MAIN_WITH("diff/series", setup, teardown, a_share_and_its_variance,
		windows_that_are_all_equal_are_not_sure, too_little_says_nothing,
		windows_that_go_with_their_neighbours_say_less, runs_are_apart);
