/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>

#include "check_main.h"
#include "format/format.h"
#include "known.h"

static char *encode(const struct profile *p, const char *format)
{
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(format_find(format)->encode(p, &b), 0);
	return buf_string(&b);
}

#define BEGIN "<script type=\"application/json\" id=\"data\">"

/* What is between the begin of the page's data and the next tag of any kind. */
static char *data_of(const char *page)
{
	const char *at = strstr(page, BEGIN);

	ck_assert_ptr_nonnull(at);
	at += strlen(BEGIN);
	ck_assert_msg(strncmp(at + strcspn(at, "<"), "</script>", 9) == 0, "%.200s",
		      at + strcspn(at, "<"));
	return strndup(at, strcspn(at, "<"));
}

/* The page has the very JSON of the other formats, and nothing in it is markup or a line end. */
static void check(const struct profile *p)
{
	_cleanup_free_ char *page = encode(p, "html"), *data = data_of(page);
	json_t *o = json_loads(data, 0, NULL);

	ck_assert_int_eq(strncmp(page, "<!DOCTYPE html>", 15), 0);
	ck_assert_ptr_nonnull(strstr(page, "default-src 'none'; script-src 'sha256-"));
	ck_assert_ptr_null(strpbrk(data, "<>&"));
	ck_assert_ptr_null(strstr(data, "\xe2\x80\xa8"));
	ck_assert_ptr_nonnull(o);
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ char *text = encode(p, i ? "tree" : "json");
		json_t *want = json_loads(text, 0, NULL);

		ck_assert_ptr_nonnull(want);
		ck_assert(json_equal(json_object_get(o, i ? "tree" : "graph"), want));
		json_decref(want);
	}
	json_decref(o);
}

START_TEST(hostile)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_free_ char *page = encode(p, "html");

	check(p);
	ck_assert_ptr_null(strstr(page, HOSTILE_HTML));
	ck_assert_ptr_nonnull(strstr(page, "\\u003cimg src=x onerror=alert(1)\\u003e"));
	ck_assert_ptr_nonnull(strstr(page, "\\u2028"));
	ck_assert_ptr_nonnull(strstr(page, HOSTILE_UNICODE));
}
END_TEST

START_TEST(empty)
{
	_cleanup_(profile_freep) struct profile *p = NULL;

	ck_assert_int_eq(profile_new(KNOWN_START, 100, &p), 0);
	check(p);
}
END_TEST

/* A page that is too large is none. */
START_TEST(limit)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_free_ char *page = encode(p, "html");
	const size_t limits[] = { 1, 1000, strlen(page) - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		_cleanup_buf_ struct buf b = { .limit = limits[i] };

		ck_assert_int_eq(format_find("html")->encode(p, &b), -EFBIG);
	}
}
END_TEST

CHECK_MAIN("format/html", hostile, empty, limit);
