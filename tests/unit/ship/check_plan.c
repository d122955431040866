/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "ship/plan.h"

#include <math.h>

#define WINDOW_NS (30 * NSEC_PER_SEC)
#define DAY_NS    (86400 * NSEC_PER_SEC)
#define BEGIN_NS  (UINT64_C(20000) * DAY_NS)

static const struct ship_service shop = { .name = "shop", .version = "7", .nth = 100 };

/* Another number for each host, as getrandom() would have it; the same in each run. */
static uint64_t host_of(uint64_t n)
{
	n += UINT64_C(0x9e3779b97f4a7c15) * (n + 1);
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

/* Four standard deviations of how often something with probability p happens in n draws. */
static double far(double n, double p)
{
	return 4 * sqrt(n * p * (1 - p));
}

START_TEST(numbers_out_of_bounds_are_refused)
{
	static const struct ship_plan bad[] = {
		{ .share = 0, .share_least = 1 },
		{ .share = SHIP_MILLION + 1, .share_least = 1 },
		{ .share = 1000, .share_least = 0 },
		{ .share = 1000, .share_least = 1001 },
		{ .share = 1000, .share_least = 1000, .deploy_hosts = 3 },
		{ .share = 1000, .share_least = 1000, .deploy_windows = 3 },
	};
	const struct ship_plan good = { .share = SHIP_MILLION, .share_least = 1 };
	const char *error = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		error = NULL;
		ck_assert_int_eq(ship_plan_check(&bad[i], &error), -EINVAL);
		ck_assert_ptr_nonnull(error);
	}
	error = NULL;
	ck_assert_int_eq(ship_plan_check(&good, &error), 0);
	ck_assert_ptr_null(error);
}
END_TEST

START_TEST(the_same_share_of_hosts_at_each_time_and_of_times_at_each_host)
{
	static const uint32_t shares[] = { 1000, 100000, 300000, 900000 };

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		struct ship_plan p = { .share = shares[i], .share_least = shares[i] };
		double share = shares[i] / 1e6;
		unsigned int hosts = 0, windows = 0;

		for (uint64_t n = 0; n < 20000; n++) {
			hosts += ship_plan_takes(&p, host_of(n), BEGIN_NS, &shop);
			windows += ship_plan_takes(&p, host_of(1), BEGIN_NS + n * WINDOW_NS, &shop);
		}
		ck_assert_double_eq_tol(hosts, 20000 * share, far(20000, share));
		ck_assert_double_eq_tol(windows, 20000 * share, far(20000, share));
		ck_assert_double_eq_tol((double)ship_plan_weight(&p, &shop), 1e6 / share, 1);
	}
}
END_TEST

START_TEST(all_is_shipped_with_a_share_of_one)
{
	const struct ship_plan p = { .share = SHIP_MILLION, .share_least = SHIP_MILLION };

	ck_assert_uint_eq(ship_plan_weight(&p, &shop), SHIP_MILLION);
	for (uint64_t n = 0; n < 20000; n++)
		ck_assert(ship_plan_takes(&p, host_of(n), BEGIN_NS + n * WINDOW_NS, &shop));
}
END_TEST

/* A larger share takes what a smaller one takes, and more. */
START_TEST(a_change_of_the_share_keeps_what_was_taken)
{
	const struct ship_plan small = { .share = 100000, .share_least = 100000 },
			       large = { .share = 200000, .share_least = 200000 };

	for (uint64_t n = 0; n < 20000; n++)
		if (ship_plan_takes(&small, host_of(n), BEGIN_NS, &shop))
			ck_assert(ship_plan_takes(&large, host_of(n), BEGIN_NS, &shop));
}
END_TEST

START_TEST(by_host_a_day_is_whole)
{
	const struct ship_plan p = { .share = 300000, .share_least = 300000, .by_host = true };
	unsigned int hosts = 0, again = 0;

	for (uint64_t n = 0; n < 2000; n++) {
		bool first = ship_plan_takes(&p, host_of(n), BEGIN_NS, &shop);

		hosts += first;
		for (uint64_t t = BEGIN_NS; t < BEGIN_NS + DAY_NS; t += DAY_NS / 24)
			ck_assert_int_eq(ship_plan_takes(&p, host_of(n), t, &shop), first);
		again += first && ship_plan_takes(&p, host_of(n), BEGIN_NS + DAY_NS, &shop);
	}
	ck_assert_double_eq_tol(hosts, 600, far(2000, 0.3));
	/* and the next day it is drawn anew */
	ck_assert_double_eq_tol(again, 180, far(2000, 0.09));
}
END_TEST

