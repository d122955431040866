/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "util/log.h"

/* What fn writes to stderr, NUL-terminated. */
static void capture(void (*fn)(void), char *text, size_t size)
{
	int saved = dup(STDERR_FILENO);
	FILE *f = tmpfile();
	size_t n;

	ck_assert_int_ge(saved, 0);
	ck_assert_ptr_nonnull(f);
	fflush(stderr);
	ck_assert_int_ge(dup2(fileno(f), STDERR_FILENO), 0);
	fn();
	fflush(stderr);
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	close(saved);
	rewind(f);
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
}

static void three_levels(void)
{
	log_error("bad %d", 1);
	log_info("fine");
	log_debug("detail");
}

static void returns_what_it_got(void)
{
	ck_assert_int_eq(log_error_r(-ENOENT, "cannot open %s", "x"), -ENOENT);
	ck_assert_int_eq(log_debug_r(-EPERM, "unseen"), -EPERM);
}

START_TEST(levels_are_filtered)
{
	char text[512];

	unsetenv("JOURNAL_STREAM");
	log_init("name", LOG_LEVEL_INFO);
	capture(three_levels, text, sizeof(text));
	ck_assert_str_eq(text, "name: bad 1\nname: fine\n");
	log_set_max_level(LOG_LEVEL_DEBUG);
	capture(three_levels, text, sizeof(text));
	ck_assert_str_eq(text, "name: bad 1\nname: fine\nname: detail\n");
}
END_TEST

static void with_a_name(void)
{
	log_error("no process %s", "a\033]0;title\a\xe2\x80\xae\nsecond: line\xff");
}

START_TEST(a_message_is_one_line_and_steers_nothing)
{
	char text[512];

	unsetenv("JOURNAL_STREAM");
	log_init("name", LOG_LEVEL_INFO);
	capture(with_a_name, text, sizeof(text));
	ck_assert_str_eq(text, "name: no process a?]0;title???second: line?\n");
}
END_TEST

START_TEST(journal_gets_priorities)
{
	char text[512];

	setenv("JOURNAL_STREAM", "1:2", 1);
	log_init("name", LOG_LEVEL_INFO);
	capture(three_levels, text, sizeof(text));
	ck_assert_str_eq(text, "<3>bad 1\n<6>fine\n");
}
END_TEST

START_TEST(errors_are_named_and_returned)
{
	char text[512];

	unsetenv("JOURNAL_STREAM");
	log_init("name", LOG_LEVEL_INFO);
	capture(returns_what_it_got, text, sizeof(text));
	ck_assert_str_eq(text, "name: cannot open x: No such file or directory\n");
}
END_TEST

CHECK_MAIN("util/log", levels_are_filtered, a_message_is_one_line_and_steers_nothing,
	   journal_gets_priorities, errors_are_named_and_returned);
