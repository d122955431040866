/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "python/python.h"

#define BAD "\xef\xbf\xbd"
#define CUT "\xe2\x80\xa6"

static void decodes(const void *data, size_t bytes, uint64_t length, uint8_t kind, bool ascii,
		    size_t max, const char *expected, bool expected_cut)
{
	_cleanup_free_ void *copy = malloc(bytes ? bytes : 1);
	struct python_string s = {
		.data = copy, .bytes = bytes, .length = length, .kind = kind, .ascii = ascii
	};
	_cleanup_free_ char *text = NULL;
	bool cut;

	if (bytes > 0)
		memcpy(copy, data, bytes);
	ck_assert_int_eq(python_string_decode(&s, max, &text, &cut), 0);
	ck_assert_str_eq(text, expected);
	ck_assert_int_eq(cut, expected_cut);
}

START_TEST(decodes_every_kind)
{
	static const uint16_t two[] = { 'a', 0x444, 0x20ac };
	static const uint32_t four[] = { 0x1f40d, 'z' };

	decodes("f_1", 3, 3, 1, true, 100, "f_1", false);
	decodes("Gr\xf6\xdf"
		"e",
		5, 5, 1, false, 100,
		"Gr\xc3\xb6\xc3\x9f"
		"e",
		false);
	decodes(two, sizeof(two), 3, 2, false, 100, "a\xd1\x84\xe2\x82\xac", false);
	decodes(four, sizeof(four), 2, 4, false, 100, "\xf0\x9f\x90\x8dz", false);
	decodes("", 0, 0, 1, true, 100, "", false);
}
END_TEST

START_TEST(replaces_what_cannot_be_shown)
{
	static const uint16_t surrogates[] = { 0xd83d, 0xdc0d, 'x', 0xdc80 };
	static const uint32_t beyond[] = { 0x110000, 0xffffffff, 'x' };

	decodes("a\nb\x1b\x7f", 5, 5, 1, true, 100, "a" BAD "b" BAD BAD, false);
	decodes("\x85\xff", 2, 2, 1, false, 100, BAD "\xc3\xbf", false);
	/* It says ASCII and is not. */
	decodes("\xe9", 1, 1, 1, true, 100, BAD, false);
	decodes(surrogates, sizeof(surrogates), 4, 2, false, 100, BAD BAD "x" BAD, false);
	decodes(beyond, sizeof(beyond), 3, 4, false, 100, BAD BAD "x", false);
}
END_TEST

START_TEST(says_when_it_is_cut)
{
	decodes("abcdef", 6, 6, 1, true, 3, "abc" CUT, true);
	decodes("abc", 3, 6, 1, true, 100, "abc" CUT, true);
	decodes("abcdef", 6, 4, 1, true, 100, "abcd", false);
	decodes("a\0b", 3, 2, 2, false, 100, "a" CUT, true);
	decodes("abc", 3, UINT64_MAX, 1, true, 100, "abc" CUT, true);
	decodes("abc", 3, UINT64_MAX, 4, false, 100, CUT, true);
}
END_TEST

START_TEST(state_words)
{
	struct plop_layout l;
	uint8_t kind;
	bool ascii;

	ck_assert_int_eq(layout_by_version(0x030b02f0, &l), 0);
	/* interned 1, kind 1, compact, ascii, ready; and kind 2 and 4 without ascii. */
	ck_assert_int_eq(
		python_string_state(&l, 1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7, &kind, &ascii), 0);
	ck_assert(kind == 1 && ascii);
	ck_assert_int_eq(python_string_state(&l, 2 << 2 | 1 << 5, &kind, &ascii), 0);
	ck_assert(kind == 2 && !ascii);
	ck_assert_int_eq(python_string_state(&l, 3 | 4 << 2 | 1 << 5, &kind, &ascii), 0);
	ck_assert(kind == 4 && !ascii);
	/* Not compact, no kind, a kind that does not exist, ASCII of two bytes. */
	ck_assert_int_eq(python_string_state(&l, 1 << 2 | 1 << 6, &kind, &ascii), -EBADMSG);
	ck_assert_int_eq(python_string_state(&l, 1 << 5, &kind, &ascii), -EBADMSG);
	ck_assert_int_eq(python_string_state(&l, 3 << 2 | 1 << 5, &kind, &ascii), -EBADMSG);
	ck_assert_int_eq(python_string_state(&l, 2 << 2 | 1 << 5 | 1 << 6, &kind, &ascii),
			 -EBADMSG);
}
END_TEST

START_TEST(refuses_other_kinds)
{
	struct python_string s = { .data = "abcdef", .bytes = 6, .length = 2, .kind = 3 };
	char *text = NULL;
	bool cut;

	ck_assert_int_eq(python_string_decode(&s, 10, &text, &cut), -EBADMSG);
	s.kind = 0;
	ck_assert_int_eq(python_string_decode(&s, 10, &text, &cut), -EBADMSG);
	ck_assert_ptr_null(text);
}
END_TEST

static void settles(const char *name, const char *to)
{
	char text[256];

	strcpy(text, name);
	python_name_settle(text);
	ck_assert_str_eq(text, to);
}

/* As beartype, attrs, decorators and others make them: one function, whatever the address. */
START_TEST(settles_addresses)
{
	settles("<@beartype(__main__.work) at 0x7f3c5e0c1f80>", "<@beartype(__main__.work)>");
	settles("<@beartype(__main__.work) at 0x00007f3c5e0c1f80>", "<@beartype(__main__.work)>");
	settles("<wrapper of <function work at 0x5581a0>>", "<wrapper of <function work>>");
	settles("<wrapper of <function f(x) -> int at 0xFFFFA0C1F80>>",
		"<wrapper of <function f(x) -> int>>");
	settles("make.<locals>.<lambda at 0x7f3c5e0c1f80>.run", "make.<locals>.<lambda>.run");
	settles("<generated-0x7f3c5e0c1f80>.12", "<generated>.12");
	settles("<generated_0x7f3c5e0c1f80_0x7f3c5e0c1f90>", "<generated>");
	settles("<generated 0x7f3c5e0c1f80 0x7f3c5e0c1f90>", "<generated>");
	settles("<init id=140371231232128>", "<init id>");
	settles("<init-93824992231424>", "<init>");
	settles("<0x7f3c5e0c1f80>", "<>");
	settles("<naïve at 0x7f3c5e0c1f80>", "<naïve>");
	settles("<f at 0x7f3c5e0c1f80> at 0x7f3c5e0c1f90", "<f> at 0x7f3c5e0c1f90");
}
END_TEST

START_TEST(leaves_what_is_no_address)
{
	static const char *const names[] = {
		"<string>",
		"<frozen importlib._bootstrap>",
		"<ipython-input-12-8e6d0c1f80ab>",
		"<attrs generated init __main__.Point>",
		"/srv/at 0x7f3c5e0c1f80/app.py",
		"/srv/<x/at 0x7f3c5e0c1f80",
		"at 0x7f3c5e0c1f80>",
		"<mask 0xffff>",
		"<line 1234567890123>",
		"<day 20261128093000000>",
		"<big 0x7f3c5e0c1f807f3c>",
		"<big 0x7f3c5e0c1f80zz>",
		"<word at0x7f3c5e0c1f80>",
		"<half at 0x>",
		"<",
		">",
		"><",
		"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		settles(names[i], names[i]);
}
END_TEST

CHECK_MAIN("python/string", decodes_every_kind, replaces_what_cannot_be_shown, says_when_it_is_cut,
	   state_words, refuses_other_kinds, settles_addresses, leaves_what_is_no_address);
