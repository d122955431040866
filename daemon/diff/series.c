/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/series.h"

#include <math.h>

#include "util/array.h"

/* However alike neighbours are, so many windows in a row say as much as one. */
#define ALIKE_MOST 20.0
/* From lag to lag a correlation is believed to fall by no less than to this. */
#define FALLS_MOST 0.9

static double between(double least, double x, double most)
{
	return fmin(fmax(x, least), most);
}

void side_done(struct side *s)
{
	free(s->windows);
	*s = (struct side){ 0 };
}

int side_add(struct side *s, double total, uint32_t run)
{
	void *array = s->windows;
	int r;

	if (!(total > 0))
		return 0;
	r = array_reserve(&array, s->n, &s->room, sizeof(*s->windows));
	if (r < 0)
		return r;
	s->windows = array;
	s->windows[s->n++] = (struct side_window){ .total = total, .run = run };
	return 0;
}

/* Whether the window that comes so many after this one is of the same run. */
static bool is_followed(const struct side *s, uint32_t i, uint32_t by)
{
	return i + by < s->n && s->windows[i].run == s->windows[i + by].run;
}

/* Parts are of the time of each run: all hosts have all parts. */
static void set_parts(struct side *s)
{
	uint32_t end;

	for (uint32_t i = 0; i < s->n; i = end) {
		for (end = i + 1; end < s->n && is_followed(s, end - 1, 1);)
			end++;
		for (uint32_t j = i; j < end; j++)
			s->windows[j].part = (uint64_t)(j - i) * SIDE_PARTS / (end - i);
	}
}

void side_close(struct side *s)
{
	set_parts(s);
	s->sum = s->squares = 0;
	memset(s->lags, 0, sizeof(s->lags));
	memset(s->pairs, 0, sizeof(s->pairs));
	memset(s->parts, 0, sizeof(s->parts));
	for (uint32_t i = 0; i < s->n; i++) {
		double x = s->windows[i].total;

		s->sum += x;
		s->squares += x * x;
		s->parts[s->windows[i].part] += x;
		for (uint32_t by = 1; by <= SIDE_LAGS; by++) {
			if (is_followed(s, i, by)) {
				s->lags[by - 1] += x * s->windows[i + by].total;
				s->pairs[by - 1]++;
			}
		}
	}
}

void series_add(struct series *y, const struct side *s, uint32_t i, double samples)
{
	double x = s->windows[i].total, before[SIDE_LAGS] = { 0 };

	/* before[by - 1]: y of the window that comes so many before this one */
	for (uint32_t by = 1; by <= SIDE_LAGS; by++) {
		uint32_t ago = i + 1 - y->window; /* of last[0] */

		if (y->window && by >= ago)
			before[by - 1] = y->last[by - ago];
		if (is_followed(s, i, by))
			y->cross_lags[by - 1] += samples * s->windows[i + by].total;
		if (i >= by && is_followed(s, i - by, by)) {
			y->cross_lags[by - 1] += s->windows[i - by].total * samples;
			y->lags[by - 1] += before[by - 1] * samples;
		}
	}
	y->sum += samples;
	y->squares += samples * samples;
	y->cross += samples * x;
	y->parts[s->windows[i].part] += samples;
	for (uint32_t by = SIDE_LAGS; by > 1; by--)
		y->last[by - 1] = before[by - 2];
	y->last[0] = samples;
	y->window = i + 1;
}

struct side side_without(const struct side *s, double total)
{
	struct side a = { .n = s->n - 1,
			  .sum = s->sum - total,
			  .squares = s->squares - total * total };

	a.parts[0] = a.sum;
	return a;
}

void series_take(struct series *y, double total, double samples)
{
	y->sum -= samples;
	y->squares -= samples * samples;
	y->cross -= samples * total;
	y->parts[0] -= samples;
}

struct side side_of_one(double total)
{
	return (struct side){ .n = 1, .sum = total, .squares = total * total, .parts = { total } };
}

struct series series_of_one(double total, double samples)
{
	return (struct series){ .sum = samples,
				.squares = samples * samples,
				.cross = samples * total,
				.parts = { samples } };
}

/* Sum of the squares of the residuals y - share * x. */
static double residual_squares(const struct series *y, const struct side *s, double share)
{
	double squares = y->squares - 2 * share * y->cross + share * share * s->squares;

	return MAX(squares, 0);
}

struct neighbours series_neighbours(const struct series *y, const struct side *s)
{
	double share = y->sum / s->sum, squares;
	struct neighbours a = { 0 };

	if (!(s->sum > 0))
		return a;
	squares = residual_squares(y, s, share);
	for (uint32_t i = 0; i < SIDE_LAGS && squares > 0; i++) {
		double lags = y->lags[i] - share * y->cross_lags[i] + share * share * s->lags[i];

		if (s->pairs[i] < 2)
			break;
		/* that of a sample is too low by so much where there is none (Kendall 1954) */
		a.r[i] = lags / s->pairs[i] / (squares / s->n) + 1.0 / s->n;
		a.r[i] = between(-1, a.r[i], 1);
	}
	return a;
}

/*
 * By what the variance of a mean of many windows is larger than if they were independent:
 * 1 + 2 * (the sum of the correlations at all lags), of a first-order autoregression under noise.
 */
static double inflation(const struct series *y, const struct side *s, const struct neighbours *all)
{
	const struct neighbours own = series_neighbours(y, s);
	double r = fmax(fmax(own.r[0], all->r[0]), 0), falls = r;

	if (all->r[0] > 0)
		falls = fmax(falls, fmin(all->r[1] / all->r[0], FALLS_MOST));
	return fmin(1 + 2 * r / fmax(1 - falls, 1e-9), ALIKE_MOST);
}

/* Of y among x independent samples. All and none are taken for all but one, and one. */
static double variance_of_chance(double y, double x)
{
	double share = x > 2 ? between(1, y, x - 1) / x : 0.5;

	return share * (1 - share) / x;
}

struct fraction series_fraction(const struct series *y, const struct side *s,
				const struct neighbours *all)
{
	struct fraction a = { .value = NAN, .variance = INFINITY, .df = 1 };
	double alike;

	if (!(s->sum > 0))
		return a;
	a.value = y->sum / s->sum;
	if (s->n < 2)
		return a;
	alike = inflation(y, s, all);
	a.variance =
		residual_squares(y, s, a.value) * alike * s->n / (s->n - 1) / (s->sum * s->sum);
	a.df = MAX(s->n / alike - 1, 1);
	a.variance = MAX(a.variance, variance_of_chance(y->sum, s->sum));
	return a;
}

double series_chance(const struct series *y, const struct side *s)
{
	return variance_of_chance(y->sum, s->sum);
}

double series_spread(const struct series *y, const struct side *s, double total)
{
	double squares;

	if (s->n < 2 || !(s->sum > 0))
		return INFINITY;
	squares = residual_squares(y, s, y->sum / s->sum) * s->n / (s->n - 1);
	return MAX(squares / s->squares, squares / s->sum / total);
}

double series_part(const struct series *y, const struct side *s, uint32_t part)
{
	return s->parts[part] > 0 ? y->parts[part] / s->parts[part] : NAN;
}
