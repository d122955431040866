/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "clickhouse/rows.h"
#include "ship/native.h"

#define TEXT "LowCardinality(String)"

static const struct native_column columns[] = {
	{ "day", "Date", NATIVE_U16, false },    { "names", TEXT, NATIVE_TEXT, true },
	{ "lines", "UInt32", NATIVE_U32, true }, { "said", "String", NATIVE_STRING, false },
	{ "host", TEXT, NATIVE_TEXT, false },
};
static const struct native_table table = { "things", columns, ARRAY_SIZE(columns) };

static void row(struct buf *to, uint16_t day, size_t n, const char *const *names, const char *said)
{
	rows_put_u16(to, day);
	rows_put_array(to, n);
	for (size_t i = 0; i < n; i++)
		rows_put_string(to, names[i]);
	rows_put_array(to, n);
	for (size_t i = 0; i < n; i++)
		rows_put_u32(to, (uint32_t)i + 7);
	rows_put_string(to, said);
	rows_put_string(to, "h");
}

static void expect(struct rows_reader *r, const char *text)
{
	_cleanup_free_ char *s = rows_string(r);

	ck_assert_str_eq(s, text);
}

/* The head of a column of texts, up to its numbers, which are bytes. */
static void expect_texts(struct rows_reader *r, const char *const *texts, size_t n, uint64_t count)
{
	ck_assert_uint_eq(rows_u64(r), 0x600);
	ck_assert_uint_eq(rows_u64(r), n);
	for (size_t i = 0; i < n; i++)
		expect(r, texts[i]);
	ck_assert_uint_eq(rows_u64(r), count);
}

START_TEST(columns_are_apart_and_texts_are_there_once)
{
	static const char *const names[] = { "a", "b'\n", "a" }, *const host[] = { "h" };
	_cleanup_buf_ struct buf rows = {}, native = {};
	struct rows_reader r;

	row(&rows, 20000, 3, names, "x");
	row(&rows, 20001, 0, names, "");
	row(&rows, 20001, 1, names + 1, "y");
	ck_assert_int_eq(native_of(&table, &rows, &native), 0);
	r = rows_of(&native);
	ck_assert_uint_eq(rows_array(&r), 5);
	ck_assert_uint_eq(rows_array(&r), 3);
	expect(&r, "day");
	expect(&r, "Date");
	ck_assert_uint_eq(rows_u16(&r), 20000);
	ck_assert_uint_eq(rows_u16(&r), 20001);
	ck_assert_uint_eq(rows_u16(&r), 20001);
	expect(&r, "names");
	expect(&r, "Array(LowCardinality(String))");
	ck_assert_uint_eq(rows_u64(&r), 1);
	ck_assert_uint_eq(rows_u64(&r), 3);
	ck_assert_uint_eq(rows_u64(&r), 3);
	ck_assert_uint_eq(rows_u64(&r), 4);
	expect_texts(&r, names, 2, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(rows_u8(&r), i & 1);
	expect(&r, "lines");
	expect(&r, "Array(UInt32)");
	ck_assert_uint_eq(rows_u64(&r), 3);
	ck_assert_uint_eq(rows_u64(&r), 3);
	ck_assert_uint_eq(rows_u64(&r), 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(rows_u32(&r), 7 + i % 3);
	expect(&r, "said");
	expect(&r, "String");
	expect(&r, "x");
	expect(&r, "");
	expect(&r, "y");
	expect(&r, "host");
	expect(&r, TEXT);
	ck_assert_uint_eq(rows_u64(&r), 1);
	expect_texts(&r, host, 1, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(rows_u8(&r), 0);
	ck_assert(!rows_more(&r) && !rows_bad(&r));
}
END_TEST

START_TEST(many_texts_have_wide_numbers)
{
	static const struct native_column one[] = { { "t", TEXT, NATIVE_TEXT, false } };
	static const struct native_table of_one = { "t", one, 1 };
	static const size_t counts[] = { 256, 257, 65536, 65537 }, widths[] = { 1, 2, 2, 4 };

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		_cleanup_buf_ struct buf rows = {}, native = {};
		char text[24];
		size_t n = counts[i], texts = 0;

		for (size_t k = 0; k < n; k++) {
			snprintf(text, sizeof(text), "%zu", k);
			rows_put_string(&rows, text);
			texts += 1 + strlen(text);
		}
		ck_assert_int_eq(native_of(&of_one, &rows, &native), 0);
		ck_assert_uint_eq(native.size, 1 + (n > 65535 ? 3 : 2) + 2 + 1 + strlen(TEXT) +
						       4 * 8 + texts + n * widths[i]);
	}
}
END_TEST

START_TEST(no_rows_of_that_form_are_refused)
{
	_cleanup_buf_ struct buf rows = {};
	static const char *const names[] = { "a", "b" };

	row(&rows, 1, 2, names, "x");
	for (size_t size = rows.size - 1; size; size--) {
		struct buf less = { .data = rows.data, .size = size };
		_cleanup_buf_ struct buf native = {};

		ck_assert_int_eq(native_of(&table, &less, &native), -EBADMSG);
		ck_assert_uint_eq(native.size, 0);
	}
}
END_TEST

START_TEST(an_insert_names_its_columns)
{
	struct buf into = {};
	_cleanup_free_ char *text = NULL;

	native_into(&table, &into);
	text = buf_string(&into);
	ck_assert_str_eq(text, "things (day, names, lines, said, host)");
}
END_TEST

CHECK_MAIN("ship/native", columns_are_apart_and_texts_are_there_once, many_texts_have_wide_numbers,
	   no_rows_of_that_form_are_refused, an_insert_names_its_columns);
