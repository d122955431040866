/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "api/route.h"

static const struct api_route routes[] = {
	{ .method = "GET", .path = "/" },
	{ .method = "GET", .path = "/v1/recordings/*" },
	{ .method = "DELETE", .path = "/v1/recordings/*" },
	{ .method = "POST", .path = "/v1/recordings" },
	{ .method = "GET", .path = "/v1/status" },
};

static int find(const char *method, const char *path, const struct api_route **ret, char *allow)
{
	return route_find(routes, ARRAY_SIZE(routes), method, path, ret, allow, 64);
}

START_TEST(finds_by_method_and_path)
{
	const struct api_route *r = NULL;
	char allow[64];

	ck_assert_int_eq(find("GET", "/", &r, allow), 0);
	ck_assert_ptr_eq(r, &routes[0]);
	ck_assert_int_eq(find("DELETE", "/v1/recordings/r1", &r, allow), 0);
	ck_assert_ptr_eq(r, &routes[2]);
	ck_assert_int_eq(find("POST", "/v1/recordings", &r, allow), 0);
	ck_assert_ptr_eq(r, &routes[3]);
}
END_TEST

START_TEST(a_star_is_one_component)
{
	const struct api_route *r = NULL;
	char allow[64];

	ck_assert_int_eq(find("GET", "/v1/recordings/", &r, allow), -ENOENT);
	ck_assert_int_eq(find("GET", "/v1/recordings/a/b", &r, allow), -ENOENT);
	ck_assert_int_eq(find("GET", "/v1/recordings/a/", &r, allow), -ENOENT);
	ck_assert_int_eq(find("GET", "/v1/recordings/*", &r, allow), 0);
	ck_assert_int_eq(find("GET", "/v1/status/", &r, allow), -ENOENT);
	ck_assert_int_eq(find("GET", "/v1/statusx", &r, allow), -ENOENT);
	ck_assert_int_eq(find("GET", "", &r, allow), -ENOENT);
	ck_assert_int_eq(find("GET", "//", &r, allow), -ENOENT);
}
END_TEST

START_TEST(another_method_names_those_that_are)
{
	const struct api_route *r = NULL;
	char allow[64] = "";

	ck_assert_int_eq(find("PUT", "/v1/recordings/r1", &r, allow), -EOPNOTSUPP);
	ck_assert_str_eq(allow, "GET, HEAD, DELETE");
	ck_assert_int_eq(find("get", "/v1/status", &r, allow), -EOPNOTSUPP);
	ck_assert_str_eq(allow, "GET, HEAD");
	ck_assert_ptr_null(r);
	/* Without room it is cut, not overrun. */
	ck_assert_int_eq(route_find(routes, ARRAY_SIZE(routes), "PUT", "/v1/recordings/r1", &r,
				    allow, 5),
			 -EOPNOTSUPP);
	ck_assert_str_eq(allow, "GET,");
}
END_TEST

static struct query_parameter parameters[API_MAX_PARAMETERS];
static size_t nparameters;
static char storage[4096];

static int decode(const char *target, const char **path)
{
	return target_decode(target, storage, path, parameters, &nparameters);
}

START_TEST(decodes_path_and_parameters)
{
	const char *path;

	ck_assert_int_eq(decode("/v1/a%20b+c?comm=a+b%2B&pid=1&pid=2&empty=&bare&&x=a=b", &path),
			 0);
	ck_assert_str_eq(path, "/v1/a b+c");
	ck_assert_uint_eq(nparameters, 6);
	ck_assert_str_eq(parameters[0].key, "comm");
	ck_assert_str_eq(parameters[0].value, "a b+");
	ck_assert_str_eq(parameters[2].value, "2");
	ck_assert_str_eq(parameters[3].key, "empty");
	ck_assert_str_eq(parameters[3].value, "");
	ck_assert_str_eq(parameters[4].key, "bare");
	ck_assert_str_eq(parameters[4].value, "");
	ck_assert_str_eq(parameters[5].value, "a=b");
	ck_assert_int_eq(decode("/", &path), 0);
	ck_assert_uint_eq(nparameters, 0);
	ck_assert_int_eq(decode("/?", &path), 0);
	ck_assert_uint_eq(nparameters, 0);
}
END_TEST

START_TEST(refuses_what_is_no_text)
{
	static const char *const bad[] = {
		"/%",
		"/%4",
		"/%zz",
		"/%00",
		"/?a=%00",
		"/?a=%0a",
		"/%7f",
		"/?a=%ff",
		"/?a=%c3",
		"/?%c0%80=1",
		"/?a=%ed%a0%80",
		"/?a=%f4%90%80%80",
		"/?a=%e0%80%80",
		"/?a=%C3%28",
	};
	const char *path;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(decode(bad[i], &path) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(decode("/?a=%c3%a4%e2%82%ac%f0%9f%90%8d", &path), 0);
	ck_assert_str_eq(parameters[0].value, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8d");
}
END_TEST

START_TEST(parameters_are_bounded)
{
	char target[256] = "/?";
	const char *path;

	for (int i = 0; i < API_MAX_PARAMETERS; i++)
		strcat(target, "a=b&");
	ck_assert_int_eq(decode(target, &path), 0);
	ck_assert_uint_eq(nparameters, API_MAX_PARAMETERS);
	strcat(target, "a=b");
	ck_assert_int_eq(decode(target, &path), -E2BIG);
}
END_TEST

CHECK_MAIN("api/route", finds_by_method_and_path, a_star_is_one_component,
	   another_method_names_those_that_are, decodes_path_and_parameters,
	   refuses_what_is_no_text, parameters_are_bounded);
