/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
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

CHECK_MAIN("ctl/record_reason", every_reason_is_known, an_unknown_one);
