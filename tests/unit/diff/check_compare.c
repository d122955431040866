/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/compare.h"

#include <math.h>

/*
 * Made-up services: windows of varying load, functions whose shares go up and down from window to
 * window by more than chance, and a handler that calls them all. The numbers are the same in each
 * run.
 */
#define FUNCTIONS 200
#define HANDLER   0 /* calls all others */

static uint64_t state;

static double uniform(void)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((state >> 11) + 0.5) / (double)(UINT64_C(1) << 53);
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

/* As many as a Poisson process has, near enough. */
static double counted(double mean)
{
	double n = mean < 12 ? 0 : round(mean + sqrt(mean) * normal());

	if (mean < 12) {
		for (double left = exp(-mean); left < 1 && n < 100; n++) {
			left /= uniform();
			if (left >= 1)
				break;
		}
	}
	return MAX(n, 0);
}

struct service {
	double cost[FUNCTIONS]; /* of a request */
	uint32_t caller[FUNCTIONS];
	double spread;    /* of a function's cost, from window to window */
	double neighbour; /* how far that goes with the window before */
};

static void service_new(struct service *s)
{
	*s = (struct service){ .spread = 0.05 };
	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		s->cost[i] = 1.0 / (i + 3);
		s->caller[i] = i == HANDLER ? COMPARED_NO_CALLER : HANDLER;
	}
}

static void run(const struct service *s, struct side *side, struct compared *f, int which,
		uint32_t n)
{
	double(*self)[FUNCTIONS] = calloc(n, sizeof(*self));
	double mood[FUNCTIONS] = { 0 };

	ck_assert_ptr_nonnull(self);
	memset(side, 0, sizeof(*side));
	for (uint32_t w = 0; w < n; w++) {
		double load = 500 + 2000 * uniform(), sum = 0;

		for (uint32_t i = 0; i < FUNCTIONS; i++) {
			mood[i] = s->neighbour * mood[i] +
				  sqrt(1 - s->neighbour * s->neighbour) * normal();
			self[w][i] = counted(load * s->cost[i] * exp(s->spread * mood[i]));
			sum += self[w][i];
		}
		ck_assert_int_eq(side_add(side, sum, 0), 0);
	}
	side_close(side);
	for (uint32_t i = 0; i < FUNCTIONS; i++)
		f[i].self[which] = f[i].total[which] = (struct series){ 0 };
	for (uint32_t w = 0; w < n; w++) {
		double total[FUNCTIONS];

		memcpy(total, self[w], sizeof(total));
		for (uint32_t i = FUNCTIONS - 1; i > 0; i--)
			total[s->caller[i]] += total[i];
		for (uint32_t i = 0; i < FUNCTIONS; i++) {
			if (self[w][i] > 0)
				series_add(&f[i].self[which], side, w, self[w][i]);
			if (total[i] > 0)
				series_add(&f[i].total[which], side, w, total[i]);
		}
	}
	free(self);
}

static struct compared functions[FUNCTIONS];

static struct comparison compare(const struct service *base, const struct service *new, uint32_t n,
				 uint32_t m)
{
	struct comparison c;
	struct side sides[SIDES];

	for (uint32_t i = 0; i < FUNCTIONS; i++)
		functions[i].caller = new->caller[i];
	run(base, &sides[BASE_SIDE], functions, BASE_SIDE, n);
	run(new, &sides[NEW_SIDE], functions, NEW_SIDE, m);
	ck_assert_int_eq(compare_sides(sides, functions, FUNCTIONS, &compare_defaults, &c), 0);
	side_done(&sides[BASE_SIDE]);
	side_done(&sides[NEW_SIDE]);
	return c;
}

/* How many functions have any of the verdicts that somebody is told of. */
static uint32_t called(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < FUNCTIONS; i++)
		n += functions[i].verdict != VERDICT_SAME &&
		     functions[i].verdict != VERDICT_UNCLEAR &&
		     functions[i].verdict != VERDICT_MOVED;
	return n;
}

START_TEST(the_same_service_twice)
{
	struct service s;
	int runs = 0;

	state = 1;
	service_new(&s);
	for (int i = 0; i < 60; i++)
		runs += compare(&s, &s, 60, 60).scale_functions > 50 && called() > 0;
	/* 5 % of 60 are 3; 6 or fewer is what that gives in 97 % */
	ck_assert_int_le(runs, 6);
	s.neighbour = 0.7;
	runs = 0;
	for (int i = 0; i < 60; i++)
		runs += compare(&s, &s, 60, 60).scale_functions > 50 && called() > 0;
	ck_assert_int_le(runs, 6);
}
END_TEST

