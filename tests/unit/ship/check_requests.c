/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "clickhouse/rows.h"
#include "ship/requests.h"

#define S NSEC_PER_SEC

static void put(struct buf *b, uint64_t id, uint32_t from_s, uint32_t to_s)
{
	rows_put_u64(b, id);
	rows_put_u32(b, from_s);
	rows_put_u32(b, to_s);
}

START_TEST(windows_that_overlap_are_wanted)
{
	struct requests r = {};
	_cleanup_buf_ struct buf b = {};

	ck_assert(!requests_want(&r, 0, 100 * S));
	put(&b, 1, 100, 160);
	put(&b, 2, 500, 501);
	ck_assert(requests_answer(&r, &b));
	ck_assert_uint_eq(r.n, 2);
	ck_assert(!requests_want(&r, 70 * S, 100 * S));
	ck_assert(requests_want(&r, 70 * S, 100 * S + 1));
	ck_assert(requests_want(&r, 120 * S, 150 * S));
	ck_assert(requests_want(&r, 160 * S - 1, 190 * S));
	ck_assert(!requests_want(&r, 160 * S, 190 * S));
	ck_assert(requests_want(&r, 480 * S, 510 * S));
	/* none any more */
	buf_clear(&b);
	ck_assert(requests_answer(&r, &b));
	ck_assert(!requests_want(&r, 120 * S, 150 * S));
}
END_TEST

START_TEST(an_answer_is_bounded)
{
	struct requests r = {};
	_cleanup_buf_ struct buf b = {};

	put(&b, 1, 10, 10);
	put(&b, 2, 20, 10);
	put(&b, 3, 0, UINT32_MAX);
	ck_assert(requests_answer(&r, &b));
	ck_assert_uint_eq(r.n, 1);
	ck_assert(requests_want(&r, 3599 * S, 3600 * S));
	ck_assert(!requests_want(&r, 3600 * S, 3601 * S));
	buf_clear(&b);
	for (uint32_t i = 0; i < 3 * REQUESTS_MOST; i++)
		put(&b, i, 10, 20);
	ck_assert(requests_answer(&r, &b));
	ck_assert_uint_eq(r.n, REQUESTS_MOST);
}
END_TEST

START_TEST(half_an_answer_is_none)
{
	struct requests r = { .n = 1, .items = { { 1, 10, 20 } } };
	_cleanup_buf_ struct buf b = {};

	put(&b, 2, 30, 40);
	b.size--;
	ck_assert(!requests_answer(&r, &b));
	ck_assert_uint_eq(r.n, 1);
	ck_assert_uint_eq(r.items[0].id, 1);
}
END_TEST

START_TEST(the_question)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *sql = NULL;

	requests_question("plop", UINT64_MAX, 100000, &b);
	sql = buf_string(&b);
	ck_assert_str_eq(sql, "SELECT request, from_s, to_s FROM plop.requests WHERE day >= "
			      "toDate(toDateTime(89200)) AND to_s > 96400 AND has(hosts, "
			      "toUInt64(18446744073709551615)) ORDER BY to_s, request LIMIT 1 BY "
			      "request LIMIT 64 FORMAT RowBinary");
}
END_TEST

CHECK_MAIN("ship/requests", windows_that_overlap_are_wanted, an_answer_is_bounded,
	   half_an_answer_is_none, the_question);
