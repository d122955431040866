/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "plopd/deploy_watch.h"

static struct deploy_watch w;

static void teardown(void)
{
	deploy_watch_done(&w);
}

/* A process of that version has samples in the window of that number. */
static void seen(uid_t uid, const char *service, const char *version, uint64_t window)
{
	struct profile_process p = { .info = process_info_of(7), .samples = 1 };

	p.info.uid = uid;
	p.info.service = (char *)(uintptr_t)service;
	p.info.version = (char *)(uintptr_t)version;
	ck_assert_int_eq(deploy_watch_add(&w, &p, window * 30, window * 30 + 30), 0);
}

static void seen_often(uid_t uid, const char *service, const char *version, uint64_t first,
		       uint64_t windows)
{
	for (uint64_t i = 0; i < windows; i++)
		seen(uid, service, version, first + i);
}

static void expect(const char *version, const char *before)
{
	const struct watched *k, *other;

	ck_assert(deploy_watch_next(&w, &k, &other) == (version != NULL));
	if (!version)
		return;
	ck_assert_str_eq(k->version, version);
	ck_assert_str_eq(other->version, before);
}

START_TEST(a_new_version_is_compared_when_both_have_enough)
{
	seen_often(0, "shop", "1", 0, WATCH_WINDOWS);
	expect(NULL, NULL);
	seen_often(0, "shop", "2", 100, WATCH_WINDOWS - 1);
	expect(NULL, NULL);
	/* two processes in one window are one window */
	seen(0, "shop", "2", 108);
	expect(NULL, NULL);
	seen(0, "shop", "2", 109);
	expect("2", "1");
	/* and again with twice as many */
	expect(NULL, NULL);
	seen_often(0, "shop", "2", 110, WATCH_WINDOWS - 1);
	expect(NULL, NULL);
	seen(0, "shop", "2", 130);
	expect("2", "1");
	expect(NULL, NULL);
}
END_TEST

START_TEST(few_windows_of_the_one_before_are_not_enough)
{
	seen_often(0, "shop", "1", 0, WATCH_WINDOWS - 1);
	seen_often(0, "shop", "2", 100, 3 * WATCH_WINDOWS);
	expect(NULL, NULL);
	seen(0, "shop", "1", 200);
	expect("2", "1");
}
END_TEST

/* A version that comes back is no deploy, and what an older one does is compared no more. */
START_TEST(the_newest_is_the_one_that_came_last)
{
	seen_often(0, "shop", "1", 0, WATCH_WINDOWS);
	seen_often(0, "shop", "2", 100, WATCH_WINDOWS);
	seen(0, "shop", "3", 200);
	seen_often(0, "shop", "1", 300, WATCH_WINDOWS);
	expect(NULL, NULL);
	seen_often(0, "shop", "3", 400, WATCH_WINDOWS);
	expect("3", "2");
	expect(NULL, NULL);
}
END_TEST

START_TEST(owners_and_services_are_apart)
{
	seen_often(1, "shop", "1", 0, WATCH_WINDOWS);
	seen_often(2, "shop", "2", 100, WATCH_WINDOWS);
	seen_often(1, "store", "2", 100, WATCH_WINDOWS);
	expect(NULL, NULL);
	seen_often(2, "shop", "3", 200, WATCH_WINDOWS);
	expect("3", "2");
}
END_TEST

START_TEST(what_was_compared_before_is_not_again)
{
	seen_often(0, "shop", "1", 0, WATCH_WINDOWS);
	seen_often(0, "shop", "2", 100, WATCH_WINDOWS);
	deploy_watch_looked(&w, 0, "shop", "2", WATCH_WINDOWS);
	expect(NULL, NULL);
	deploy_watch_looked(&w, 0, "shop", "2", WATCH_LAST);
	seen_often(0, "shop", "2", 200, 3 * WATCH_LAST);
	expect(NULL, NULL);
}
END_TEST

/* One user's versions, which a program can make up, take nobody else's place. */
START_TEST(there_is_a_bound)
{
	char version[32];

	seen_often(0, "shop", "1", 0, WATCH_WINDOWS);
	seen_often(0, "shop", "2", 1, WATCH_WINDOWS);
	for (unsigned int i = 0; i < 3 * WATCH_MAX; i++) {
		snprintf(version, sizeof(version), "%u", i);
		seen(1000, "made up", version, 100 + i);
	}
	ck_assert_uint_eq(HASH_COUNT(w.all), 2 + WATCH_USER_MAX);
	expect("2", "1");
	for (unsigned int i = 0; i < 3 * WATCH_MAX; i++) {
		snprintf(version, sizeof(version), "%u", i);
		seen(0, "many", version, 9000 + i);
	}
	ck_assert_uint_eq(HASH_COUNT(w.all), WATCH_MAX);
	/* without a service, a version or samples there is nothing to keep */
	seen(0, "", "1", 1);
	seen(0, "shop", "", 1);
	ck_assert_uint_eq(HASH_COUNT(w.all), WATCH_MAX);
}
END_TEST

CHECK_MAIN_WITH("plopd/deploy_watch", NULL, teardown,
		a_new_version_is_compared_when_both_have_enough,
		few_windows_of_the_one_before_are_not_enough, the_newest_is_the_one_that_came_last,
		owners_and_services_are_apart, what_was_compared_before_is_not_again,
		there_is_a_bound);
