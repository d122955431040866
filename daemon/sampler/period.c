/* SPDX-License-Identifier: BSD-2-Clause */
#include "sampler/period.h"
#include "util/clock.h"

/*
 * The longest period, as a part of the nominal one: 72/43 * (log 2 + log(3/2) / 2 + log(4/3) / 6).
 */
#define LONGEST 1.5803611

#define TICKS 8
/* Up to this rate the range of the periods is the whole one. */
#define WHOLE_HZ 2500.0

/*
 * How much of the drift each change makes good. More than that would make each rate depend on the
 * one before.
 */
#define LEVELLED 0.35
/*
 * How much of the rate what is owed, and what has drifted, may each add or take: the rest is for
 * later.
 */
#define PAID_MOST 0.5
/*
 * What is remembered of either at most, in mean numbers of ticks between two changes, where changes
 * come very late.
 */
#define REMEMBERED 64.0
/* In the mean of how long periods were in force each has this weight. */
#define LASTS_WEIGHT 0.125

/*
 * splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. Returns 0
 * to 1, 1 excluded.
 */
static double draw(struct period *p)
{
	uint64_t z = p->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ z >> 31) >> 11) / (double)(UINT64_C(1) << 53);
}

/* How much wider the whole range is than that of this rate. */
static double narrower(double hz)
{
	return hz > WHOLE_HZ ? hz / WHOLE_HZ * (hz / WHOLE_HZ) : 1.0;
}

/* Between two changes. */
static double ticks_mean(double hz)
{
	return TICKS * (hz > WHOLE_HZ ? narrower(hz) * hz / WHOLE_HZ : 1.0);
}

uint64_t period_lasts(double hz)
{
	return (uint64_t)(ticks_mean(hz) * (double)NSEC_PER_SEC / hz);
}

uint64_t period_lasts_now(struct period *p)
{
	double mean = (double)period_lasts(p->hz);

	return (uint64_t)(mean * (0.5 + draw(p)));
}

static double limited(double value, double least, double most)
{
	return value < least ? least : value > most ? most : value;
}

/* Draws the next rate, and sets the period by it and by what is owed. */
static void period_draw(struct period *p)
{
	double u = 43 * draw(p), part, ns, rate, nominal = (double)NSEC_PER_SEC / p->hz;
	double paid = PAID_MOST * p->hz;

	/* 36 parts from 1/2 to 1, 6 from 1/3 to 1/2, one from 1/4 to 1/3 */
	part = LONGEST * (u < 36 ? 1.0 / 2 + u / 72 :
			  u < 42 ? 1.0 / 3 + (u - 36) / 36 :
				   1.0 / 4 + (u - 42) / 12);
	p->rate = p->hz / (1 + (part - 1) / narrower(p->hz)) -
		  limited(LEVELLED * p->drift / p->lasts, -paid, paid);
	rate = p->rate + limited(p->owed / p->lasts, -paid, paid);
	ns = rate > 0 ? (double)NSEC_PER_SEC / rate : PERIOD_MOST * nominal;
	ns = limited(ns, PERIOD_LEAST * nominal, PERIOD_MOST * nominal);
	p->ns = (uint64_t)ns / p->step * p->step + p->more;
}

void period_begin(struct period *p, double hz, uint64_t seed, uint32_t step, uint32_t more,
		  unsigned int beginnings)
{
	*p = (struct period){ .random = seed, .hz = hz, .step = step, .more = more };
	p->lasts = (double)period_lasts(hz) / (double)NSEC_PER_SEC;
	/* the missing half is up to a whole one, evenly */
	for (unsigned int i = 0; i < beginnings; i++)
		p->owed += draw(p);
	period_draw(p);
}

uint64_t period_next(struct period *p, uint64_t elapsed_ns)
{
	double seconds = (double)elapsed_ns / (double)NSEC_PER_SEC, most;
	uint64_t ticks = elapsed_ns / p->ns;

	most = REMEMBERED * ticks_mean(p->hz);
	p->owed = limited(p->owed + p->rate * seconds - (double)ticks, -most, most);
	p->drift = limited(p->drift + (p->rate - p->hz) * seconds, -most, most);
	p->lasts += LASTS_WEIGHT * (seconds - p->lasts);
	/* never so short that what is paid would be too much for a usual one */
	if (p->lasts < (double)period_lasts(p->hz) / (double)NSEC_PER_SEC)
		p->lasts = (double)period_lasts(p->hz) / (double)NSEC_PER_SEC;
	period_draw(p);
	return p->ns;
}

uint64_t period_turn(struct period *p, double hz)
{
	p->owed *= hz / p->hz;
	p->drift *= hz / p->hz;
	p->lasts = (double)period_lasts(hz) / (double)NSEC_PER_SEC;
	p->hz = hz;
	period_draw(p);
	return p->ns;
}
