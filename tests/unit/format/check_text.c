/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "check_main.h"
#include "format/lines.h"
#include "format/text.h"

#define FFFD "\xef\xbf\xbd"

static void is(struct buf *b, const char *expected)
{
	_cleanup_free_ char *s = buf_string(b);

	ck_assert_str_eq(s, expected);
}

START_TEST(json_strings)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ "a\"b\\c/d", "\"a\\\"b\\\\c/d\"" },
		{ "\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\\u007f\"" },
		{ "\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"" },
		{ "\xc3\xa4\xf0\x9f\x90\x8d", "\"\xc3\xa4\xf0\x9f\x90\x8d\"" },
		{ "\xff\xed\xa0\x80", "\"" FFFD FFFD FFFD FFFD "\"" },
	};
	struct buf b = {};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		text_json(&b, cases[i].in);
		is(&b, cases[i].out);
	}
}
END_TEST

START_TEST(python_strings)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "''" },
		{ "it's \"x\" \\", "'it\\'s \"x\" \\\\'" },
		{ "a\nb\x01\x7f", "'a\\x0ab\\x01\\x7f'" },
		{ "\xc2\x80\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8d",
		  "'\\u0080\\u00e4\\u20ac\\U0001f40d'" },
		{ "\\u0041", "'\\\\u0041'" },
		{ "\xff", "'\\ufffd'" },
	};
	struct buf b = {};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		text_python(&b, cases[i].in);
		is(&b, cases[i].out);
	}
}
END_TEST

START_TEST(collapsed_strings)
{
	struct buf b = {};

	text_collapsed(&b, "a;b\r\nc\x1b[31m\x7f\xc2\x85\xe2\x80\xa9 d\xc2\xa0");
	is(&b, "a:b" FFFD FFFD "c" FFFD "[31m" FFFD FFFD FFFD " d\xc2\xa0");
}
END_TEST

START_TEST(seconds)
{
	static const struct {
		uint64_t ns;
		const char *out;
	} whole[] = {
		{ 0, "0.0" },
		{ 1, "0.000000001" },
		{ NSEC_PER_SEC, "1.0" },
		{ UINT64_C(1700000000250000000), "1700000000.25" },
		{ UINT64_MAX, "18446744073.709551615" },
	};
	static const struct {
		double s;
		const char *out;
	} doubles[] = {
		{ 0, "0.0" },
		{ 1.5, "1.5" },
		{ 1700000000.123456, "1700000000.123456" },
		{ -1, "0.0" },
		{ (double)NAN, "0.0" },
		{ (double)INFINITY, "0.0" },
		{ 1e300, "0.0" },
	};
	struct buf b = {};

	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		text_json_seconds(&b, whole[i].ns);
		is(&b, whole[i].out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(doubles); i++) {
		text_json_double(&b, doubles[i].s);
		is(&b, doubles[i].out);
	}
}
END_TEST

START_TEST(a_place_is_a_file_or_a_module)
{
	ck_assert_str_eq(text_place(&(struct dict_function){ .module = "shop", .file = "/x.py" }),
			 "/x.py");
	ck_assert_str_eq(text_place(&(struct dict_function){ .module = "libc.so.6", .file = "" }),
			 "libc.so.6");
	ck_assert_str_eq(text_place(&(struct dict_function){ .module = "", .file = "" }), "");
}
END_TEST

START_TEST(equal_lines_become_one)
{
	static const char *const texts[] = { "b", "a", "b", "ab", "", "b" };
	_cleanup_(lines_done) struct lines l = {};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		buf_puts(&l.text, texts[i]);
		ck_assert_int_eq(lines_end(&l, i + 1), 0);
	}
	ck_assert_int_eq(lines_merge(&l), 0);
	ck_assert_uint_eq(l.n, 4);
	ck_assert_uint_eq(l.items[0].size, 0);
	ck_assert_uint_eq(l.items[1].count, 2);
	ck_assert_uint_eq(l.items[2].count, 4);
	ck_assert_uint_eq(l.items[3].count, 1 + 3 + 6);
	lines_sort_by_count(&l);
	ck_assert_uint_eq(l.items[0].count, 10);
	ck_assert_uint_eq(l.items[3].count, 2);
}
END_TEST

CHECK_MAIN("format/text", json_strings, python_strings, collapsed_strings, seconds,
	   a_place_is_a_file_or_a_module, equal_lines_become_one);
