/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "ship/services.h"

START_TEST(windows_of_a_version_are_counted_once_each)
{
	struct services s = {};

	ck_assert_uint_eq(services_meet(&s, "shop", "7").nth, 1);
	/* two processes of it, and another attempt at that window */
	ck_assert_uint_eq(services_meet(&s, "shop", "7").nth, 1);
	services_count(&s);
	ck_assert_uint_eq(services_meet(&s, "shop", "7").nth, 2);
	ck_assert_uint_eq(services_meet(&s, "shop", "8").nth, 1);
	services_count(&s);
	services_count(&s);
	ck_assert_uint_eq(services_meet(&s, "shop", "7").nth, 3);
	ck_assert_uint_eq(services_meet(&s, "shop", "8").nth, 2);
	services_know(&s, "old", "1");
	ck_assert_uint_gt(services_meet(&s, "old", "1").nth, 1000000);
	services_count(&s);
	ck_assert_uint_gt(services_meet(&s, "old", "1").nth, 1000000);
	services_done(&s);
}
END_TEST

START_TEST(windows_that_did_not_arrive_are_counted_again)
{
	struct services s = {};

	services_meet(&s, "shop", "7");
	services_count(&s);
	services_keep(&s);
	for (unsigned int attempt = 0; attempt < 3; attempt++) {
		services_know(&s, "old", "1");
		for (uint32_t i = 0; i < 4; i++) {
			services_meet(&s, "old", "1");
			ck_assert_uint_eq(services_meet(&s, "shop", "7").nth, 2 + i);
			services_count(&s);
		}
		services_go_back(&s);
	}
	ck_assert_uint_eq(services_meet(&s, "shop", "7").nth, 2);
	ck_assert_uint_gt(services_meet(&s, "old", "1").nth, 1000000);
	services_done(&s);
}
END_TEST

START_TEST(more_than_there_is_room_for_are_not_new)
{
	struct services s = {};
	char version[16];

	for (unsigned int i = 0; i < 2 * SERVICES_MOST; i++) {
		snprintf(version, sizeof(version), "%u", i);
		if (i < SERVICES_MOST)
			ck_assert_uint_eq(services_meet(&s, "shop", version).nth, 1);
		else
			ck_assert_uint_gt(services_meet(&s, "shop", version).nth, 1000000);
	}
	ck_assert_uint_eq(s.n, SERVICES_MOST);
	services_done(&s);
}
END_TEST

START_TEST(nothing_of_a_name_is_sql)
{
	_cleanup_free_ char *text = NULL;
	struct services s = {};
	struct buf sql = {};

	services_meet(&s, "a'b", "1");
	services_meet(&s, "c\\", "1");
	services_question(&s, "plop", 1700000000, &sql);
	text = buf_string(&sql);
	ck_assert_str_eq(text, "SELECT service, toUInt64(intDiv(sum(samples * weight), 1000000)), "
			       "toUInt64(uniq(host_id)) FROM plop.samples WHERE start >= "
			       "toDateTime(1699996400) AND service IN (unhex('612762'), "
			       "unhex('635c')) GROUP BY service FORMAT RowBinary");
	services_done(&s);
}
END_TEST

START_TEST(an_answer_is_of_all_versions_or_none)
{
	_cleanup_buf_ struct buf answer = {};
	struct services s = {};

	services_meet(&s, "shop", "7");
	services_meet(&s, "shop", "8");
	services_meet(&s, "mail", "1");
	rows_put_string(&answer, "shop");
	rows_put_u64(&answer, 40000);
	rows_put_u64(&answer, 20);
	rows_put_string(&answer, "unknown");
	rows_put_u64(&answer, 1);
	rows_put_u64(&answer, 1);
	ck_assert(services_answer(&s, &answer));
	ck_assert_uint_eq(services_meet(&s, "shop", "7").samples_an_hour, 40000);
	ck_assert_uint_eq(services_meet(&s, "shop", "8").hosts, 20);
	ck_assert_uint_eq(services_meet(&s, "mail", "1").hosts, 0);
	answer.size -= 3;
	ck_assert(!services_answer(&s, &answer));
	services_done(&s);
}
END_TEST

CHECK_MAIN("ship/services", windows_of_a_version_are_counted_once_each,
	   windows_that_did_not_arrive_are_counted_again, more_than_there_is_room_for_are_not_new,
	   nothing_of_a_name_is_sql, an_answer_is_of_all_versions_or_none);
