/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "query/sd.h"

static struct deploys d;

static void setup(void)
{
	d.unversioned = true;
}

static void teardown(void)
{
	deploys_done(&d);
}

static void add(const char *service, const char *version, uint64_t samples)
{
	const struct profile_process p = {
		.info = { .service = (char *)service, .version = (char *)version },
		.samples = samples,
	};

	ck_assert_int_eq(deploys_add(&d, &p, 0, 30 * NSEC_PER_SEC), 0);
}

static char *told(const char *address, const char *host)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	sd_put(&d, address, host, &w);
	ck_assert_int_eq(json_writer_done(&w), 0);
	return buf_string(&b);
}

/* One for each version; a service that has processes without one is one. */
START_TEST(a_target_for_each)
{
	_cleanup_free_ char *text = NULL;

	add("shop", "2", 1);
	add("blog", "7", 5);
	add("shop", "1", 9);
	add("blog", "", 1);
	add("blog", "8", 3);
	add("", "1", 1);
	add("idle", "1", 0);
	text = told("h:7567", "web1");
	ck_assert_str_eq(text,
			 "[{\"targets\":[\"h:7567\"],\"labels\":{\"__param_service\":\"blog\","
			 "\"service\":\"blog\",\"host\":\"web1\"}},"
			 "{\"targets\":[\"h:7567\"],\"labels\":{\"__param_service\":\"shop\","
			 "\"__param_version\":\"1\",\"service\":\"shop\",\"version\":\"1\","
			 "\"host\":\"web1\"}},"
			 "{\"targets\":[\"h:7567\"],\"labels\":{\"__param_service\":\"shop\","
			 "\"__param_version\":\"2\",\"service\":\"shop\",\"version\":\"2\","
			 "\"host\":\"web1\"}}]");
}
END_TEST

START_TEST(none)
{
	_cleanup_free_ char *text = told("h", "web1");

	ck_assert_str_eq(text, "[]");
}
END_TEST

START_TEST(the_heaviest_are_told)
{
	_cleanup_free_ char *text = NULL;
	char service[16];
	size_t n = 0;

	for (int i = 0; i < SD_MOST + 10; i++) {
		snprintf(service, sizeof(service), "s%03d", i);
		add(service, "", (uint64_t)i + 1);
	}
	text = told("h", "");
	for (const char *at = text; (at = strstr(at, "__param_service")); at++)
		n++;
	ck_assert_uint_eq(n, SD_MOST);
	ck_assert(!strstr(text, "s009") && strstr(text, "s010"));
	ck_assert(!strstr(text, "host"));
}
END_TEST

START_TEST(what_is_an_address)
{
	ck_assert(sd_address_valid("h") && sd_address_valid("web-1.example:7567"));
	ck_assert(sd_address_valid("[2001:db8::1]:80"));
	ck_assert(!sd_address_valid("") && !sd_address_valid("h/x") && !sd_address_valid("h\n"));
	ck_assert(!sd_address_valid("a b") && !sd_address_valid("u@h") && !sd_address_valid("\"h"));
}
END_TEST

CHECK_MAIN_WITH("query/sd", setup, teardown, a_target_for_each, none, the_heaviest_are_told,
		what_is_an_address);
