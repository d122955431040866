/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "gateway/place.h"

START_TEST(parts)
{
	struct place p;

	ck_assert_int_eq(place_parse("https://ops.example:8443/plop/a-b", &p), 0);
	ck_assert_str_eq(p.origin, "https://ops.example:8443");
	ck_assert_str_eq(place_host(&p), "ops.example:8443");
	ck_assert_str_eq(p.prefix, "/plop/a-b");
	ck_assert(p.https);
	ck_assert_int_eq(place_parse("http://[::1]:7567", &p), 0);
	ck_assert_str_eq(place_host(&p), "[::1]:7567");
	ck_assert(!*p.prefix && !p.https);
}
END_TEST

START_TEST(what_it_refuses)
{
	static const char *const bad[] = {
		"",
		"ops.example",
		"https:///plop",
		"https://ops/a b",
		"https://ops/a;b",
		"https://ops/../x",
		"https://ops/a//b",
		"https://ops/\"x",
		"https://ops/a\r\nb",
	};
	struct place p = { .prefix = "/as it was" };
	char text[512] = "https://ops/";

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(place_parse(bad[i], &p) == -EINVAL, "%s", bad[i]);
	memset(text + strlen(text), 'x', sizeof(p.prefix));
	ck_assert_int_eq(place_parse(text, &p), -ENAMETOOLONG);
	ck_assert_str_eq(p.prefix, "/as it was");
}
END_TEST

START_TEST(paths)
{
	struct place p = {};

	ck_assert_str_eq(place_path(&p, "/v1/status"), "/v1/status");
	ck_assert_int_eq(place_parse("https://ops/plop", &p), 0);
	ck_assert_str_eq(place_path(&p, "/plop/v1/status"), "/v1/status");
	ck_assert_str_eq(place_path(&p, "/plop/"), "/");
	ck_assert_str_eq(place_path(&p, "/plop"), "");
	ck_assert_str_eq(place_path(&p, "/plopper"), "/plopper");
	ck_assert_str_eq(place_path(&p, "/v1/status"), "/v1/status");
}
END_TEST

CHECK_MAIN("gateway/place", parts, what_it_refuses, paths);
