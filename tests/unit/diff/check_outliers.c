/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/outliers.h"

#include <math.h>

/*
 * Made-up fleets: hosts of unlike load, whose functions cost each host something else, and each of
 * its windows, by more than chance. The numbers are the same in each run.
 */
#define FUNCTIONS 40
#define WINDOWS   4

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
	double n = 0;

	if (mean >= 12)
		return MAX(round(mean + sqrt(mean) * normal()), 0);
	for (double left = exp(-mean); n < 100; n++) {
		left /= uniform();
		if (left >= 1)
			break;
	}
	return n;
}

struct fleet {
	uint32_t hosts;
	double load;    /* samples of a window, in the mean */
	double unlike;  /* hosts' loads differ by up to that factor */
	double by_host; /* spread of a function's cost from host to host: of its logarithm */
	double by_window;
	/* On the first host: what this function costs more, times */
	uint32_t which;
	double times;
};

static struct diff_windows *windows;
static struct outliers found;
static struct profile *profile;
static uint32_t process, stacks[2][FUNCTIONS];
static bool only_first; /* no other host has the function that is dearer */
static bool elsewhere;  /* every other host has the program in another place */

static void make_stacks(const char *file, uint32_t to[FUNCTIONS])
{
	char name[16];

	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		uint32_t frames[2], function;

		for (int k = 0; k < 2; k++) {
			snprintf(name, sizeof(name), k ? "f%u" : "handle", i);
			ck_assert_int_eq(dict_python(profile->dict, name, file, 1, &function), 0);
			ck_assert_int_eq(dict_frame(profile->dict, function, 1, &frames[k]), 0);
		}
		ck_assert_int_eq(dict_stack(profile->dict, frames, 2, &to[i]), 0);
	}
}

static void setup(void)
{
	struct process_info info = process_info_of(7);

	found = (struct outliers){};
	info.comm = info.service = "shop";
	ck_assert_int_eq(profile_new(NSEC_PER_SEC, 100, &profile), 0);
	ck_assert_int_eq(profile_process(profile, &info, "3.11.2", &process), 0);
	make_stacks("/srv/shop-1.4.0/lib/app.py", stacks[0]);
	make_stacks("/srv/shop-1.4.1/lib/app.py", stacks[1]);
}

static void teardown(void)
{
	outliers_done(&found);
	diff_windows_free(windows);
	windows = NULL;
	profile_free(profile);
}

/* Shares fall off as those of a real program do. */
static double cost(uint32_t i)
{
	return 0.2 / (i + 3);
}

static double factor(const struct fleet *f, uint32_t host, uint32_t function)
{
	if (!(f->times > 0) || function != f->which)
		return 1;
	if (host == 0)
		return f->times;
	return only_first ? 0 : 1;
}

static void add_host(const struct fleet *f, uint32_t host)
{
	double load = f->load * pow(f->unlike, uniform()), sums[FUNCTIONS] = {};
	double of_host[FUNCTIONS];

	for (uint32_t i = 0; i < FUNCTIONS; i++)
		of_host[i] = exp(f->by_host * normal()) * factor(f, host, i);
	for (int w = 0; w < WINDOWS; w++)
		for (uint32_t i = 0; i < FUNCTIONS; i++)
			sums[i] +=
				counted(load * cost(i) * of_host[i] * exp(f->by_window * normal()));
	profile_clear(profile);
	profile->end_ns = profile->start_ns + 600 * NSEC_PER_SEC;
	for (uint32_t i = 0; i < FUNCTIONS; i++)
		if (sums[i] > 0)
			ck_assert_int_eq(profile_add(profile, process, 0,
						     stacks[elsewhere && host % 2][i],
						     (uint64_t)sums[i]),
					 0);
	ck_assert_int_eq(diff_windows_add(windows, profile), 0);
}

static void look(const struct fleet *f)
{
	diff_windows_free(windows);
	outliers_done(&found);
	ck_assert_int_eq(diff_windows_new(&windows), 0);
	windows->apart = true;
	for (uint32_t i = 0; i < f->hosts; i++)
		add_host(f, i);
	ck_assert_int_eq(diff_windows_close(windows), 0);
	ck_assert_int_eq(outliers_find(windows, f->hosts, &found), 0);
}

