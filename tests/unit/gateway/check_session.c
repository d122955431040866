/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "gateway/session.h"

START_TEST(sessions_have_an_end)
{
	static struct sessions s;

	ck_assert(!sessions_find(&s, "", 0, NULL));
	sessions_add(&s, "one", NULL, &(struct session_terms){ .until_ns = 100 });
	ck_assert(sessions_find(&s, "one", 99, NULL));
	ck_assert(!sessions_find(&s, "one", 100, NULL));
	ck_assert(!sessions_find(&s, "two", 99, NULL));
}
END_TEST

START_TEST(the_oldest_goes)
{
	static struct sessions s;
	char name[16];

	for (unsigned int i = 0; i <= SESSIONS_MAX; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		sessions_add(&s, name, NULL, &(struct session_terms){ .until_ns = 1000 + i });
	}
	ck_assert(!sessions_find(&s, "s0", 1, NULL));
	ck_assert(sessions_find(&s, "s1", 1, NULL));
	ck_assert(sessions_find(&s, name, 1, NULL));
}
END_TEST

START_TEST(what_does_not_fit_is_no_session)
{
	static struct sessions s;
	char text[SESSION_TEXT_MAX + 1];

	memset(text, 'a', sizeof(text));
	text[SESSION_TEXT_MAX] = '\0';
	sessions_add(&s, text, NULL, &(struct session_terms){ .until_ns = 100 });
	ck_assert(!sessions_find(&s, text, 1, NULL));
	text[SESSION_TEXT_MAX - 1] = '\0';
	sessions_add(&s, text, NULL, &(struct session_terms){ .until_ns = 100 });
	ck_assert(sessions_find(&s, text, 1, NULL));
}
END_TEST

START_TEST(one_can_be_ended)
{
	static struct sessions s;
	char token[SESSION_TEXT_MAX];
	uint64_t one, two;

	sessions_add(&s, "one", "token1", &(struct session_terms){ .until_ns = 100 });
	sessions_add(&s, "two", NULL, &(struct session_terms){ .until_ns = 100 });
	one = sessions_find(&s, "one", 1, NULL);
	two = sessions_find(&s, "two", 1, NULL);
	ck_assert(one >= SESSION_FIRST && two >= SESSION_FIRST && one != two);
	ck_assert_uint_eq(sessions_end(&s, "three", 1, token), 0);
	ck_assert_uint_eq(sessions_end(&s, "", 1, token), 0);
	ck_assert_uint_eq(sessions_end(&s, "one", 1, token), one);
	ck_assert_str_eq(token, "token1");
	ck_assert_uint_eq(sessions_find(&s, "one", 1, NULL), 0);
	ck_assert_uint_eq(sessions_end(&s, "one", 1, token), 0);
	ck_assert_uint_eq(sessions_find(&s, "two", 1, NULL), two);
	ck_assert_uint_eq(sessions_end(&s, "two", 1, NULL), two);
}
END_TEST

START_TEST(random_ids_differ)
{
	char a[65], b[65];

	ck_assert_int_eq(session_random(a, sizeof(a)), 0);
	ck_assert_int_eq(session_random(b, sizeof(b)), 0);
	ck_assert_uint_eq(strlen(a), 64);
	ck_assert_str_ne(a, b);
	ck_assert_int_eq(session_random(a, 64), -EINVAL);
}
END_TEST

CHECK_MAIN("gateway/session", sessions_have_an_end, the_oldest_goes,
	   what_does_not_fit_is_no_session, one_can_be_ended, random_ids_differ);
