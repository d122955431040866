/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "util/utf8.h"

#define FFFD "\xef\xbf\xbd"

START_TEST(all_characters_survive)
{
	char bytes[UTF8_MAX + 1];
	uint32_t back;
	size_t size;

	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		if (c == 0xd800)
			c = 0xe000;
		size = utf8_encode(c, bytes);
		bytes[size] = '\0';
		/*
		 * An assertion for each of a million would take longer than the rest of the tests.
		 */
		if (utf8_decode(bytes, &back) != size || back != c)
			ck_abort_msg("U+%04X", c);
	}
}
END_TEST

START_TEST(what_is_not_utf8_is_replaced)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "\xc3\xa4", "\xc3\xa4" },
		{ "a\xff"
		  "b",
		  "a" FFFD "b" },
		{ "\x80", FFFD },
		{ "\xc3", FFFD },
		{ "\xe2\x82", FFFD FFFD },
		{ "\xf0\x9f\x90", FFFD FFFD FFFD },
		{ "\xc0\xaf", FFFD FFFD }, /* overlong "/" */
		{ "\xe0\x80\xaf", FFFD FFFD FFFD },
		{ "\xed\xa0\x80", FFFD FFFD FFFD },          /* a surrogate */
		{ "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD }, /* U+110000 */
		{ "\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *s = utf8_clean(cases[i].in);

		ck_assert_str_eq(s, cases[i].out);
		ck_assert_int_eq(utf8_is_valid(cases[i].in), streq(cases[i].in, cases[i].out));
	}
}
END_TEST

START_TEST(what_steers_or_hides_is_not_visible)
{
	static const uint32_t hidden[] = {
		0,       0x1b,    0x7f,    0x80,    0x9b,    0xad,     0x34f,    0x61c,  0x115f,
		0x180e,  0x200b,  0x200c,  0x200d,  0x200e,  0x200f,   0x2028,   0x2029, 0x202a,
		0x202e,  0x2060,  0x2066,  0x2069,  0x206a,  0x206f,   0x3164,   0xd800, 0xdfff,
		0xfdd0,  0xfe0f,  0xfeff,  0xffa0,  0xfff9,  0xfffb,   0xfffe,   0xffff, 0x1fffe,
		0x1d173, 0xe0001, 0xe007f, 0xe0100, 0xe01ef, 0x10ffff, 0x110000,
	};
	static const uint32_t shown[] = { ' ',    'a',    '~',     0xa0,    0xe4,    0x301,  0x5d0,
					  0x600,  0x6dd,  0x3b1,   0x2026,  0x20ac,  0x4e00, 0xac00,
					  0xe000, 0xfffd, 0x1f40d, 0x20000, 0x10fffd };

	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		ck_assert_msg(!utf8_is_visible(hidden[i]), "U+%04X", hidden[i]);
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		ck_assert_msg(utf8_is_visible(shown[i]), "U+%04X", shown[i]);
}
END_TEST

START_TEST(texts_are_made_visible_in_place)
{
	char text[] = "a\xe2\x80\xae"
		      "b\033[2J\n\xff\xc3 \xe8\x9b\x87\xf3\xa0\x81\x81\xef\xbf\xbd\xe2\x80";
	char empty[] = "";

	utf8_make_visible(text);
	ck_assert_str_eq(text, "a?b?[2J??? \xe8\x9b\x87?\xef\xbf\xbd??");
	utf8_make_visible(empty);
	ck_assert_str_eq(empty, "");
}
END_TEST

CHECK_MAIN("util/utf8", all_characters_survive, what_is_not_utf8_is_replaced,
	   what_steers_or_hides_is_not_visible, texts_are_made_visible_in_place);
