/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/compare.h"

#include <math.h>

#include "diff/fdr.h"
#include "diff/student.h"
#include "util/macro.h"

/* Functions with so many samples on both sides say how most of them changed. */
#define SCALE_SAMPLES 30
/* With fewer such functions nothing is said, and the scale is 1. */
#define SCALE_FUNCTIONS 8
/* With fewer windows on a side it is not looked whether a change shows all the time. */
#define PART_WINDOWS (3 * SIDE_PARTS)
/* The part of a change that has to show in each part of the time. */
#define PART_SHOWS 0.25
/* Callers that are new themselves are passed over, so many at most. */
#define CALLERS_MOST 32
#define CONFIDENCE   0.95

const struct compare_options compare_defaults = {
	.least_share = 0.001,
	.least_relative = 0.05,
	.false_share = 0.05,
};

const char *verdict_name(enum verdict v)
{
	static const char *const names[VERDICTS] = {
		[VERDICT_SAME] = "same",     [VERDICT_SLOWER] = "slower",
		[VERDICT_FASTER] = "faster", [VERDICT_UNCLEAR] = "unclear",
		[VERDICT_NEW] = "new",       [VERDICT_GONE] = "gone",
		[VERDICT_MOVED] = "moved",
	};

	return names[v];
}

/* How a share changed. */
struct change {
	double delta, variance, df;
};

/* What shares are held against where they are taken as they are. */
static const struct comparison unscaled = { .scale = 1 };

static struct change change_of(const struct fraction *base, const struct fraction *new,
			       const struct comparison *c)
{
	double now = new->value / c->scale, one, two;
	struct change d = { .delta = now - base->value };

	one = base->variance;
	two = new->variance / (c->scale * c->scale) + now *now * c->scale_variance;
	d.variance = one + two;
	/* Welch 1947, Satterthwaite 1946 */
	d.df = d.variance * d.variance / (one * one / base->df + two * two / new->df);
	return d;
}

static double change_p(const struct change *d)
{
	return student_two_sided(d->delta / sqrt(d->variance), d->df);
}

/* Half of the interval that delta lies in. */
static double change_width(const struct change *d)
{
	return isfinite(d->variance) ? student_within(CONFIDENCE, d->df) * sqrt(d->variance) :
				       INFINITY;
}

static int by_value(const void *pa, const void *pb)
{
	double a = *(const double *)pa, b = *(const double *)pb;

	return (a > b) - (a < b);
}

static double median(double *values, uint32_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/*
 * The median of all functions' ratios: most of them do not change, and those that do are few on
 * either side of it, however much of the time they take.
 */
static int find_scale(const struct side *sides, const struct compared *f, uint32_t n,
		      struct comparison *c)
{
	_cleanup_free_ double *logs = calloc((size_t)n + 1, sizeof(*logs));
	double middle, spread;
	uint32_t m = 0;

	if (!logs)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		double base = f[i].self[BASE_SIDE].sum, new = f[i].self[NEW_SIDE].sum;

		if (base >= SCALE_SAMPLES && new >= SCALE_SAMPLES)
			logs[m++] = log(new / sides[NEW_SIDE].sum / (base / sides[BASE_SIDE].sum));
	}
	c->scale = 1;
	c->scale_variance = 0;
	c->scale_functions = m;
	if (m < SCALE_FUNCTIONS)
		return 0;
	middle = median(logs, m);
	for (uint32_t i = 0; i < m; i++)
		logs[i] = fabs(logs[i] - middle);
	/* 1.4826: from the median of distances to a standard deviation, of a normal distribution */
	spread = 1.4826 * median(logs, m);
	c->scale = exp(middle);
	/* the variance of a median is pi / 2 times that of a mean */
	c->scale_variance = M_PI / 2 * spread * spread / m;
	return 0;
}

/*
 * The mean over all functions that have enough samples for it: one function's own is too rough, and
 * where it happens to be low the function would look sure.
 */
static void find_neighbours(const struct side *sides, const struct compared *f, uint32_t n,
			    struct comparison *c)
{
	for (int side = 0; side < SIDES; side++) {
		struct neighbours *all = &c->neighbours[side];
		uint32_t m = 0;

		for (uint32_t i = 0; i < n; i++) {
			const struct series *y = &f[i].self[side];
			const struct neighbours one = series_neighbours(y, &sides[side]);

			if (y->sum < SCALE_SAMPLES)
				continue;
			for (int lag = 0; lag < SIDE_LAGS; lag++)
				all->r[lag] += one.r[lag];
			m++;
		}
		for (int lag = 0; lag < SIDE_LAGS && m; lag++)
			all->r[lag] /= m;
	}
}

