/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "util/parse.h"

START_TEST(numbers_whole_and_bounded)
{
	uint64_t v = 7;

	ck_assert_int_eq(parse_u64("0", 0, 10, &v), 0);
	ck_assert_uint_eq(v, 0);
	ck_assert_int_eq(parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	v = 7;
	ck_assert_int_eq(parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	ck_assert_int_eq(parse_u64("11", 0, 10, &v), -ERANGE);
	ck_assert_int_eq(parse_u64("1", 2, 10, &v), -ERANGE);
	ck_assert_int_eq(parse_u64("", 0, 10, &v), -EINVAL);
	ck_assert_int_eq(parse_u64("-1", 0, 10, &v), -EINVAL);
	ck_assert_int_eq(parse_u64("+1", 0, 10, &v), -EINVAL);
	ck_assert_int_eq(parse_u64(" 1", 0, 10, &v), -EINVAL);
	ck_assert_int_eq(parse_u64("1 ", 0, 10, &v), -EINVAL);
	ck_assert_int_eq(parse_u64("0x1", 0, 10, &v), -EINVAL);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(durations)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "30s", 30 * NSEC_PER_SEC },
		{ "30", 30 * NSEC_PER_SEC },
		{ "10m", 600 * NSEC_PER_SEC },
		{ "10min", 600 * NSEC_PER_SEC },
		{ "1h", 3600 * NSEC_PER_SEC },
		{ "7d", 7 * 86400 * NSEC_PER_SEC },
		{ "500ms", NSEC_PER_SEC / 2 },
		{ "0.5s", NSEC_PER_SEC / 2 },
		{ "1.5h", 5400 * NSEC_PER_SEC },
		{ "0", 0 },
		{ "0.25d", 21600 * NSEC_PER_SEC },
		{ "1h30m", 5400 * NSEC_PER_SEC },
		{ "1h 30min", 5400 * NSEC_PER_SEC },
		{ "2 hours 5 min 1 sec", 7501 * NSEC_PER_SEC },
		{ "55s500ms", 55500 * NSEC_PER_MSEC },
		{ "300ms20s 5day", 432020300 * NSEC_PER_MSEC },
		{ "7us", 7000 },
		{ "1w", 604800 * NSEC_PER_SEC },
		{ "1M", 2629800 * NSEC_PER_SEC },
		{ "1 year 12 months", 63115200 * NSEC_PER_SEC },
		{ "0h", 0 },
	};
	static const char *const bad[] = { "",      "s",      "-1s",    "1 ",         "1s ",
					   "1S",    "1.s",    ".5s",    "1h30",       "1e3",
					   "ten",   "1.2.3s", "1h 30",  "h1",         "1h,30m",
					   "1 h m", "1H",     "1ms us", "1 minutess", "1sec second",
					   " 1s",   "1\ts" };
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		v = 1;
		ck_assert_int_eq(parse_duration(good[i].text, &v), 0);
		ck_assert_msg(v == good[i].ns, "%s is %llu", good[i].text, (unsigned long long)v);
	}
	v = 1;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse_duration(bad[i], &v) == -EINVAL, "\"%s\"", bad[i]);
	ck_assert_int_eq(parse_duration("99999999999d", &v), -ERANGE);
	ck_assert_int_eq(parse_duration("400y 400y", &v), -ERANGE);
	ck_assert_int_eq(parse_duration("99999999999999999999s", &v), -ERANGE);
	ck_assert_uint_eq(v, 1);
}
END_TEST