/* In how many of so many fleets is anything said that is not so. */
static int count_false(const struct fleet *f, int fleets, int *ret_found)
{
	int wrong = 0;

	for (int i = 0; i < fleets; i++) {
		bool any = false, right = false;

		look(f);
		for (uint32_t k = 0; k < found.n; k++) {
			const struct outlier *o = &found.items[k];
			char name[16];

			snprintf(name, sizeof(name), "f%u", f->which);
			if (f->times > 1 && o->window == 0 &&
			    streq(dict_get_function(windows->dict, o->function)->name, name))
				right = right || o->compared.verdict == VERDICT_SLOWER;
			else
				any = true;
		}
		wrong += any;
		*ret_found += right;
	}
	return wrong;
}

/* Of hosts that are alike something is said of one fleet in twenty at most. */
START_TEST(equal_hosts_are_no_outliers)
{
	static const struct fleet fleets[] = {
		{ .hosts = 40, .load = 1500, .unlike = 1 },
		{ .hosts = 40, .load = 1500, .unlike = 3, .by_host = 0.1, .by_window = 0.15 },
		{ .hosts = 40, .load = 150, .unlike = 10, .by_host = 0.05, .by_window = 0.3 },
		{ .hosts = 40, .load = 5000, .unlike = 2, .by_host = 0.2, .by_window = 0.15 },
		{ .hosts = 8, .load = 1500, .unlike = 2, .by_host = 0.2, .by_window = 0.15 },
		{ .hosts = 150, .load = 500, .unlike = 2, .by_host = 0.15, .by_window = 0.15 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fleets); i++) {
		int right = 0;

		state = i + 1;
		/* 5 % of 30 are 1.5; 4 or fewer is what that gives in 98 % */
		ck_assert_int_le(
			count_false(&fleets[i], 30 * 40 / MAX(fleets[i].hosts, 40u), &right), 4);
	}
}
END_TEST

START_TEST(a_host_with_a_function_twice_as_dear_is_found)
{
	static const struct fleet fleets[] = {
		{ 40, 5000, 2, 0.05, 0.1, .which = 3, .times = 2 },
		{ 40, 5000, 2, 0.05, 0.1, .which = 10, .times = 2 },
		{ 150, 5000, 2, 0.05, 0.1, .which = 3, .times = 2 },
		{ 12, 5000, 2, 0.05, 0.1, .which = 3, .times = 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fleets); i++) {
		int n = fleets[i].hosts > 100 ? 10 : 40, right = 0;

		state = i + 1;
		ck_assert_int_le(count_false(&fleets[i], n, &right), n / 10);
		ck_assert_int_ge(right, n * 9 / 10);
	}
}
END_TEST

START_TEST(what_one_host_alone_runs_and_what_it_lacks)
{
	struct fleet f = { 40, 1500, 2, 0.05, 0.1, .which = 5, .times = 8 };

	state = 9;
	only_first = true;
	look(&f);
	ck_assert_uint_eq(found.n, 1);
	ck_assert_uint_eq(found.items[0].window, 0);
	ck_assert_int_eq(found.items[0].compared.verdict, VERDICT_NEW);
	ck_assert_double_gt(outlier_least(&found.items[0]), OUTLIERS_SHARE);
	only_first = false;
	f.times = 1e-9;
	f.which = 0;
	look(&f);
	ck_assert_uint_ge(found.n, 1);
	ck_assert_int_eq(found.items[0].compared.verdict, VERDICT_GONE);
}
END_TEST

/* One program that hosts have in different places, and of different releases. */
START_TEST(places_do_not_matter)
{
	struct fleet f = { .hosts = 10, .load = 1500, .unlike = 1 };

	state = 10;
	elsewhere = true;
	look(&f);
	elsewhere = false;
	ck_assert_uint_eq(found.n, 0);
}
END_TEST

START_TEST(few_hosts_say_nothing)
{
	struct fleet f = { .hosts = OUTLIERS_HOSTS_LEAST - 1,
			   .load = 1500,
			   .unlike = 1,
			   .which = 3,
			   .times = 20 };

	state = 11;
	look(&f);
	ck_assert_uint_eq(found.n, 0);
}
END_TEST

CHECK_MAIN_WITH("diff/outliers", setup, teardown, equal_hosts_are_no_outliers,
		a_host_with_a_function_twice_as_dear_is_found,
		what_one_host_alone_runs_and_what_it_lacks, places_do_not_matter,
		few_hosts_say_nothing);