/* Whether the change shows in each part of the time in which the new side was looked at. */
static bool is_lasting(const struct side *sides, const struct compared *f,
		       const struct comparison *c)
{
	if (sides[NEW_SIDE].n < PART_WINDOWS)
		return true;
	for (uint32_t i = 0; i < SIDE_PARTS; i++) {
		double share = series_part(&f->self[NEW_SIDE], &sides[NEW_SIDE], i);

		if (!((share / c->scale - f->base_self) / f->rise >= PART_SHOWS))
			return false;
	}
	return true;
}

static bool is_large(const struct compared *f, double rise, const struct compare_options *o)
{
	return fabs(rise) >= o->least_share &&
	       (f->base_self <= 0 || fabs(rise) >= o->least_relative * f->base_self);
}

static enum verdict judge(const struct side *sides, const struct compared *f,
			  const struct comparison *c, const struct compare_options *o)
{
	if (isnan(f->rise) || !isfinite(f->rise_high))
		return VERDICT_UNCLEAR;
	if (f->q <= o->false_share && is_large(f, f->rise, o) && is_lasting(sides, f, c)) {
		if (f->total[BASE_SIDE].sum <= 0)
			return VERDICT_NEW;
		if (f->total[NEW_SIDE].sum <= 0)
			return VERDICT_GONE;
		return f->rise > 0 ? VERDICT_SLOWER : VERDICT_FASTER;
	}
	return is_large(f, f->rise_low, o) || is_large(f, f->rise_high, o) ? VERDICT_UNCLEAR :
									     VERDICT_SAME;
}

/*
 * How far the share of one that is like the others may lie from theirs. What differs from one to
 * the next is by what factor something costs more, so upwards it is the logarithm that goes by
 * chance.
 */
static double variance_of_one(const struct series *one, const struct side *side,
			      const struct series *others, const struct side *other_side,
			      double scale)
{
	double ratio = one->sum / side->sum / scale / (others->sum / other_side->sum);
	double far = ratio > 1 && isfinite(ratio) ? (ratio - 1) / log(ratio) : 1;

	return far * far * series_spread(others, other_side, side->sum);
}

/* of: of both sides. */
static struct fraction fraction_of(const struct series of[SIDES], const struct side *sides,
				   int which, const struct comparison *c)
{
	const struct side *side = &sides[which], *other = &sides[!which];
	struct fraction a = series_fraction(&of[which], side, &c->neighbours[which]);
	double spread;

	if (side->n == 1 && c->alone > 0) {
		a.variance = c->alone * series_chance(&of[which], side);
		a.df = STUDENT_DF_MOST;
	}
	if (side->n == 1 && c->one_of_others) {
		spread = variance_of_one(&of[which], side, &of[!which], other, c->scale);
		a.variance = MAX(a.variance, spread);
		a.df = MAX(other->n - 1.0, 1);
	}
	return a;
}

static struct change total_change(const struct side *sides, const struct compared *f,
				  const struct comparison *c)
{
	const struct fraction base = fraction_of(f->total, sides, BASE_SIDE, c);
	const struct fraction new = fraction_of(f->total, sides, NEW_SIDE, c);

	return change_of(&base, &new, c);
}

/*
 * Whether a total surely changed by less than half of what a function's own time did, and not by
 * so much that it would be called itself.
 */
static bool is_made_up_for(const struct change *total, double base, double rise,
			   const struct compare_options *o)
{
	double rest = rise > 0 ? total->delta : -total->delta, width = change_width(total);

	return rest + width < fabs(rise) && rest < fabs(rise) / 2 &&
	       !(rest > width && rest >= o->least_share && rest >= o->least_relative * base);
}

/* The nearest caller that is on both sides, or NULL. */
static const struct compared *caller_of(const struct compared *functions, uint32_t n,
					const struct compared *f)
{
	for (int i = 0; i < CALLERS_MOST && f->caller < n; i++) {
		f = &functions[f->caller];
		if (f->total[BASE_SIDE].sum > 0 && f->total[NEW_SIDE].sum > 0)
			return f;
	}
	return NULL;
}

/*
 * Its own time went to functions that it calls, or came from them, if its total stays. It went to
 * the one that calls it, or came from there, if that one's total stays; but where the function is
 * on both sides another that is called from there may have changed the other way by chance, so the
 * caller's own time must have changed for it.
 */
