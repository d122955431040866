/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "ctl/counter.h"

#define TEXT                                                                                \
	"# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n"        \
	"http_requests_total{code=\"200\",path=\"/}\\\" x\"} 100\n"                         \
	"http_requests_total{code=\"500\"} 2.5e1 1700000000000\n"                           \
	"http_requests_created{code=\"200\"} 1.7e+09\n\n"                                   \
	"process_start_time_seconds 1.7e+09\r\nrequests_in_flight 4\ndb_queries_total\t7\n" \
	"web_requests 9"

START_TEST(found)
{
	static const struct {
		const char *wanted, *name;
		double value;
	} cases[] = {
		{ "http_requests_total", "http_requests_total", 125 },
		{ "http_requests", "http_requests_total", 125 },
		{ "queries", "db_queries_total", 7 },
		{ "web_requests", "web_requests", 9 },
		{ "in_flight", "requests_in_flight", 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct counter c;
		char why[COUNTER_WHY] = "";

		ck_assert_msg(counter_find(TEXT, cases[i].wanted, &c, why) == 0, "%s", why);
		ck_assert_str_eq(c.name, cases[i].name);
		ck_assert_double_eq(c.value, cases[i].value);
		ck_assert_double_eq(c.start, 1.7e9);
	}
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *text, *wanted, *why;
	} cases[] = {
		{ TEXT, "requests", "http_requests_total and web_requests both end with requests" },
		{ TEXT, "equests", "it has no counter equests" },
		{ TEXT, "", "it has no counter " },
		{ "", "x", "it has no counter x" },
		{ "x{a=\"1\n} 5\nx{ 6\nx\nx 7y z", "y", "it has no counter y" },
		{ "x NaN\n", "x", "the value of x is no number" },
		{ "x -1\n", "x", "the value of x is no number" },
		{ "x +Inf\n", "x", "the value of x is no number" },
		{ "<html><body>Not found</body></html>", "x", "it has no counter x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct counter c = { .value = 3 };
		char why[COUNTER_WHY] = "";

		ck_assert_int_eq(counter_find(cases[i].text, cases[i].wanted, &c, why), -EINVAL);
		ck_assert_msg(strncmp(why, cases[i].why, strlen(cases[i].why)) == 0, "%s", why);
		ck_assert_double_eq(c.value, 3);
	}
}
END_TEST

/* A name of any length, and a text that is cut anywhere. */
START_TEST(bounds)
{
	char text[400], why[COUNTER_WHY], cut[sizeof(TEXT)];
	struct counter c;

	memset(text, 'a', sizeof(text));
	strcpy(text + 300, "_x 1\n");
	ck_assert_int_eq(counter_find(text, "x", &c, why), -EINVAL);
	for (size_t i = 0; i < sizeof(TEXT); i++) {
		memcpy(cut, TEXT, i);
		cut[i] = '\0';
		ck_assert_int_le(counter_find(cut, "http_requests", &c, why), 0);
	}
}
END_TEST

CHECK_MAIN("ctl/counter", found, refused, bounds);
