/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "gateway/gateway.h"
#include "profile/selector_text.h"

static struct query query;
static struct fleet_wish wish;
static struct refusal why;

static void teardown(void)
{
	query_done(&query);
	free(wish.selectors);
	query = (struct query){};
	wish = (struct fleet_wish){};
	why = (struct refusal){};
}

static int take(const char *body)
{
	const struct api_request request = { .body = body };

	teardown();
	return gateway_wish(&request, &query, &wish, &why);
}

START_TEST(what_is_left_out_is_told)
{
	ck_assert_int_eq(take("{}"), 0);
	ck_assert_uint_eq(wish.hosts, 20);
	ck_assert_uint_eq(wish.seconds, 60);
	ck_assert_uint_eq(wish.wait_s, FLEET_REQUEST_SOON_S);
	ck_assert_str_eq(wish.selectors, "");
}
END_TEST

START_TEST(what_is_said_is_taken)
{
	ck_assert_int_eq(take("{\"selectors\":[\"service=a b\",\"version=1\"],\"hosts\":1000,"
			      "\"duration_s\":3600,\"wait_s\":0}"),
			 0);
	ck_assert_uint_eq(wish.hosts, 1000);
	ck_assert_uint_eq(wish.seconds, 3600);
	ck_assert_uint_eq(wish.wait_s, 0);
	ck_assert_str_eq(wish.selectors, "service=a b version=1");
	ck_assert_uint_eq(query.selectors.n, 2);
	ck_assert_str_eq(query.selectors.items[0].value, "a b");
}
END_TEST

START_TEST(all_else_is_refused_in_a_sentence)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"1",
		"{\"hosts\":0}",
		"{\"hosts\":1001}",
		"{\"hosts\":\"3\"}",
		"{\"hosts\":3.5}",
		"{\"hosts\":99999999999999999999}",
		"{\"duration_s\":0}",
		"{\"duration_s\":3601}",
		"{\"wait_s\":-1}",
		"{\"wait_s\":3601}",
		"{\"selectors\":\"service=a\"}",
		"{\"selectors\":[7]}",
		"{\"selectors\":[\"colour=red\"]}",
		"{\"who\":\"me\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(take(bad[i]) == -EINVAL, "%s", bad[i]);
		ck_assert_uint_eq(why.status, 400);
		ck_assert(*why.error);
	}
}
END_TEST

START_TEST(a_request_has_a_number)
{
	static const char *const bad[] = { "",
					   "x",
					   "0123456789abcdeg",
					   "0123456789ABCDEF",
					   "0123456789abcdef0",
					   "0000000000000000",
					   "0123456789abcde/" };
	struct api_request request = { .path = "/v1/fleet/record/0123456789abcdef" };
	char path[64];

	ck_assert_int_eq(gateway_requested(&request, &query, &why), 0);
	ck_assert_uint_eq(query.request, 0x0123456789abcdef);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(path, sizeof(path), "/v1/fleet/record/%s", bad[i]);
		request.path = path;
		ck_assert_int_eq(gateway_requested(&request, &query, &why), -EINVAL);
		ck_assert_uint_eq(why.status, 404);
	}
}
END_TEST

CHECK_MAIN_WITH("gateway/wish", NULL, teardown, what_is_left_out_is_told, what_is_said_is_taken,
		all_else_is_refused_in_a_sentence, a_request_has_a_number);