/* A function of 2 % that costs 10 % more. */
START_TEST(a_tenth_more_is_found)
{
	struct service base, new;
	double all = 0;
	int found = 0, others = 0;
	uint32_t which = 1;

	state = 2;
	service_new(&base);
	for (uint32_t i = 0; i < FUNCTIONS; i++)
		all += base.cost[i];
	while (base.cost[which] / all > 0.02)
		which++;
	new = base;
	new.cost[which] *= 1.1;
	for (int i = 0; i < 40; i++) {
		compare(&base, &new, 100, 100);
		found += functions[which].verdict == VERDICT_SLOWER;
		others += called() - (functions[which].verdict == VERDICT_SLOWER) > 0;
	}
	ck_assert_int_ge(found, 36);
	ck_assert_int_le(others, 5);
}
END_TEST

/* What a large change does to the shares of all others is no change of theirs. */
START_TEST(only_what_changed_is_named)
{
	struct service base, new;
	struct comparison c;

	state = 3;
	service_new(&base);
	base.cost[7] = 2;
	new = base;
	new.cost[7] = 4;
	c = compare(&base, &new, 60, 60);
	ck_assert_int_eq(functions[7].verdict, VERDICT_SLOWER);
	ck_assert_uint_eq(called(), 1);
	ck_assert_double_lt(c.scale, 0.85);
	ck_assert_double_eq_tol(functions[7].relative, 1, 0.1);
	ck_assert_double_le(functions[7].low, functions[7].delta);
	ck_assert_double_le(functions[7].delta, functions[7].high);
	ck_assert_double_eq(functions[7].delta, functions[7].new_self - functions[7].base_self);
	ck_assert_double_lt(functions[7].delta, functions[7].rise);
	ck_assert_double_le(functions[7].rise_low, functions[7].rise);
	ck_assert_double_le(functions[7].rise, functions[7].rise_high);
	c = compare(&new, &base, 60, 60);
	ck_assert_int_eq(functions[7].verdict, VERDICT_FASTER);
	ck_assert_uint_eq(called(), 1);
}
END_TEST

START_TEST(code_that_moves_is_no_cost)
{
	struct service base, new;

	state = 4;
	service_new(&base);
	base.cost[5] = 0.4;
	base.cost[150] = 0;
	new = base;
	/* to a helper that the function calls now */
	new.cost[5] = 0.1;
	new.cost[150] = 0.3;
	new.caller[150] = 5;
	compare(&base, &new, 60, 60);
	ck_assert_int_eq(functions[5].verdict, VERDICT_MOVED);
	ck_assert_int_eq(functions[150].verdict, VERDICT_MOVED);
	ck_assert_uint_eq(called(), 0);
	/* and back */
	compare(&new, &base, 60, 60);
	ck_assert_uint_eq(called(), 0);
	/* a helper that does more than what was there before */
	new.cost[150] = 0.6;
	compare(&base, &new, 60, 60);
	ck_assert_int_eq(functions[150].verdict, VERDICT_NEW);
	/* to one that was there before */
	base.cost[150] = 0.2;
	base.caller[150] = 5;
	new.cost[150] = 0.5;
	compare(&base, &new, 60, 60);
	ck_assert_int_eq(functions[150].verdict, VERDICT_MOVED);
	ck_assert_uint_eq(called(), 0);
}
END_TEST

/* One became slower, another faster, both called from the same place: neither has moved. */
START_TEST(two_changes_at_once_are_two)
{
	struct service base, new;

	state = 5;
	service_new(&base);
	base.cost[5] = base.cost[6] = 0.4;
	new = base;
	new.cost[5] = 0.3;
	new.cost[6] = 0.5;
	compare(&base, &new, 60, 60);
	ck_assert_int_eq(functions[5].verdict, VERDICT_FASTER);
	ck_assert_int_eq(functions[6].verdict, VERDICT_SLOWER);
	ck_assert_uint_eq(called(), 2);
}
END_TEST

START_TEST(new_and_gone)
{
	struct service base, new;

	state = 6;
	service_new(&base);
	base.cost[9] = 0;
	new = base;
	new.cost[9] = 0.5;
	compare(&base, &new, 60, 60);
	ck_assert_int_eq(functions[9].verdict, VERDICT_NEW);
	ck_assert_double_infinite(functions[9].relative);
	compare(&new, &base, 60, 60);
	ck_assert_int_eq(functions[9].verdict, VERDICT_GONE);
}
END_TEST

