/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "util/clock.h"
#include "util/seldom.h"
#include "util/true_clock.h"

START_TEST(is_said_once_in_a_minute_with_how_often)
{
	struct seldom s = {};
	uint64_t begun = 5 * NSEC_PER_SEC;
	char text[512];
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	unsetenv("JOURNAL_STREAM");
	log_init("name", LOG_LEVEL_INFO);
	ck_assert_ptr_nonnull(f);
	fflush(stderr);
	ck_assert_int_ge(dup2(fileno(f), STDERR_FILENO), 0);
	ck_assert_int_eq(seldom_warn_at(&s, begun, -EIO, "Cannot do it"), -EIO);
	for (int i = 1; i < 60; i++)
		seldom_warn_at(&s, begun + i * NSEC_PER_SEC, -EIO, "Cannot do it");
	seldom_warn_at(&s, begun + 60 * NSEC_PER_SEC, -EPERM, "Cannot do it");
	seldom_warn_at(&s, begun + 200 * NSEC_PER_SEC, -EIO, "Cannot do it");
	fflush(stderr);
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	close(saved);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	ck_assert_str_eq(text,
			 "name: Cannot do it: Input/output error\n"
			 "name: Cannot do it (and 59 times since this was last said): Operation "
			 "not permitted\n"
			 "name: Cannot do it: Input/output error\n");
}
END_TEST

START_TEST(the_clock_is_the_kernels)
{
	ck_assert_int_eq(true_clock_check(), 0);
}
END_TEST

CHECK_MAIN("util/seldom", is_said_once_in_a_minute_with_how_often, the_clock_is_the_kernels);
