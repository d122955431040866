/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "python/source_text.h"

static int decode(const char *bytes, size_t size, char **ret)
{
	_cleanup_buf_ struct buf b = {};
	int r = source_decode(bytes, size, &b);

	if (r == 0)
		*ret = buf_string(&b);
	return r;
}

static void reads(const char *bytes, const char *text)
{
	_cleanup_free_ char *got = NULL;

	ck_assert_int_eq(decode(bytes, strlen(bytes), &got), 0);
	ck_assert_str_eq(got, text);
}

static void fails(const char *bytes, size_t size, int r)
{
	_cleanup_free_ char *got = NULL;

	ck_assert_int_eq(decode(bytes, size, &got), r);
}

START_TEST(encodings)
{
	reads("", "");
	reads("x = 'ä'\n", "x = 'ä'\n");
	reads("\xef\xbb\xbfx\n", "x\n");
	reads("# -*- coding: utf-8 -*-\n'ü'\n", "# -*- coding: utf-8 -*-\n'ü'\n");
	reads("#!/usr/bin/python\n# vim: set fileencoding=Latin_1 :\n'\xfc'\n",
	      "#!/usr/bin/python\n# vim: set fileencoding=Latin_1 :\n'ü'\n");
	reads("\n\t# coding=iso8859-1\n\xe4", "\n\t# coding=iso8859-1\nä");
	/* not in the first two lines, not in a comment, or behind code */
	reads("\n\n# coding: koi8-r\n", "\n\n# coding: koi8-r\n");
	reads("x = 1\n# coding: koi8-r\n", "x = 1\n# coding: koi8-r\n");
	reads("'coding: koi8-r'\n", "'coding: koi8-r'\n");
	reads("# coding\xef\xbf\xbd", "# coding\xef\xbf\xbd");
	fails("# coding: koi8-r\n", 17, -EOPNOTSUPP);
	fails("# coding:\tutf-16\n", 17, -EOPNOTSUPP);
	fails("# coding: latin-1x\n", 19, -EOPNOTSUPP);
	fails("'\xfc'\n", 4, -EILSEQ);
	fails("# coding: ascii\n'\xc3\xbc'\n", 21, -EILSEQ);
	fails("x\0y", 3, -EILSEQ);
	fails("# coding: latin-1\n\0", 19, -EILSEQ);
	/* a mark is UTF-8's */
	fails("\xef\xbb\xbf# coding: latin-1\n", 21, -EOPNOTSUPP);
}
END_TEST

START_TEST(lines)
{
	static const struct {
		const char *text;
		uint32_t lines;
	} cases[] = { { "", 0 },           { "a", 1 },      { "a\n", 1 },  { "a\nb", 2 },
		      { "a\r\nb\r\n", 2 }, { "a\rb\r", 2 }, { "\n\r", 2 }, { "a\fb\vc", 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_uint_eq(source_lines(cases[i].text, strlen(cases[i].text)),
				  cases[i].lines);
}
END_TEST

static const char text[] = "import x\n"                /* 1 */
			   "@deco(\n"                  /* 2 */
			   "    1)\n"                  /* 3 */
			   "class A(B):\n"             /* 4 */
			   "\t@property\n"             /* 5 */
			   "\tdef size (self):\n"      /* 6 */
			   "\t\treturn 1\n"            /* 7 */
			   "async  def go():\r\n"      /* 8 */
			   "    f = lambda: (\n"       /* 9 */
			   "        1)\n"              /* 10 */
			   "    return [\n"            /* 11 */
			   "        a\n"               /* 12 */
			   "        for a in b]\n"     /* 13 */
			   "def gone_by():\n"          /* 14 */
			   "    class\tInner: pass\n"; /* 15 */

START_TEST(agreement)
{
	static const struct {
		const char *name;
		uint32_t first, last;
		bool agrees;
	} cases[] = {
		{ "<module>", 1, 15, true },
		{ "<module>", 0, 0, true },
		{ "<module>", 1, 16, false },
		{ "<module>", 2, 2, false },
		{ "A", 2, 4, true },
		{ "A", 4, 4, true },
		{ "A", 3, 4, false },
		{ "B", 4, 4, false },
		{ "A.size", 5, 7, true },
		{ "A.size", 6, 7, true },
		{ "A.size", 7, 7, false },
		{ "A.length", 6, 7, false },
		{ "go", 8, 9, true },
		{ "go.<locals>.<lambda>", 9, 10, true },
		{ "go.<locals>.<lambda>", 10, 10, false },
		{ "go.<locals>.<listcomp>", 11, 13, true },
		{ "go.<locals>.<genexpr>", 14, 14, false },
		{ "gone", 14, 14, false },
		{ "gone_by", 14, 15, true },
		{ "gone_by.<locals>.Inner", 15, 15, true },
		{ "gone_by", 14, 99, false },
		{ "gone_by", 99, 1, false },
		{ "", 1, 1, false },
		{ "x.", 1, 1, false },
		{ "<generic parameters of f>", 1, 1, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(source_agrees(text, strlen(text), cases[i].name, cases[i].first,
					    cases[i].last) == cases[i].agrees,
			      "%s from %u to %u", cases[i].name, cases[i].first, cases[i].last);
	ck_assert(!source_agrees("", 0, "<module>", 1, 1));
	ck_assert(!source_agrees(NULL, 0, "f", 1, 1));
}
END_TEST

CHECK_MAIN("python/source_text", encodings, lines, agreement);