/* It has to last: a third of the time is not enough, however much it was. */
START_TEST(what_does_not_last_is_unclear)
{
	struct side sides[SIDES] = { 0 };
	struct compared f[2] = { { .caller = COMPARED_NO_CALLER }, { .caller = 0 } };
	struct comparison c;

	for (int s = 0; s < SIDES; s++) {
		for (uint32_t i = 0; i < 90; i++)
			ck_assert_int_eq(side_add(&sides[s], 1000, 0), 0);
		side_close(&sides[s]);
		for (uint32_t i = 0; i < 90; i++) {
			double y = 100 + i % 7 + (s == NEW_SIDE && i < 30 ? 300 : 0);

			series_add(&f[0].self[s], &sides[s], i, 1000 - y);
			series_add(&f[0].total[s], &sides[s], i, 1000);
			series_add(&f[1].self[s], &sides[s], i, y);
			series_add(&f[1].total[s], &sides[s], i, y);
		}
	}
	ck_assert_int_eq(compare_sides(sides, f, 2, &compare_defaults, &c), 0);
	ck_assert_int_eq(f[1].verdict, VERDICT_UNCLEAR);
	side_done(&sides[0]);
	side_done(&sides[1]);
}
END_TEST

START_TEST(too_little_is_unclear)
{
	struct service s;
	struct comparison c;

	state = 7;
	service_new(&s);
	c = compare(&s, &s, 1, 60);
	ck_assert_uint_eq(called(), 0);
	ck_assert_int_eq(functions[3].verdict, VERDICT_UNCLEAR);
	ck_assert_uint_eq(c.windows[BASE_SIDE], 1);
	compare(&s, &s, 0, 60);
	ck_assert_uint_eq(called(), 0);
	ck_assert_int_eq(functions[3].verdict, VERDICT_UNCLEAR);
	ck_assert_double_nan(functions[3].base_self);
}
END_TEST

#define HOSTS 12
#define EACH  15 /* windows */

/* Hosts that are unlike each other, all of the time: one side, by host or window by window. */
static void run_hosts(const struct service *s, bool by_host, struct side *side, int which)
{
	static double self[HOSTS * EACH][FUNCTIONS];
	uint32_t n = by_host ? HOSTS : HOSTS * EACH;

	memset(side, 0, sizeof(*side));
	memset(self, 0, sizeof(self));
	for (uint32_t host = 0; host < HOSTS; host++) {
		double of_host[FUNCTIONS];

		for (uint32_t i = 0; i < FUNCTIONS; i++)
			of_host[i] = exp(0.1 * normal());
		for (uint32_t w = 0; w < EACH; w++) {
			double load = 500 + 2000 * uniform();
			/* in turn, as they are by time */
			double *to = self[by_host ? host : w * HOSTS + host];

			for (uint32_t i = 0; i < FUNCTIONS; i++)
				to[i] += counted(load * s->cost[i] * of_host[i] *
						 exp(s->spread * normal()));
		}
	}
	for (uint32_t w = 0; w < n; w++) {
		double sum = 0;

		for (uint32_t i = 0; i < FUNCTIONS; i++)
			sum += self[w][i];
		ck_assert_int_eq(side_add(side, sum, 0), 0);
	}
	side_close(side);
	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		struct series *y = &functions[i].self[which];

		*y = (struct series){ 0 };
		for (uint32_t w = 0; w < n; w++)
			if (self[w][i] > 0)
				series_add(y, side, w, self[w][i]);
		functions[i].total[which] = *y;
	}
}

/* In how many of so many comparisons of unlike hosts that run the same is anything called. */
static int count_of_hosts(const struct service *s, bool by_host, int runs)
{
	struct side sides[SIDES];
	struct comparison c;
	int n = 0;

	for (int i = 0; i < runs; i++) {
		for (uint32_t k = 0; k < FUNCTIONS; k++)
			functions[k].caller = COMPARED_NO_CALLER;
		for (int side = 0; side < SIDES; side++)
			run_hosts(s, by_host, &sides[side], side);
		ck_assert_int_eq(compare_sides(sides, functions, FUNCTIONS, &compare_defaults, &c),
				 0);
		n += called() > 0;
		for (int side = 0; side < SIDES; side++)
			side_done(&sides[side]);
	}
	return n;
}

/* How unlike hosts are is only seen where each of them is one. */
START_TEST(hosts_are_compared_and_not_their_windows)
{
	struct service s;

	state = 8;
	service_new(&s);
	/* 5 % of 40 are 2; 5 or fewer is what that gives in 98 % */
	ck_assert_int_le(count_of_hosts(&s, true, 40), 5);
	ck_assert_int_ge(count_of_hosts(&s, false, 10), 5);
}
END_TEST

CHECK_MAIN("diff/compare", the_same_service_twice, a_tenth_more_is_found,
	   only_what_changed_is_named, code_that_moves_is_no_cost, two_changes_at_once_are_two,
	   new_and_gone, what_does_not_last_is_unclear, too_little_is_unclear,
	   hosts_are_compared_and_not_their_windows);