START_TEST(a_target_lowers_the_share_within_its_limits)
{
	const struct ship_plan p = { .share = 100000, .share_least = 1000, .target = 40000 };
	struct ship_service s = shop;

	ck_assert_uint_eq(ship_plan_weight(&p, &s), 10 * SHIP_MILLION);
	s.samples_an_hour = 100000;
	ck_assert_uint_eq(ship_plan_weight(&p, &s), 10 * SHIP_MILLION);
	s.samples_an_hour = 4000000;
	ck_assert_uint_eq(ship_plan_weight(&p, &s), 100 * SHIP_MILLION);
	s.samples_an_hour = UINT64_MAX;
	ck_assert_uint_eq(ship_plan_weight(&p, &s), 1000 * UINT64_C(1000000));
}
END_TEST

START_TEST(a_new_version_is_shipped_whole_on_some_hosts)
{
	const struct ship_plan p = {
		.share = 1000, .share_least = 1000, .deploy_windows = 20, .deploy_hosts = 50
	};
	struct ship_service s = { .name = "shop", .version = "8", .hosts = 2000 };
	unsigned int whole = 0, later = 0;

	for (uint64_t n = 0; n < 2000; n++) {
		unsigned int taken = 0;

		for (s.nth = 1; s.nth <= 20; s.nth++)
			taken += ship_plan_takes(&p, host_of(n), BEGIN_NS + s.nth * WINDOW_NS, &s);
		whole += taken == 20;
		for (; s.nth <= 40; s.nth++)
			later += ship_plan_takes(&p, host_of(n), BEGIN_NS + s.nth * WINDOW_NS, &s);
	}
	ck_assert_double_eq_tol(whole, 50, far(2000, 0.025));
	ck_assert_double_eq_tol(later, 40, far(40000, 0.001));
	s.nth = 1;
	ck_assert_double_eq_tol((double)ship_plan_weight(&p, &s), 1e6 / (1 - 0.975 * 0.999), 1);
	/* on few hosts, or where it is not known how many have it, on all */
	s.hosts = 50;
	ck_assert_uint_eq(ship_plan_weight(&p, &s), SHIP_MILLION);
	ck_assert(ship_plan_takes(&p, host_of(1), BEGIN_NS, &s));
	/* a version that is not known is not a new one */
	s.version = "";
	ck_assert_uint_eq(ship_plan_weight(&p, &s), 1000 * UINT64_C(1000000));
}
END_TEST

/* One fleet: what all that was shipped of it adds up to, by its weights. */
static double estimate(const struct ship_plan *p, uint64_t fleet, double *ret_truth)
{
	double sum = 0, truth = 0;

	for (uint64_t n = 0; n < 200; n++) {
		for (uint32_t w = 1; w <= 40; w++) {
			/* a large service with a target, a small one, and one that is pushed */
			const struct ship_service services[] = {
				{ "big", "1", 900000 + w * 1000, 200, w + 1000 },
				{ "small", "1", 0, 0, w + 1000 },
				{ "pushed", "2", 40000, 200, w },
			};

			for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
				/* hosts differ, and times */
				double n_here = (double)((n % 7 + 1) * (w % 5 + 1) * (i + 1));

				truth += n_here;
				if (ship_plan_takes(p, host_of(fleet * 200 + n),
						    BEGIN_NS + w * WINDOW_NS, &services[i]))
					sum += n_here * (double)ship_plan_weight(p, &services[i]) /
					       1e6;
			}
		}
	}
	*ret_truth = truth;
	return sum;
}

static void is_unbiased(const struct ship_plan *p)
{
	enum { FLEETS = 300 };
	double sum = 0, squares = 0, truth = 0, mean, error;

	for (uint64_t fleet = 0; fleet < FLEETS; fleet++) {
		double x = estimate(p, fleet, &truth);

		sum += x;
		squares += x * x;
	}
	mean = sum / FLEETS;
	error = sqrt((squares / FLEETS - mean * mean) / (FLEETS - 1));
	ck_assert_double_eq_tol(mean, truth, 4 * error);
	/* and that says something */
	ck_assert_double_lt(error, truth / 100);
}

START_TEST(sums_over_hosts_are_unbiased)
{
	static const struct ship_plan plans[] = {
		{ .share = 100000, .share_least = 100000 },
		{ .share = 300000, .share_least = 300000, .by_host = true },
		{ .share = 200000, .share_least = 50000, .target = 90000 },
		{ .share = 100000,
		  .share_least = 20000,
		  .target = 30000,
		  .deploy_windows = 20,
		  .deploy_hosts = 30 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(plans); i++)
		is_unbiased(&plans[i]);
}
END_TEST

CHECK_MAIN("ship/plan", numbers_out_of_bounds_are_refused,
	   the_same_share_of_hosts_at_each_time_and_of_times_at_each_host,
	   all_is_shipped_with_a_share_of_one, a_change_of_the_share_keeps_what_was_taken,
	   by_host_a_day_is_whole, a_target_lowers_the_share_within_its_limits,
	   a_new_version_is_shipped_whole_on_some_hosts, sums_over_hosts_are_unbiased);
