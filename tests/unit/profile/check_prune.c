/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "../format/known_off_cpu.h"
#include "util/buf.h"

/*
 * main;heavy 1000 times, and main;light;f<i>;g<i>, i % 3 + 1 times each, of two processes; in
 * whichever order.
 */
static struct profile *make(uint32_t n, bool backwards)
{
	struct process_info one = known_process(1, "x"), two = known_process(2, "y");
	uint32_t processes[2], stack[4];
	struct profile *p;
	char name[16];

	ck_assert_int_eq(profile_new(5, 100, &p), 0);
	ck_assert_int_eq(profile_process(p, &one, "3.13.0", &processes[0]), 0);
	ck_assert_int_eq(profile_process(p, &two, "3.13.0", &processes[1]), 0);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = backwards ? n - 1 - k : k;

		stack[0] = known_frame(p, "main", "m.py", 1, 2);
		stack[1] = known_frame(p, "light", "m.py", 5, 6);
		snprintf(name, sizeof(name), "f%05u", i);
		stack[2] = known_frame(p, name, "f.py", (int)i, 1);
		snprintf(name, sizeof(name), "g%05u", i);
		stack[3] = known_frame(p, name, "g.py", (int)i, 1);
		known_add(p, processes[i % 2], 7, stack, 4, i % 3 + 1);
	}
	stack[1] = known_frame(p, "heavy", "m.py", 9, 9);
	known_add(p, processes[0], 7, stack, 2, 1000);
	p->tally = (struct tally){ .ticks = p->samples_total + 5,
				   .python = p->samples_total,
				   .other = 5 };
	return p;
}

static bool has(const struct profile *p, const struct profile_sample *s, const char *text)
{
	const struct dict_stack *k = dict_get_stack(p->dict, s->stack);
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *joined = NULL;

	for (uint32_t i = 0; i < k->depth; i++)
		buf_printf(&b, "%s%s", i ? ";" : "",
			   dict_get_function(p->dict,
					     dict_get_frame(p->dict, k->frames[i])->function)
				   ->name);
	joined = buf_string(&b);
	return streq(joined, text);
}

static uint64_t count(const struct profile *p, const char *text)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < p->nsamples; i++)
		n += has(p, &p->samples[i], text) ? p->samples[i].count : 0;
	return n;
}

START_TEST(the_lightest_branches_are_cut_off)
{
	struct profile *p = make(3000, false);
	const struct tally tally = p->tally;
	uint64_t samples = p->samples_total, one = p->processes[0].samples;

	ck_assert_int_eq(profile_prune(&p, 20000), 0);
	ck_assert_uint_eq(p->samples_total, samples);
	ck_assert_uint_eq(p->processes[0].samples, one);
	ck_assert_int_eq(memcmp(&p->tally, &tally, sizeof(tally)), 0);
	ck_assert_uint_eq(p->start_ns, 5);
	ck_assert_uint_lt(profile_content(p), 20000);
	ck_assert_uint_eq(count(p, "main;heavy"), 1000);
	/* all of f<i> weigh as much as each other, to an eighth, or are too many */
	ck_assert_uint_eq(count(p, "main;light;[other]"), 6000);
	ck_assert_uint_eq(profile_other(p), 6000);
	ck_assert_uint_eq(dict_stacks(p->dict), 2);
	profile_free(p);
}
END_TEST

START_TEST(what_has_room_stays)
{
	struct profile *p = make(300, false);
	uint32_t n = p->nsamples;

	ck_assert_int_eq(profile_prune(&p, 1 << 20), 0);
	ck_assert_uint_eq(p->nsamples, n);
	ck_assert_uint_eq(profile_other(p), 0);
	ck_assert_uint_eq(count(p, "main;light;f00002;g00002"), 3);
	profile_free(p);
}
END_TEST

/* Those that weigh 3 fit, each with two frames of its own, those that weigh less do not. */
START_TEST(what_is_cut_off_is_told_by_content)
{
	for (int backwards = 0; backwards < 2; backwards++) {
		struct profile *p = make(300, backwards);

		ck_assert_int_eq(profile_prune(&p, 60000), 0);
		ck_assert_uint_eq(count(p, "main;light;f00002;g00002"), 3);
		ck_assert_uint_eq(count(p, "main;light;f00299;g00299"), 3);
		ck_assert_uint_eq(count(p, "main;light;[other]"), 100 + 200);
		ck_assert_uint_eq(p->samples_total, 600 + 1000);
		profile_free(p);
	}
}
END_TEST

START_TEST(nothing_fits)
{
	struct profile *p = known_profile(), *none;

	ck_assert_int_eq(profile_prune(&p, 0), 0);
	ck_assert_uint_eq(count(p, "[other]"), KNOWN_TOTAL);
	ck_assert_uint_eq(p->samples_total, KNOWN_TOTAL);
	profile_free(p);
	ck_assert_int_eq(profile_new(5, 100, &none), 0);
	ck_assert_int_eq(profile_prune(&none, 0), 0);
	ck_assert_uint_eq(none->nsamples, 0);
	profile_free(none);
}
END_TEST

/* Time off CPU weighs too, and threads keep their names. */
START_TEST(off_cpu_time_is_kept)
{
	struct profile *p = known_off_cpu();
	uint64_t samples = p->samples_total, off_cpu = 0, before = 0;

	for (uint32_t i = 0; i < p->nsamples; i++)
		before += p->samples[i].off_cpu_ns;
	ck_assert_int_eq(profile_prune(&p, 0), 0);
	for (uint32_t i = 0; i < p->nsamples; i++)
		off_cpu += p->samples[i].off_cpu_ns;
	ck_assert_uint_eq(off_cpu, before);
	ck_assert_uint_eq(p->samples_total, samples);
	ck_assert_str_eq(profile_thread_name(p, 0, 101), "worker");
	profile_free(p);
}
END_TEST

CHECK_MAIN("profile/prune", the_lightest_branches_are_cut_off, what_has_room_stays,
	   what_is_cut_off_is_told_by_content, nothing_fits, off_cpu_time_is_kept);
