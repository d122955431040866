/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "proc/text.h"

static void sanitizes(const char *in, size_t size, const char *expected)
{
	_cleanup_free_ char *s = text_sanitize(in, size);

	ck_assert_str_eq(s, expected);
}
#define SANITIZES(in, expected) sanitizes(in, sizeof(in) - 1, expected)

#define BAD "\xef\xbf\xbd"

START_TEST(keeps_utf8)
{
	SANITIZES("", "");
	SANITIZES("plain ~", "plain ~");
	SANITIZES("Gr\xc3\xb6\xc3\x9f"
		  "e \xe2\x82\xac \xf0\x9f\x90\x8d",
		  "Gr\xc3\xb6\xc3\x9f"
		  "e \xe2\x82\xac \xf0\x9f\x90\x8d");
	SANITIZES("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf");
}
END_TEST

START_TEST(replaces_control_characters)
{
	SANITIZES("a\nb\tc\x7f"
		  "d\x1b[0m",
		  "a" BAD "b" BAD "c" BAD "d" BAD "[0m");
	SANITIZES("\xc2\x85", BAD);
	SANITIZES("a\0b", "a" BAD "b");
}
END_TEST

START_TEST(replaces_bad_sequences)
{
	/*
	 * Stray continuation, cut off, overlong "/", a surrogate, beyond Unicode, a byte that never
	 * occurs.
	 */
	SANITIZES("\x80", BAD);
	SANITIZES("x\xe2\x82", "x" BAD BAD);
	SANITIZES("\xc0\xaf", BAD BAD);
	SANITIZES("\xe0\x80\xaf", BAD BAD BAD);
	SANITIZES("\xed\xa0\x80", BAD);
	SANITIZES("\xf4\x90\x80\x80", BAD BAD BAD BAD);
	/* A NUL within, and the end of what may be read. */
	sanitizes("\xed\xa0\x80", 2, BAD BAD);
	sanitizes("\xe2\0\x82", 3, BAD BAD BAD);
	sanitizes("\xe2\x82\xac", 2, BAD BAD);
	SANITIZES("\xff"
		  "a",
		  BAD "a");
	SANITIZES("\xc3(", BAD "(");
}
END_TEST

START_TEST(encodes_every_width)
{
	static const struct {
		uint32_t character;
		const char *bytes;
	} rows[] = {
		{ 'a', "a" },
		{ 0x7ff, "\xdf\xbf" },
		{ 0x800, "\xe0\xa0\x80" },
		{ 0xfffd, BAD },
		{ 0x10000, "\xf0\x90\x80\x80" },
		{ 0x10ffff, "\xf4\x8f\xbf\xbf" },
		{ 0x110000, BAD },
		{ 0xffffffff, BAD },
		{ 0xdc80, BAD },
		{ 0, BAD },
		{ 0x9f, BAD },
		{ 0xa0, "\xc2\xa0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char out[4];
		size_t n = text_encode(out, rows[i].character);

		ck_assert_uint_eq(n, strlen(rows[i].bytes));
		ck_assert_mem_eq(out, rows[i].bytes, n);
	}
}
END_TEST

CHECK_MAIN("proc/text", keeps_utf8, replaces_control_characters, replaces_bad_sequences,
	   encodes_every_width);
