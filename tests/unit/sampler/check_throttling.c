/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "sampler/throttling.h"
#include "util/macro.h"

START_TEST(the_bound_is_read)
{
	static const char *const bad[] = { "",    "\n",           "-1\n",
					   "+5",  " 5",           "5x\n",
					   "0\n", "4294967296\n", "99999999999999999999999\n" };
	unsigned int hz = 7;

	ck_assert_int_eq(throttling_parse_most("100000\n", &hz), 0);
	ck_assert_uint_eq(hz, 100000);
	ck_assert_int_eq(throttling_parse_most("1", &hz), 0);
	ck_assert_uint_eq(hz, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(throttling_parse_most(bad[i], &hz) == -EINVAL, "%s", bad[i]);
	ck_assert_uint_eq(hz, 1);
	/* every kernel with perf events has it */
	ck_assert_uint_gt(throttling_most(), 0);
}
END_TEST

START_TEST(parts_of_the_time)
{
	const struct throttling none = {}, before = { 1000, 400 }, now = { 3000, 900 };
	const struct throttling opened = { 100, 10 }, odd = { 10, 20 };

	ck_assert(throttling_part(&none, &none) == 0);
	ck_assert(throttling_part(&now, &none) == 0.3);
	ck_assert(throttling_part(&now, &before) == 0.25);
	ck_assert(throttling_part(&now, &now) == 0);
	/* others were opened since; and never more than all */
	ck_assert(throttling_part(&opened, &before) == 0.1);
	ck_assert(throttling_part(&odd, &none) == 1);
}
END_TEST

START_TEST(what_is_said)
{
	static const struct {
		unsigned int hz, most_hz;
		double part;
		const char *text;
	} cases[] = {
		{ 100, 100000, 0, NULL },
		{ 500, 500, 0.004, NULL },
		{ 100, 0, 0, NULL },
		{ 2000, 500, 0,
		  "2000 ticks a second are more than kernel.perf_event_max_sample_rate, 500; take "
		  "a "
		  "lower rate, or raise that" },
		{ 2000, 500, 0.506,
		  "2000 ticks a second are more than kernel.perf_event_max_sample_rate, 500: the "
		  "kernel stopped the ticks for 51 % of the time; take a lower rate, or raise "
		  "that" },
		{ 400, 500, 0.021,
		  "the kernel stopped the ticks for 2.1 % of the time, as at times more came than "
		  "kernel.perf_event_max_sample_rate, 500, lets through; take a lower rate, or "
		  "raise "
		  "that" },
		{ 400, 0, 1,
		  "the kernel stopped the ticks for 100 % of the time, as at times more came than "
		  "kernel.perf_event_max_sample_rate, its bound, lets through; take a lower rate, "
		  "or "
		  "raise that" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[THROTTLING_TEXT_MAX] = "untouched";
		bool said = throttling_say(cases[i].hz, cases[i].most_hz, cases[i].part, text);

		ck_assert(said == !!cases[i].text);
		ck_assert_str_eq(text, said ? cases[i].text : "untouched");
	}
}
END_TEST

/* The longest sentence there can be is whole. */
START_TEST(there_is_room)
{
	char text[THROTTLING_TEXT_MAX];

	ck_assert(throttling_say(4294967295u, 2147483647, 0.999, text));
	ck_assert_ptr_nonnull(strstr(text, "raise that"));
	ck_assert(throttling_say(1, 2147483647, 0.0999, text));
	ck_assert_ptr_nonnull(strstr(text, "raise that"));
}
END_TEST

CHECK_MAIN("sampler/throttling", the_bound_is_read, parts_of_the_time, what_is_said, there_is_room);
