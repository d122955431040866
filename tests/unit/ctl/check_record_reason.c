/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>

#include "ctl/record_reason.h"
#include "record/reason.h"
#include "util/macro.h"

/*
 * plopctl has a sentence of its own for every reason that plopd has; that it ended as it was to
 * needs none.
 */
START_TEST(every_reason_is_known)
{
	for (int i = 1; i < RECORDING_REASONS; i++) {
		char buffer[128] = "";
		const char *said = record_reason(recording_reason_name((enum recording_reason)i),
						 buffer, sizeof(buffer));

		ck_assert_str_eq(buffer, "");
		ck_assert_int_eq(said != NULL, i != RECORDING_ELAPSED && i != RECORDING_STOPPED);
	}
}
END_TEST

/* One of a newer plopd is said as it is called. */
START_TEST(an_unknown_one)
{
	char buffer[128];

	ck_assert_str_eq(record_reason("eclipse", buffer, sizeof(buffer)), "ended early: eclipse");
	ck_assert_ptr_null(record_reason("", buffer, sizeof(buffer)));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("record_reason");
	TCase *t = tcase_create("record_reason");
	SRunner *r;
	int failed;

	tcase_add_test(t, every_reason_is_known);
	tcase_add_test(t, an_unknown_one);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
