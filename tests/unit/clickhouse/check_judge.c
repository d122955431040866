/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "clickhouse/client.h"

#include <string.h>

static struct clickhouse_trouble judged(unsigned int status, const char *body)
{
	const struct buf b = { .data = (char *)body, .size = strlen(body) };
	struct clickhouse_trouble t = {};

	clickhouse_judge("store:8123", status, 7, &b, &t);
	ck_assert_uint_eq(t.retry_after_s, 7);
	ck_assert_ptr_nonnull(strstr(t.sentence, "store:8123"));
	return t;
}

/* The words of 18.16.1 and of 26.9.2. */
START_TEST(codes_come_before_the_status)
{
	static const struct {
		unsigned int status;
		const char *body;
		enum clickhouse_kind kind;
	} known[] = {
		{ 404, "Code: 60, e.displayText() = DB::Exception: Table plop.x doesn't exist.",
		  CLICKHOUSE_SCHEMA },
		{ 404, "Code: 60. DB::Exception: Unknown table expression identifier 'plop.x'",
		  CLICKHOUSE_SCHEMA },
		{ 500, "Code: 81, e.displayText() = DB::Exception: Database plop doesn't exist",
		  CLICKHOUSE_SCHEMA },
		{ 401, "Code: 193, e.displayText() = DB::Exception: Wrong password for user plop",
		  CLICKHOUSE_REFUSED },
		{ 403, "Code: 516. DB::Exception: plop: Authentication failed",
		  CLICKHOUSE_REFUSED },
		{ 500, "Code: 241, e.displayText() = DB::Exception: Memory limit exceeded",
		  CLICKHOUSE_BUSY },
		{ 500, "Code: 252. DB::Exception: Too many parts", CLICKHOUSE_BUSY },
		{ 400, "Code: 62. DB::Exception: Syntax error", CLICKHOUSE_BAD },
		{ 400, "Code: 33. DB::Exception: Cannot read all data", CLICKHOUSE_BAD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		ck_assert_int_eq(judged(known[i].status, known[i].body).kind, known[i].kind);
}
END_TEST

START_TEST(who_stands_before_it_is_known_by_the_status)
{
	static const struct {
		unsigned int status;
		enum clickhouse_kind kind;
	} known[] = {
		{ 401, CLICKHOUSE_REFUSED },   { 403, CLICKHOUSE_REFUSED },
		{ 413, CLICKHOUSE_TOO_LARGE }, { 429, CLICKHOUSE_BUSY },
		{ 500, CLICKHOUSE_BUSY },      { 502, CLICKHOUSE_BUSY },
		{ 503, CLICKHOUSE_BUSY },      { 408, CLICKHOUSE_BUSY },
		{ 404, CLICKHOUSE_BAD },       { 301, CLICKHOUSE_BAD },
		{ 204, CLICKHOUSE_BAD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		ck_assert_int_eq(judged(known[i].status, "<html>").kind, known[i].kind);
		ck_assert_int_eq(judged(known[i].status, "").kind, known[i].kind);
		ck_assert_int_eq(judged(known[i].status, "Code: ").kind, known[i].kind);
		ck_assert_int_eq(judged(known[i].status, "Code: 99999999999999").kind,
				 known[i].kind);
	}
}
END_TEST

START_TEST(what_it_says_is_one_line_of_text)
{
	struct clickhouse_trouble t = judged(500, "one\x1b[2J\xff two\nthree");
	char body[4096];

	ck_assert_ptr_nonnull(strstr(t.sentence, "one?[2J? two"));
	ck_assert_ptr_null(strstr(t.sentence, "three"));
	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	t = judged(500, body);
	ck_assert_uint_lt(strlen(t.sentence), sizeof(t.sentence) - 1);
}
END_TEST

CHECK_MAIN("clickhouse/judge", codes_come_before_the_status,
	   who_stands_before_it_is_known_by_the_status, what_it_says_is_one_line_of_text);
