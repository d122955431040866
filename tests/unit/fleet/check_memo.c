/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "fleet/memo.h"

#include <stdio.h>
#include <string.h>

static struct fleet_memos memos;

static void setup(void)
{
	memos = (struct fleet_memos){};
}

static void teardown(void)
{
	fleet_memos_done(&memos);
}

static void keep(const char *name, const char *said, uint64_t until_ns)
{
	struct fleet_memo m = { .until_ns = until_ns };
	char *key = strdup(name);

	buf_puts(&m.comparison, said);
	ck_assert_int_eq(fleet_memos_keep(&memos, &key, &m), 0);
	ck_assert_ptr_null(key);
	ck_assert_ptr_null(m.comparison.data);
}

static bool says(const char *name, uint64_t now_ns, const char *said)
{
	const struct fleet_memo *m = fleet_memos_find(&memos, name, now_ns);

	return m && m->comparison.size == strlen(said) &&
	       memcmp(m->comparison.data, said, strlen(said)) == 0;
}

START_TEST(what_is_kept_is_found_until_it_is_old)
{
	keep("shop", "a", 10);
	keep("mail", "b", 20);
	ck_assert(says("shop", 9, "a"));
	ck_assert_ptr_null(fleet_memos_find(&memos, "shop", 10));
	ck_assert(says("mail", 10, "b"));
	ck_assert_ptr_null(fleet_memos_find(&memos, "other", 0));
	/* in the place of the one before */
	keep("shop", "c", 30);
	ck_assert_uint_eq(memos.n, 2);
	ck_assert(says("shop", 20, "c"));
}
END_TEST

START_TEST(of_too_many_the_first_to_be_old_goes)
{
	char name[16];

	for (uint64_t i = 0; i < FLEET_MEMOS + 5; i++) {
		snprintf(name, sizeof(name), "%d", (int)i);
		keep(name, name, 100 + i);
	}
	ck_assert_uint_eq(memos.n, FLEET_MEMOS);
	ck_assert_ptr_null(fleet_memos_find(&memos, "4", 0));
	ck_assert(says("5", 0, "5"));
	ck_assert(says(name, 0, name));
}
END_TEST

START_TEST(elements_are_joined)
{
	_cleanup_buf_ struct buf to = {}, one = {}, none = {};

	buf_puts(&one, "{}");
	fleet_memo_append(&to, &none);
	fleet_memo_append(&to, &one);
	fleet_memo_append(&to, &none);
	fleet_memo_append(&to, &one);
	ck_assert_uint_eq(to.size, 5);
	ck_assert_int_eq(memcmp(to.data, "{},{}", 5), 0);
}
END_TEST

START_TEST(half_an_answer_is_not_kept)
{
	struct fleet_memo m = { .functions = { .error = -ENOMEM } };
	char *key = strdup("shop");

	ck_assert_int_eq(fleet_memos_keep(&memos, &key, &m), -ENOMEM);
	ck_assert_uint_eq(memos.n, 0);
	free(key);
}
END_TEST

CHECK_MAIN_WITH("fleet/memo", setup, teardown, what_is_kept_is_found_until_it_is_old,
		of_too_many_the_first_to_be_old_goes, elements_are_joined,
		half_an_answer_is_not_kept);