static bool is_moved(const struct side *sides, const struct compared *functions, uint32_t n,
		     const struct compared *f, const struct comparison *c,
		     const struct compare_options *o)
{
	const struct compared *caller = caller_of(functions, n, f);
	bool on_both = f->base_total > 0 && f->new_total > 0;
	struct change total = total_change(sides, f, c);

	if (on_both && is_made_up_for(&total, f->base_total, f->rise, o))
		return true;
	if (!caller || (on_both && !(-caller->rise / f->rise > 0.5)))
		return false;
	total = total_change(sides, caller, c);
	return is_made_up_for(&total, caller->base_total, f->rise, o);
}

static void measure(const struct side *sides, struct compared *f, const struct comparison *c,
		    const struct compare_options *o, double *p)
{
	struct fraction self[SIDES];
	struct change plain, held;
	double width;

	for (int i = 0; i < SIDES; i++)
		self[i] = fraction_of(f->self, sides, i, c);
	f->base_self = self[BASE_SIDE].value;
	f->new_self = self[NEW_SIDE].value;
	f->base_total = fraction_of(f->total, sides, BASE_SIDE, c).value;
	f->new_total = fraction_of(f->total, sides, NEW_SIDE, c).value;
	*p = f->rise = NAN;
	/* of many hosts nobody is told of the small ones, and intervals take most of the time */
	if (o->one_of_others && !(MAX(f->base_self, f->new_self) >= o->least_share))
		return;
	plain = change_of(&self[BASE_SIDE], &self[NEW_SIDE], &unscaled);
	width = change_width(&plain);
	f->delta = plain.delta;
	f->low = plain.delta - width;
	f->high = plain.delta + width;
	held = change_of(&self[BASE_SIDE], &self[NEW_SIDE], c);
	width = change_width(&held);
	f->rise = held.delta;
	f->rise_low = held.delta - width;
	f->rise_high = held.delta + width;
	f->relative = held.delta == 0 ? 0 : held.delta / f->base_self;
	*p = isfinite(width) ? change_p(&held) : NAN;
}

/*
 * Sets q from the probabilities p of all functions. What is too small to be called anything is no
 * comparison. Of the others those that take more of the time have more of the errors that may be
 * made, by the root of their share on both sides together, which says nothing of the difference:
 * weights as in Genovese, Roeder and Wasserman 2006.
 */
static int set_q(struct compared *f, double *p, uint32_t n, const struct compare_options *o)
{
	double sum = 0, among = MAX(o->among, 1u);
	uint32_t m = 0;
	int r;

	for (uint32_t i = 0; i < n; i++) {
		if (!(MAX(f[i].base_self, f[i].new_self) >= o->least_share))
			p[i] = NAN;
		if (isnan(p[i]))
			continue;
		sum += sqrt(f[i].base_self + f[i].new_self);
		m++;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!isnan(p[i]))
			p[i] = MIN(p[i] * among * sum / m / sqrt(f[i].base_self + f[i].new_self),
				   1);
	}
	r = fdr_adjust(p, n);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++)
		f[i].q = isnan(p[i]) ? 1 : p[i];
	return 0;
}

int compare_sides(const struct side sides[SIDES], struct compared *functions, uint32_t n,
		  const struct compare_options *o, struct comparison *ret)
{
	_cleanup_free_ double *p = calloc((size_t)n + 1, sizeof(*p));
	struct comparison c = { .windows = { sides[BASE_SIDE].n, sides[NEW_SIDE].n },
				.alone = o->alone,
				.one_of_others = o->one_of_others };
	int r;

	if (!p)
		return -ENOMEM;
	r = find_scale(sides, functions, n, &c);
	if (r < 0)
		return r;
	find_neighbours(sides, functions, n, &c);
	for (uint32_t i = 0; i < n; i++)
		measure(sides, &functions[i], &c, o, &p[i]);
	r = set_q(functions, p, n, o);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++)
		functions[i].verdict = judge(sides, &functions[i], &c, o);
	for (uint32_t i = 0; i < n; i++) {
		enum verdict v = functions[i].verdict;

		if (v != VERDICT_SAME && v != VERDICT_UNCLEAR &&
		    is_moved(sides, functions, n, &functions[i], &c, o))
			functions[i].verdict = VERDICT_MOVED;
	}
	*ret = c;
	return 0;
}
