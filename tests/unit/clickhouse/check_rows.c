/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "clickhouse/literal.h"
#include "clickhouse/rows.h"

#include <string.h>

START_TEST(what_was_written_is_read)
{
	static const size_t lengths[] = { 0, 1, 127, 128, 300, 16383, 16384 };
	_cleanup_buf_ struct buf b = {}, fill = {};
	struct rows_reader r;

	rows_put_u8(&b, 200);
	rows_put_u16(&b, 65000);
	rows_put_u32(&b, 4000000000u);
	rows_put_u64(&b, UINT64_MAX);
	rows_put_f64(&b, 1767225600.25);
	rows_put_string(&b, "a 'name' \\ of \xc3\xa4");
	rows_put_array(&b, 2);
	rows_put_u8(&b, 1);
	rows_put_u8(&b, 2);
	r = rows_of(&b);
	ck_assert(rows_more(&r));
	ck_assert_uint_eq(rows_u8(&r), 200);
	ck_assert_uint_eq(rows_u16(&r), 65000);
	ck_assert_uint_eq(rows_u32(&r), 4000000000u);
	ck_assert_uint_eq(rows_u64(&r), UINT64_MAX);
	ck_assert_double_eq(rows_f64(&r), 1767225600.25);
	_cleanup_free_ char *name = rows_string(&r);

	ck_assert_str_eq(name, "a 'name' \\ of \xc3\xa4");
	ck_assert_uint_eq(rows_array(&r), 2);
	ck_assert_uint_eq(rows_u8(&r), 1);
	ck_assert_uint_eq(rows_u8(&r), 2);
	ck_assert(!rows_more(&r));
	ck_assert(!rows_bad(&r));

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		buf_clear(&b);
		buf_clear(&fill);
		for (size_t n = 0; n < lengths[i]; n++)
			buf_putc(&fill, 'x');
		_cleanup_free_ char *text = buf_string(&fill);

		rows_put_string(&b, text);
		r = rows_of(&b);
		_cleanup_free_ char *again = rows_string(&r);

		ck_assert_str_eq(again, text);
		ck_assert(!rows_more(&r));
	}
}
END_TEST

/* As ClickHouse 18.16.1 and 26.9.2 answer SELECT toUInt8(7), 'ab', [toUInt32(1)], toDate(1). */
START_TEST(it_is_what_clickhouse_writes)
{
	static const uint8_t answer[] = { 7, 2, 'a', 'b', 1, 1, 0, 0, 0, 1, 0 };
	_cleanup_buf_ struct buf b = {};

	rows_put_u8(&b, 7);
	rows_put_string(&b, "ab");
	rows_put_array(&b, 1);
	rows_put_u32(&b, 1);
	rows_put_u16(&b, 1);
	ck_assert_uint_eq(b.size, sizeof(answer));
	ck_assert_mem_eq(b.data, answer, sizeof(answer));
}
END_TEST

/* Every place at which an answer may be cut off, and lengths that are not there. */
START_TEST(what_is_cut_off_is_bad)
{
	static const uint8_t endless[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
	_cleanup_buf_ struct buf b = {};
	struct rows_reader r;

	rows_put_u64(&b, 1);
	rows_put_string(&b, "name");
	for (size_t size = 0; size < b.size; size++) {
		const struct buf part = { .data = b.data, .size = size };

		r = rows_of(&part);
		(void)rows_u64(&r);
		_cleanup_free_ char *name = rows_string(&r);

		ck_assert_ptr_null(name);
		ck_assert(rows_bad(&r));
		ck_assert(!rows_more(&r));
		/* and stays so */
		ck_assert_uint_eq(rows_u8(&r), 0);
	}
	r = (struct rows_reader){ .at = endless, .end = endless + sizeof(endless) };
	ck_assert_uint_eq(rows_array(&r), 0);
	ck_assert(rows_bad(&r));
	/* more elements than bytes */
	buf_clear(&b);
	rows_put_array(&b, 1000000);
	r = rows_of(&b);
	ck_assert_uint_eq(rows_array(&r), 0);
	ck_assert(rows_bad(&r));
}
END_TEST

START_TEST(a_literal_is_digits_alone)
{
	_cleanup_buf_ struct buf sql = {};
	_cleanup_free_ char *text = NULL;

	clickhouse_literal(&sql, "a'); DROP TABLE x -- \\\n");
	text = buf_string(&sql);
	ck_assert_str_eq(text, "unhex('6127293b2044524f50205441424c452078202d2d205c0a')");
}
END_TEST

CHECK_MAIN("clickhouse/rows", what_was_written_is_read, it_is_what_clickhouse_writes,
	   what_is_cut_off_is_bad, a_literal_is_digits_alone);