START_TEST(fractions)
{
	static const struct {
		const char *text;
		int r;
		uint64_t millionths;
	} all[] = { { "0.25", 0, 250000 },  { "1", 0, 1000000 },
		    { "0.0000019", 0, 1 },  { "17.5", 0, 17500000 },
		    { "", -EINVAL, 0 },     { ".5", -EINVAL, 0 },
		    { "1.", -EINVAL, 0 },   { "0.1%", -EINVAL, 0 },
		    { "-1", -EINVAL, 0 },   { "1e3", -EINVAL, 0 },
		    { "0x10", -EINVAL, 0 }, { "99999999999999", -ERANGE, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		uint64_t v = 0;

		ck_assert_int_eq(parse_millionths(all[i].text, &v), all[i].r);
		ck_assert_uint_eq(v, all[i].millionths);
	}
}
END_TEST

START_TEST(sizes)
{
	uint64_t v;

	ck_assert_int_eq(parse_size("1G", &v), 0);
	ck_assert_uint_eq(v, UINT64_C(1) << 30);
	ck_assert_int_eq(parse_size("512MiB", &v), 0);
	ck_assert_uint_eq(v, UINT64_C(512) << 20);
	ck_assert_int_eq(parse_size("3kB", &v), 0);
	ck_assert_uint_eq(v, 3072);
	ck_assert_int_eq(parse_size("10B", &v), 0);
	ck_assert_uint_eq(v, 10);
	ck_assert_int_eq(parse_size("2T", &v), 0);
	ck_assert_uint_eq(v, UINT64_C(2) << 40);
	ck_assert_int_eq(parse_size("1.5G", &v), -EINVAL);
	ck_assert_int_eq(parse_size("1.0G", &v), -EINVAL);
	ck_assert_int_eq(parse_size("G", &v), -EINVAL);
	ck_assert_int_eq(parse_size("1X", &v), -EINVAL);
	ck_assert_int_eq(parse_size("1iB", &v), -EINVAL);
	ck_assert_int_eq(parse_size("1GG", &v), -EINVAL);
	ck_assert_int_eq(parse_size("99999999T", &v), -ERANGE);
	ck_assert_uint_eq(v, UINT64_C(2) << 40);
}
END_TEST

START_TEST(addresses)
{
	static const char *const bad[] = {
		"",         "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
		"::1:7567", "[::1]7567", "[::1",       "[]:1",        "a b:1",
		"h:1x"
	};
	struct parsed_address a;

	ck_assert_int_eq(parse_address("127.0.0.1:7567", &a), 0);
	ck_assert_str_eq(a.host, "127.0.0.1");
	ck_assert_uint_eq(a.port, 7567);
	ck_assert_int_eq(parse_address("[::1]:80", &a), 0);
	ck_assert_str_eq(a.host, "::1");
	ck_assert_uint_eq(a.port, 80);
	ck_assert_int_eq(parse_address(":65535", &a), 0);
	ck_assert_str_eq(a.host, "127.0.0.1");
	ck_assert_uint_eq(a.port, 65535);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse_address(bad[i], &a) < 0, "\"%s\"", bad[i]);
	ck_assert_uint_eq(a.port, 65535);
}
END_TEST

START_TEST(an_address_longer_than_any)
{
	char text[600];
	struct parsed_address a;

	memset(text, 'a', sizeof(text));
	strcpy(text + sizeof(text) - 4, ":80");
	ck_assert_int_eq(parse_address(text, &a), -EINVAL);
}
END_TEST

START_TEST(numbers_for_people)
{
	char b[32];

	ck_assert_str_eq(format_bytes(0, b, sizeof(b)), "0 B");
	ck_assert_str_eq(format_bytes(1023, b, sizeof(b)), "1023 B");
	ck_assert_str_eq(format_bytes(1536, b, sizeof(b)), "1.5 kB");
	ck_assert_str_eq(format_bytes(UINT64_C(200) << 20, b, sizeof(b)), "200 MB");
	ck_assert_str_eq(format_bytes(UINT64_C(3) << 50, b, sizeof(b)), "3072 TB");
	ck_assert_str_eq(format_duration(5 * NSEC_PER_SEC, b, sizeof(b)), "5s");
	ck_assert_str_eq(format_duration(62 * NSEC_PER_SEC, b, sizeof(b)), "1m 02s");
	ck_assert_str_eq(format_duration(3723 * NSEC_PER_SEC, b, sizeof(b)), "1h 02m");
	ck_assert_str_eq(format_duration(90000 * NSEC_PER_SEC, b, sizeof(b)), "1d 01h");
}
END_TEST

CHECK_MAIN("util/parse", numbers_whole_and_bounded, durations, fractions, sizes, addresses,
	   an_address_longer_than_any, numbers_for_people);
