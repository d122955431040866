/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "clickhouse/place.h"

START_TEST(an_address_says_where_and_which_database)
{
	static const struct {
		const char *text, *base, *place, *database, *cluster;
	} known[] = {
		{ "http://store", "http://store:8123/", "store:8123", "plop", "" },
		{ "http://store/", "http://store:8123/", "store:8123", "plop", "" },
		{ "https://store", "https://store:8443/", "store:8443", "plop", "" },
		{ "http://127.0.0.1:9000/fleet", "http://127.0.0.1:9000/", "127.0.0.1:9000",
		  "fleet", "" },
		{ "http://[::1]:9000/a_1?cluster=all", "http://[::1]:9000/", "[::1]:9000", "a_1",
		  "all" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		_cleanup_(clickhouse_url_done) struct clickhouse_url u = {};
		const char *error = NULL;

		ck_assert_int_eq(clickhouse_url_parse(known[i].text, &u, &error), 0);
		ck_assert_str_eq(u.base, known[i].base);
		ck_assert_str_eq(u.place, known[i].place);
		ck_assert_str_eq(u.database, known[i].database);
		ck_assert_str_eq(u.cluster, known[i].cluster);
	}
}
END_TEST

START_TEST(what_is_none_is_refused)
{
	static const char *const bad[] = {
		"",
		"store",
		"ftp://store",
		"file:///etc/passwd",
		"http://",
		"http://me:secret@store/plop",
		"http://store/plop; DROP TABLE x",
		"http://store/a/b",
		"http://store/1a",
		"http://store/plop?cluster=",
		"http://store/plop?cluster=a'b",
		"http://store/plop?other=1",
		"http://store:99999/plop",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct clickhouse_url u = {};
		const char *error = NULL;

		ck_assert_msg(clickhouse_url_parse(bad[i], &u, &error) == -EINVAL, "%s", bad[i]);
		ck_assert_ptr_nonnull(error);
		ck_assert_ptr_null(u.base);
	}
}
END_TEST

CHECK_MAIN("clickhouse/place", an_address_says_where_and_which_database, what_is_none_is_refused);
