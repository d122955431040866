/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/scope.h"
#include "check_main.h"

/* What each lets, over all that there are. */
START_TEST(what_it_lets)
{
	for (enum scope_may may = SCOPE_ALL; may < SCOPES; may++) {
		struct scope s = { .may = may };

		ck_assert_int_eq(scope_lets(&s, NEEDS_ALL), may == SCOPE_ALL);
		ck_assert_int_eq(scope_lets(&s, NEEDS_RECORD), may != SCOPE_READ);
		ck_assert(scope_lets(&s, NEEDS_READ_ALL) && scope_lets(&s, NEEDS_READ));
		strcpy(s.service, "shop");
		ck_assert(!scope_lets(&s, NEEDS_ALL) && !scope_lets(&s, NEEDS_READ_ALL));
		ck_assert_int_eq(scope_lets(&s, NEEDS_RECORD), may != SCOPE_READ);
		ck_assert(scope_lets(&s, NEEDS_READ));
	}
}
END_TEST

START_TEST(there_and_back)
{
	struct scope s = { .may = SCOPE_RECORD, .who = "token a&b=c%" }, back = {};
	struct buf b = {};
	char *text;

	memset(s.service, '&', SCOPE_SERVICE_MAX);
	scope_put(&s, &b);
	text = buf_string(&b);
	ck_assert_int_eq(scope_parse(text, &back), 0);
	ck_assert_int_eq(back.may, SCOPE_RECORD);
	ck_assert_str_eq(back.service, s.service);
	ck_assert_str_eq(back.who, s.who);
	free(text);
}
END_TEST

START_TEST(what_it_refuses)
{
	static const char *const bad[] = { "",
					   "may",
					   "may=",
					   "may=write",
					   "service=shop",
					   "may=read&service=",
					   "may=read&service=a%00b",
					   "may=read&service=a%0Ab",
					   "may=read&service=%ff",
					   "may=read&service=a%e2%80%8bb",
					   "may=read&more=1",
					   "may=read%" };
	char text[SCOPE_WHO_MAX + 64] = "may=read&who=";
	struct scope s = { .who = "as it was" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(scope_parse(bad[i], &s) == -EINVAL, "%s", bad[i]);
	memset(text + strlen(text), 'x', SCOPE_WHO_MAX + 1);
	ck_assert_int_eq(scope_parse(text, &s), -EINVAL);
	ck_assert_str_eq(s.who, "as it was");
	text[strlen(text) - 1] = '\0';
	ck_assert_int_eq(scope_parse(text, &s), 0);
}
END_TEST

CHECK_MAIN("api/scope", what_it_lets, there_and_back, what_it_refuses);
