/* SPDX-License-Identifier: BSD-2-Clause */
#include <locale.h>

#include "check_main.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"

static char b[256];

START_TEST(numbers_in_groups)
{
	ck_assert_str_eq(text_number(0, b, sizeof(b)), "0");
	ck_assert_str_eq(text_number(999, b, sizeof(b)), "999");
	ck_assert_str_eq(text_number(1000, b, sizeof(b)), "1,000");
	ck_assert_str_eq(text_number(UINT64_MAX, b, sizeof(b)), "18,446,744,073,709,551,615");
}
END_TEST

START_TEST(cells_are_cut_and_filled)
{
	ck_assert_str_eq(text_cell("abc", 5, true, b, sizeof(b)), "abc  ");
	ck_assert_str_eq(text_cell("abc", 5, false, b, sizeof(b)), "abc");
	ck_assert_str_eq(text_cell("abcde", 5, true, b, sizeof(b)), "abcde");
	ck_assert_str_eq(text_cell("abcdef", 5, true, b, sizeof(b)), "abc..");
	ck_assert_str_eq(text_cell("abcdef", 2, true, b, sizeof(b)), "ab");
	ck_assert_str_eq(text_cell("", 0, true, b, sizeof(b)), "");
}
END_TEST

START_TEST(cells_do_not_steer_a_terminal)
{
	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	ck_assert_str_eq(text_cell("a\033[2Jb\n\x7f", 20, false, b, sizeof(b)), "a?[2Jb??");
	ck_assert_str_eq(text_cell("\xff\xc3", 20, false, b, sizeof(b)), "??");
	/* A wide character has two columns. */
	ck_assert_str_eq(text_cell("\xe8\x9b\x87\xe8\x9b\x87", 5, true, b, sizeof(b)),
			 "\xe8\x9b\x87\xe8\x9b\x87 ");
	ck_assert_str_eq(text_cell("\xe8\x9b\x87\xe8\x9b\x87", 3, true, b, sizeof(b)),
			 "\xe8\x9b\x87 ");
}
END_TEST

START_TEST(cells_have_their_width_whatever_is_in_them)
{
	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	/* overrides, isolates, marks, joiners, tags: one column each, and none of them comes out */
	ck_assert_str_eq(text_cell("a\xe2\x80\xae"
				   "b\xe2\x81\xa6"
				   "c\xe2\x80\x8d"
				   "d\xf3\xa0\x81\x81",
				   9, true, b, sizeof(b)),
			 "a?b?c?d? ");
	ck_assert_str_eq(text_cell("\xd8\x9c\xc2\x9b\xe2\x80\xa8\xef\xbf\xb9\xef\xb8\x8f", 9, true,
				   b, sizeof(b)),
			 "?????    ");
	ck_assert_str_eq(text_cell("\xe2\x80\xae\xe2\x80\xae\xe2\x80\xae\xe2\x80\xae\xe2\x80\xae",
				   4, true, b, sizeof(b)),
			 "??..");
	/* a combining accent has no column of its own, a wide character two */
	ck_assert_str_eq(text_cell("e\xcc\x81\xe8\x9b\x87", 5, true, b, sizeof(b)),
			 "e\xcc\x81\xe8\x9b\x87  ");
	ck_assert_str_eq(text_cell("e\xcc\x81"
				   "e\xcc\x81"
				   "e\xcc\x81"
				   "e\xcc\x81"
				   "ee",
				   5, true, b, sizeof(b)),
			 "e\xcc\x81"
			 "e\xcc\x81"
			 "e\xcc\x81..");
}
END_TEST

static const char *shown(const char *text, bool json)
{
	static struct buf out;

	buf_clear(&out);
	text_for_terminal(text, strlen(text), json, &out);
	buf_putc(&out, '\0');
	ck_assert_int_eq(out.error, 0);
	return out.data;
}

START_TEST(files_on_a_terminal)
{
	ck_assert_str_eq(shown("a\tb\n", false), "a\tb\n");
	ck_assert_str_eq(shown("a\xe2\x80\xae\033[m\xff\xe8\x9b\x87", false),
			 "a\xef\xbf\xbd\xef\xbf\xbd[m\xef\xbf\xbd\xe8\x9b\x87");
	/* as JSON it means the same as before */
	ck_assert_str_eq(shown("\"a\xe2\x80\xae\xf3\xa0\x81\x81\xc2\x9b\xe8\x9b\x87\"", true),
			 "\"a\\u202e\\udb40\\udc41\\u009b\xe8\x9b\x87\"");
}
END_TEST

START_TEST(lost_by_cause)
{
	json_t *lost = json_pack("{s:i, s:i, s:i}", "fault", 8, "drain", 0, "corrupt", 2000);

	ck_assert_str_eq(text_lost(lost, b, sizeof(b)), "2,008 (fault 8, corrupt 2,000)");
	ck_assert_uint_eq(text_lost_total(lost), 2008);
	ck_assert_str_eq(text_lost(NULL, b, sizeof(b)), "0");
	json_decref(lost);
}
END_TEST

START_TEST(json_by_path)
{
	json_t *o = json_pack("{s:{s:f, s:s}, s:i}", "a", "b", 1.5, "c", "text", "d", 3);

	ck_assert(json_number_at(o, "a.b") == 1.5);
	ck_assert(json_number_at(o, "d") == 3);
	ck_assert(json_number_at(o, "a.x") == 0);
	ck_assert(json_number_at(o, "d.b") == 0);
	ck_assert(json_number_at(NULL, "d") == 0);
	ck_assert_str_eq(json_string_at(o, "a.c"), "text");
	ck_assert_str_eq(json_string_at(o, "a.b"), "");
	json_decref(o);
}
END_TEST

START_TEST(progress_fits_the_terminal)
{
	json_t *o = json_pack("{s:f, s:i, s:i, s:i}", "elapsed_s", 15.0, "duration_s", 30,
			      "samples", 1500, "lost_total", 2);

	ck_assert_str_eq(progress_line(o, 80, b, sizeof(b)),
			 "[############------------] 15.0/30 s  1,500 samples  2 lost");
	ck_assert_str_eq(progress_line(o, 60, b, sizeof(b)),
			 "[#####-----] 15.0/30 s  1,500 samples  2 lost");
	for (unsigned int columns = 1; columns < 100; columns++)
		ck_assert_uint_lt(strlen(progress_line(o, columns, b, sizeof(b))), columns);
	json_object_set_new(o, "elapsed_s", json_real(99));
	ck_assert_ptr_nonnull(
		strstr(progress_line(o, 80, b, sizeof(b)), "[########################] 99.0"));
	json_decref(o);
}
END_TEST

CHECK_MAIN("ctl/text", numbers_in_groups, cells_are_cut_and_filled, cells_do_not_steer_a_terminal,
	   cells_have_their_width_whatever_is_in_them, files_on_a_terminal, lost_by_cause,
	   json_by_path, progress_fits_the_terminal);
