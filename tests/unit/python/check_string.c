/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>

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

int main(void)
{
	Suite *s = suite_create("python/string");
	TCase *t = tcase_create("string");
	SRunner *r;
	int failed;

	tcase_add_test(t, decodes_every_kind);
	tcase_add_test(t, replaces_what_cannot_be_shown);
	tcase_add_test(t, says_when_it_is_cut);
	tcase_add_test(t, state_words);
	tcase_add_test(t, refuses_other_kinds);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
