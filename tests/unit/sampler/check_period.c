/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "check_main.h"
#include "plop/events.h"
#include "sampler/period.h"
#include "util/clock.h"

static const uint32_t rates[] = { 1, 2, 10, 99, 100, 400, 997, 2500, 2501, 5000, 10000 };

/*
 * The ticks of an event for a number of changes, and their time in seconds; late: each change by up
 * to as much, some by more.
 */
static double ticks_of(struct period *p, unsigned int changes, uint64_t late, double *ret_seconds)
{
	double ticks = 0, seconds = 0;

	for (unsigned int i = 0; i < changes; i++) {
		uint64_t elapsed = period_lasts_now(p);

		if (late)
			elapsed += i * UINT64_C(7919) % late * (i % 10 == 0 ? 5 : 1);
		ticks += (double)(elapsed / p->ns);
		seconds += (double)elapsed / NSEC_PER_SEC;
		period_next(p, elapsed);
	}
	*ret_seconds = seconds;
	return ticks;
}

START_TEST(mean_rate)
{
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		for (uint64_t seed = 0; seed < 8; seed++) {
			double seconds, ticks, mean = (double)period_lasts(rates[i]) / NSEC_PER_SEC;
			struct period p;

			period_begin(&p, rates[i], seed, 1, 0, 1);
			ticks = ticks_of(&p, 10000, 0, &seconds);
			/* what is still owed or has drifted is that of a few changes */
			ck_assert_double_le(fabs(ticks - rates[i] * seconds),
					    1 + 4 * mean * rates[i]);
		}
	}
}
END_TEST

/* What is owed at one rate is paid at the next one: ticks count as many as they are fewer. */
START_TEST(turned_rate)
{
	static const double parts[] = { 1, 0.5, 1.0 / 3, 0.0625, 0.5 };
	double ticks = 0, counted = 0, seconds, expected = 0;
	struct period p;

	period_begin(&p, 97, 11, 1, 0, 1);
	for (size_t i = 0; i < 2000; i++) {
		double part = parts[i % ARRAY_SIZE(parts)];

		period_turn(&p, 97 * part);
		ticks = ticks_of(&p, 20, 0, &seconds);
		counted += ticks / part;
		expected += 97 * seconds;
	}
	ck_assert_double_le(fabs(counted / expected - 1), 0.002);
}
END_TEST

/*
 * Changes that come late, some of them very, as those of a daemon on a busy host, make no ticks too
 * many or too few.
 */
START_TEST(late_changes)
{
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		double seconds, ticks;
		struct period p;

		period_begin(&p, rates[i], 5, 1, 0, 1);
		ticks = ticks_of(&p, 10000, 2 * period_lasts(rates[i]), &seconds);
		ck_assert_double_le(fabs(ticks / (rates[i] * seconds) - 1), 0.002);
	}
}
END_TEST

/*
 * At the rates at which work can keep step, frequencies of work meet the ticks' evenly: see
 * period.h.
 */
START_TEST(evenly_spread)
{
	const double nominal = 1e9 / 100;
	unsigned int parts[12] = {};
	struct period p;

	period_begin(&p, 100, 1, 1, 0, 0);
	for (unsigned int i = 0; i < 60000; i++) {
		/* of the longest, in twelfths: 3 and up */
		double part = 100 / p.rate * 12 / 1.5803611;

		ck_assert_double_ge(part, 3);
		ck_assert_double_lt(part, 12);
		parts[(unsigned int)part]++;
		/* as drawn: without what is owed or levelled */
		p.owed = p.drift = 0;
		period_next(&p, 0);
		ck_assert_double_le((double)p.ns, PERIOD_MOST * nominal);
	}
	for (int i = 3; i < 12; i++) {
		double right = i >= 6 ? 6 : i >= 4 ? 3 : 1;

		ck_assert_double_le(fabs(parts[i] / 60000.0 - right / 43), 0.005);
	}
}
END_TEST

START_TEST(bounds)
{
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		double nominal = 1e9 / rates[i];
		struct period p;

		for (uint64_t seed = 0; seed < 10; seed++) {
			period_begin(&p, rates[i], seed * seed << 40 ^ seed, 1, 0, 2);
			for (int k = 0; k < 1000; k++) {
				/* none at all, usual ones, and days */
				static const uint64_t factor[] = { 0, 1, 1, 3, 1000000 };
				uint64_t ns =
					period_next(&p, period_lasts(rates[i]) * factor[k % 5]);

				ck_assert_double_ge((double)ns, PERIOD_LEAST * nominal - 1);
				ck_assert_double_le((double)ns, PERIOD_MOST * nominal + 1);
				/* what the kernel takes for the least (perf_swevent_hrtimer()) */
				ck_assert_uint_ge(ns, 10000);
			}
		}
	}
}
END_TEST

START_TEST(says_the_set)
{
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		for (uint32_t channel = 1; channel <= PLOP_MAX_CHANNELS; channel++) {
			double seconds, ticks;
			struct period p;

			period_begin(&p, rates[i], channel, PLOP_PERIOD_STEP, channel, 1);
			ck_assert_uint_eq(p.ns & PLOP_PERIOD_CHANNEL, channel);
			ck_assert_uint_eq(period_next(&p, period_lasts(rates[i])) &
						  PLOP_PERIOD_CHANNEL,
					  channel);
			ticks = ticks_of(&p, 10000, 0, &seconds);
			ck_assert_double_le(fabs(ticks / (rates[i] * seconds) - 1), 0.001);
		}
	}
}
END_TEST

START_TEST(not_foreseen)
{
	struct period a, b;
	int same = 0;

	period_begin(&a, 100, 1, 1, 0, 1);
	period_begin(&b, 100, 2, 1, 0, 1);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = period_lasts_now(&a), y = period_lasts_now(&b);

		ck_assert_uint_ge(x, period_lasts(100) / 2);
		ck_assert_uint_le(x, period_lasts(100) * 3 / 2);
		same += x == y || period_next(&a, x) == period_next(&b, y);
	}
	/* both may be as long as a period can be */
	ck_assert_int_le(same, 10);
}
END_TEST

CHECK_MAIN("period", mean_rate, turned_rate, late_changes, evenly_spread, bounds, says_the_set,
	   not_foreseen);
