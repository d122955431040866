/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/student.h"

#include <math.h>

#include "util/macro.h"

/* As many as the continued fraction needs at STUDENT_DF_MOST, with room. */
#define FRACTION_STEPS 2000
#define TINY           1e-300
/* Far more than it takes. */
#define NEWTON_STEPS 200
/* Where nothing is known. */
#define FARTHEST 1e12

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

/* The density at t is that at 0 times this. */
static double falls_to(double t, double df)
{
	return exp(-(df + 1) / 2 * log1p(t * t / df));
}

/*
 * By Newton's method from 0 on: what lies outside becomes less ever more slowly, so that no step
 * leads too far.
 */
double student_within(double inside, double df)
{
	double at_0, t = 0, step = 1;

	if (isnan(df) || df <= 0)
		return FARTHEST;
	df = MIN(df, STUDENT_DF_MOST);
	at_0 = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(df * M_PI);
	for (int i = 0; i < NEWTON_STEPS && step > 1e-9 * t; i++) {
		step = (student_two_sided(t, df) - (1 - inside)) / (2 * at_0 * falls_to(t, df));
		t += step;
	}
	return t;
}
