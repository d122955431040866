/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "dir.h"
#include "drawn.h"
#include "store/rollup.h"
#include "store/store.h"

/* What is asked for by function adds up to what the profile of the same time has. */
static struct dir dir;
static struct store *store;

#define BEGIN   (UINT64_C(1700006400) * NSEC_PER_SEC - 7 * 60 * NSEC_PER_SEC)
#define LENGTH  (60 * NSEC_PER_SEC)
#define MINUTES 10  /* windows of ten */
#define HOURS   360 /* windows of six */

static void setup(void)
{
	dir_make(&dir);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_roll_up(store, 0, 0);
}

static void teardown(void)
{
	store_close(store);
	dir_done(&dir);
}

static void roll(void)
{
	do {
		ck_assert_int_eq(store_check(store), 0);
	} while (store_is_mending(store));
}

/* What store_each_sums() told: how many units, and all of them added up. */
struct units {
	struct dict *dict;
	struct sums sums;
	uint64_t processes, calls, lines;
	uint32_t n;
	uint64_t last_ns; /* the unit of the clock of the last one */
};

static int number_of(const struct dict_function *f, void *ctx, uint32_t *ret)
{
	return dict_function(((struct units *)ctx)->dict, f, ret);
}

static int add_process(const struct profile_process *p, uint64_t samples, void *ctx)
{
	((struct units *)ctx)->processes += samples * (uint64_t)p->info.pid;
	return 0;
}

static int add_call(uint32_t caller, uint32_t callee, uint64_t samples, void *ctx)
{
	struct units *u = ctx;
	const char *a = dict_get_function(u->dict, caller)->name;
	const char *b = dict_get_function(u->dict, callee)->name;

	ck_assert_uint_ne(caller, callee);
	u->calls += samples * (uint64_t)(3 * atoi(a + 1) + atoi(b + 1));
	return 0;
}

/* Those of ten minutes are as those of windows. */
static int add_line(uint32_t number, int first, int line, uint64_t samples, void *ctx)
{
	struct units *u = ctx;

	ck_assert_uint_lt(number, dict_functions(u->dict));
	u->lines += samples * (uint64_t)(7 * first + 5 * line + (int)number);
	return 0;
}

static int tell_unit(const struct sums *s, void *ctx)
{
	struct units *u = ctx;

	ck_assert_uint_gt(s->start_ns / STORE_UNIT_MINUTES, u->last_ns);
	u->last_ns = s->start_ns / STORE_UNIT_MINUTES;
	u->n++;
	ck_assert_int_eq(sums_hold(&u->sums, s->n), 0);
	for (uint32_t i = 0; i < s->n; i++) {
		u->sums.functions[i].self += s->functions[i].self;
		u->sums.functions[i].total += s->functions[i].total;
	}
	u->sums.samples += s->samples;
	return 0;
}

/*
 * Ten minutes of the clock are told as one, of windows and of roll-ups, and all of them are what
 * the profile adds up to.
 */
START_TEST(sums_of_units)
{
	uint64_t to = BEGIN + (HOURS - 3) * LENGTH;
	_cleanup_(selectors_done) struct selectors one = {};

	ck_assert_int_eq(selectors_add(&one, "thread=3"), 0);
	state = 21;
	for (uint64_t i = 0; i < HOURS; i++) {
		_cleanup_(profile_freep) struct profile *p =
			drawn_window(BEGIN + i * LENGTH, LENGTH);

		ck_assert_int_eq(store_save(store, p), 0);
	}
	for (int i = 0; i < 4; i++) {
		const struct selectors *s = i % 2 ? &one : NULL;
		_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
		_cleanup_(profile_freep) struct profile *all = NULL;
		struct units u = {}, whole = {};
		const struct sums_of of = { number_of, NULL, add_process, add_call, add_line, &u };
		const struct sums_of of_whole = { number_of, NULL,     add_process,
						  add_call,  add_line, &whole };

		ck_assert_int_eq(dict_new(&u.dict), 0);
		whole.dict = u.dict;
		ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
		ck_assert_int_eq(store_profile(reader, BEGIN, to, s, &all), 0);
		store_reader_unit(reader, STORE_UNIT_MINUTES);
		ck_assert_int_eq(store_each_sums(reader, BEGIN, to, s, &of, tell_unit, &u), 0);
		ck_assert_uint_eq(u.n, HOURS / MINUTES);
		ck_assert_int_eq(sums_add(&whole.sums, all, &of_whole), 0);
		ck_assert_uint_gt(u.sums.samples, 0);
		ck_assert_uint_eq(u.sums.samples, whole.sums.samples);
		ck_assert_uint_eq(u.processes, whole.processes);
		ck_assert_uint_eq(u.calls, whole.calls);
		ck_assert_uint_gt(u.lines, 0);
		ck_assert_uint_eq(u.lines, whole.lines);
		for (uint32_t k = 0; k < dict_functions(u.dict); k++) {
			ck_assert_uint_eq(u.sums.functions[k].self, whole.sums.functions[k].self);
			ck_assert_uint_eq(u.sums.functions[k].total, whole.sums.functions[k].total);
		}
		sums_done(&u.sums);
		sums_done(&whole.sums);
		dict_free(u.dict);
		if (i == 1)
			roll();
	}
}
END_TEST

CHECK_LOOPS("store/units", setup, teardown, { sums_of_units, 0, 1 });
