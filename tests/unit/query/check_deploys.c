/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "query/deploys.h"

static struct deploys d;

static void teardown(void)
{
	deploys_done(&d);
}

static int add(const char *service, const char *version, uint64_t start_s, uint64_t samples)
{
	const struct profile_process p = {
		.info = { .service = (char *)service, .version = (char *)version },
		.samples = samples,
	};

	return deploys_add(&d, &p, start_s * NSEC_PER_SEC, (start_s + 30) * NSEC_PER_SEC);
}

/* In whatever order windows come; a restart is none; what is not known is left out. */
START_TEST(the_newest_comes_first)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	ck_assert_int_eq(add("shop", "2", 600, 5), 0);
	ck_assert_int_eq(add("shop", "1", 300, 1), 0);
	ck_assert_int_eq(add("shop", "1", 900, 2), 0);
	ck_assert_int_eq(add("blog", "1", 330, 4), 0);
	ck_assert_int_eq(add("blog", "", 360, 4), 0);
	ck_assert_int_eq(add("", "7", 360, 4), 0);
	ck_assert_int_eq(add("idle", "7", 360, 0), 0);
	json_put_object(&w, NULL);
	deploys_put(&d, &w, "deploys");
	json_put_end(&w);
	ck_assert_int_eq(json_writer_done(&w), 0);
	buf_putc(&b, '\0');
	ck_assert_str_eq(b.data,
			 "{\"deploys\":["
			 "{\"service\":\"shop\",\"version\":\"2\",\"before\":\"1\",\"first\":600.0,"
			 "\"last\":630.0,\"samples\":5},"
			 "{\"service\":\"blog\",\"version\":\"1\",\"before\":null,\"first\":330.0,"
			 "\"last\":360.0,\"samples\":4},"
			 "{\"service\":\"shop\",\"version\":\"1\",\"before\":null,\"first\":300.0,"
			 "\"last\":930.0,\"samples\":3}]}");
}
END_TEST

/* Both were in the window in which the first was seen; their names say nothing of their order. */
START_TEST(of_two_in_one_window_the_one_that_ended_was_there_before)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	ck_assert_int_eq(add("shop", "a", 300, 1), 0);
	ck_assert_int_eq(add("shop", "b", 300, 1), 0);
	ck_assert_int_eq(add("shop", "a", 330, 1), 0);
	ck_assert_int_eq(add("blog", "1", 300, 1), 0);
	json_put_object(&w, NULL);
	deploys_put(&d, &w, "deploys");
	json_put_end(&w);
	ck_assert_int_eq(json_writer_done(&w), 0);
	buf_putc(&b, '\0');
	ck_assert_str_eq(b.data,
			 "{\"deploys\":["
			 "{\"service\":\"blog\",\"version\":\"1\",\"before\":null,\"first\":300.0,"
			 "\"last\":330.0,\"samples\":1},"
			 "{\"service\":\"shop\",\"version\":\"a\",\"before\":\"b\",\"first\":300.0,"
			 "\"last\":360.0,\"samples\":2},"
			 "{\"service\":\"shop\",\"version\":\"b\",\"before\":null,\"first\":300.0,"
			 "\"last\":330.0,\"samples\":1}]}");
}
END_TEST

START_TEST(there_is_a_bound)
{
	char version[16];

	for (int i = 0; i < DEPLOYS_MOST; i++) {
		snprintf(version, sizeof(version), "%d", i);
		ck_assert_int_eq(add("shop", version, 1, 1), 0);
	}
	ck_assert_int_eq(add("shop", "0", 1, 1), 0);
	ck_assert_int_eq(add("shop", "one more", 1, 1), -E2BIG);
	ck_assert_uint_eq(d.n, DEPLOYS_MOST);
}
END_TEST

CHECK_MAIN_WITH("query/deploys", NULL, teardown, the_newest_comes_first,
		of_two_in_one_window_the_one_that_ended_was_there_before, there_is_a_bound);
