/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>

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
		/* An assertion for each of a million would take longer than the rest of the tests. */
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
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("util/utf8");
	TCase *t = tcase_create("utf8");
	SRunner *r;
	int failed;

	tcase_add_test(t, all_characters_survive);
	tcase_add_test(t, what_is_not_utf8_is_replaced);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
