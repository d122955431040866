/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <check.h>
#include <stdlib.h>

#include "util/macro.h"

/*
 * Runs tests of libcheck as one suite; setup and teardown, before and after each, may be NULL.
 * Returns what main() returns.
 */
static inline int check_main(const char *name, SFun setup, SFun teardown, const TTest *const *tests,
			     size_t n)
{
	Suite *s = suite_create(name);
	TCase *t = tcase_create(name);
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
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
