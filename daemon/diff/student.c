/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/student.h"

#include <math.h>

#include "util/macro.h"

/* As many as the continued fraction needs at STUDENT_DF_MOST, with room. */
#define FRACTION_STEPS 2000
#define TINY           1e-300

static double not_zero(double x)
{
	return fabs(x) < TINY ? TINY : x;
}

/*
 * The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method. It
 * converges fast where x < (a + 1) / (a + b + 2).
 */
static double beta_fraction(double x, double a, double b)
{
	double c = 1, d = 1 / not_zero(1 - (a + b) * x / (a + 1)), f = d;

	for (int m = 1; m <= FRACTION_STEPS; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step;

		d = 1 / not_zero(1 + even * d);
		c = not_zero(1 + even / c);
		f *= c * d;
		d = 1 / not_zero(1 + odd * d);
		c = not_zero(1 + odd / c);
		step = c * d;
		f *= step;
		if (fabs(step - 1) < 1e-14)
			break;
	}
	return f;
}

/* The regularized incomplete beta function I_x(a, b); y is 1 - x, which x alone may not show. */
static double beta(double x, double y, double a, double b)
{
	double front;

	if (x <= 0 || y <= 0)
		return x <= 0 ? 0 : 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(x, a, b) / a;
	return 1 - front * beta_fraction(y, b, a) / b;
}

double student_two_sided(double t, double df)
{
	double all;

	if (isnan(t) || isnan(df) || df <= 0)
		return 1;
	if (isinf(t))
		return 0;
	df = MIN(df, STUDENT_DF_MOST);
	all = df + t * t;
	return beta(df / all, t * t / all, df / 2, 0.5);
}

double student_within(double inside, double df)
{
	double low = 0, high = 1, middle;

	while (student_two_sided(high, df) > 1 - inside && high < 1e12)
		high *= 2;
	for (int i = 0; i < 100 && high - low > 1e-9 * high; i++) {
		middle = (low + high) / 2;
		if (student_two_sided(middle, df) > 1 - inside)
			low = middle;
		else
			high = middle;
	}
	return high;
}
