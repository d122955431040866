/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "util/buf.h"

START_TEST(appends_in_order)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *s = NULL;

	buf_puts(&b, "one");
	buf_putc(&b, ',');
	buf_append(&b, "two!", 3);
	buf_append(&b, NULL, 0);
	buf_printf(&b, ",%d-%s", 3, "x");
	ck_assert_uint_eq(b.size, strlen("one,two,3-x"));
	s = buf_string(&b);
	ck_assert_str_eq(s, "one,two,3-x");
}
END_TEST

START_TEST(string_hands_over)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *s = NULL;
	_cleanup_free_ char *empty = NULL;

	buf_puts(&b, "kept");
	s = buf_string(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.size, 0);
	empty = buf_string(&b);
	ck_assert_str_eq(empty, "");
	ck_assert_str_eq(s, "kept");
}
END_TEST

START_TEST(grows_and_keeps_all_bytes)
{
	_cleanup_buf_ struct buf b = {};

	for (unsigned int i = 0; i < 100000; i++)
		buf_putc(&b, (char)(i % 251));
	ck_assert_int_eq(b.error, 0);
	ck_assert_uint_eq(b.size, 100000);
	for (unsigned int i = 0; i < 100000; i++)
		ck_assert_int_eq(b.data[i], (char)(i % 251));
	/* Growth by halves, so that 100000 appends do not mean 100000 reallocations. */
	ck_assert_uint_le(b.allocated, 150000);
}
END_TEST

START_TEST(reserve_is_counted_by_the_caller)
{
	_cleanup_buf_ struct buf b = {};
	char *room;

	buf_puts(&b, "ab");
	room = buf_reserve(&b, 4096);
	ck_assert_ptr_nonnull(room);
	ck_assert_uint_eq(b.size, 2);
	memset(room, 'c', 4096);
	b.size += 4096;
	ck_assert_int_eq(b.data[0], 'a');
	ck_assert_int_eq(b.data[4097], 'c');
}
END_TEST

START_TEST(first_failure_is_remembered)
{
	_cleanup_buf_ struct buf b = {};

	buf_puts(&b, "ab");
	/* More than the address space: the sum overflows, nothing is allocated. */
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX));
	ck_assert_int_eq(b.error, -ENOMEM);
	buf_puts(&b, "ignored");
	buf_printf(&b, "%s", "ignored");
	ck_assert_uint_eq(b.size, 2);
	ck_assert_ptr_null(buf_string(&b));
	buf_clear(&b);
	ck_assert_int_eq(b.error, 0);
	buf_puts(&b, "again");
	ck_assert_uint_eq(b.size, 5);
}
END_TEST

START_TEST(printf_longer_than_any_first_allocation)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *s = NULL;

	buf_printf(&b, "%*d", 5000, 7);
	ck_assert_uint_eq(b.size, 5000);
	s = buf_string(&b);
	ck_assert_uint_eq(strlen(s), 5000);
	ck_assert_int_eq(s[4999], '7');
}
END_TEST

START_TEST(a_limit_is_an_error_of_its_own)
{
	_cleanup_buf_ struct buf b = { .limit = 1000 };

	for (int i = 0; i < 1000; i++)
		buf_putc(&b, 'a');
	ck_assert_int_eq(b.error, 0);
	ck_assert_uint_eq(b.size, 1000);
	/* Growth in advance stays below the limit as well. */
	ck_assert_uint_le(b.allocated, 1000);
	buf_putc(&b, 'b');
	ck_assert_int_eq(b.error, -EFBIG);
	buf_puts(&b, "ignored");
	ck_assert_uint_eq(b.size, 1000);
	ck_assert_ptr_null(buf_string(&b));
	ck_assert_int_eq(b.error, -EFBIG);
	buf_clear(&b);
	buf_printf(&b, "%0999d", 0);
	ck_assert_int_eq(b.error, 0);
	ck_assert_ptr_null(buf_reserve(&b, 2));
	ck_assert_int_eq(b.error, -EFBIG);
}
END_TEST

CHECK_MAIN("util/buf", appends_in_order, string_hands_over, grows_and_keeps_all_bytes,
	   reserve_is_counted_by_the_caller, first_failure_is_remembered,
	   a_limit_is_an_error_of_its_own, printf_longer_than_any_first_allocation);
