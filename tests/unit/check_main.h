/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "util/macro.h"

/*
 * libcheck writes every assertion that held to a file, so as to say where a test was when it died.
 * With a hundred thousand of them that takes longer than what they look at: of those beyond the
 * first thousand of a test, one in a hundred is written.
 */
static bool check_unmarked;
static inline void check_mark(const char *file, int line)
{
	static unsigned int marks;

	if (!check_unmarked && (marks++ < 1000 || marks % 100 == 0))
		_mark_point(file, line);
}
#define _mark_point(file, line) check_mark(file, line)

/*
 * For a process that a test forks and kills: half a mark would make the file one that libcheck
 * cannot read, which ends all of it.
 */
static inline void check_no_marks(void)
{
	check_unmarked = true;
}

/* A suite of one case; setup and teardown, before and after each test, may be NULL. */
static inline SRunner *check_begin(const char *name, SFun setup, SFun teardown, TCase **ret)
{
	Suite *s = suite_create(name);

	*ret = tcase_create(name);
	tcase_add_checked_fixture(*ret, setup, teardown);
	suite_add_tcase(s, *ret);
	return srunner_create(s);
}

/* Runs it. Returns what main() returns. */
static inline int check_end(SRunner *r)
{
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int check_main(const char *name, SFun setup, SFun teardown, const TTest *const *tests,
			     size_t n)
{
	TCase *t;
	SRunner *r = check_begin(name, setup, teardown, &t);

	for (size_t i = 0; i < n; i++)
		tcase_add_test(t, tests[i]);
	return check_end(r);
}

/* A test that is run for each _i from from to to - 1; { test, 0, 1 }: once. */
struct check_loop {
	const TTest *test;
	int from, to;
};

static inline int check_loops(const char *name, SFun setup, SFun teardown,
			      const struct check_loop *loops, size_t n)
{
	TCase *t;
	SRunner *r = check_begin(name, setup, teardown, &t);

	for (size_t i = 0; i < n; i++)
		tcase_add_loop_test(t, loops[i].test, loops[i].from, loops[i].to);
	return check_end(r);
}

/* CHECK_MAIN("room/subject", test...): the main() of a file of tests. */
#define CHECK_MAIN(name, ...) CHECK_MAIN_WITH(name, NULL, NULL, __VA_ARGS__)

/* CHECK_MAIN_WITH("room/subject", setup, teardown, test...) */
#define CHECK_MAIN_WITH(name, setup, teardown, ...)                                 \
	int main(void)                                                              \
	{                                                                           \
		const TTest *const tests[] = { __VA_ARGS__ };                       \
                                                                                    \
		return check_main(name, setup, teardown, tests, ARRAY_SIZE(tests)); \
	}                                                                           \
	_Static_assert(1, "for the semicolon")

/* CHECK_LOOPS("room/subject", setup, teardown, { test, from, to }...) */
#define CHECK_LOOPS(name, setup, teardown, ...)                                      \
	int main(void)                                                               \
	{                                                                            \
		const struct check_loop loops[] = { __VA_ARGS__ };                   \
                                                                                     \
		return check_loops(name, setup, teardown, loops, ARRAY_SIZE(loops)); \
	}                                                                            \
	_Static_assert(1, "for the semicolon")
