/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "plopd/tokens.h"

#define NOW (1000 * NSEC_PER_SEC)

START_TEST(good_and_bad)
{
	static struct tokens t;
	char a[TOKEN_HEX + 1], b[TOKEN_HEX + 1];

	/* an empty table holds no token, not even an empty one */
	ck_assert_uint_eq(tokens_check(&t, NOW, ""), 0);
	ck_assert_uint_eq(tokens_check(&t, NOW, "00000000000000000000000000000000"), 0);
	ck_assert_int_eq(tokens_new(&t, NOW, a), 0);
	ck_assert_int_eq(tokens_new(&t, NOW, b), 0);
	ck_assert_str_ne(a, b);
	ck_assert_uint_eq(strlen(a), TOKEN_HEX);
	ck_assert_uint_eq(tokens_check(&t, NOW, a), TOKEN_LIFE_S);
	ck_assert_uint_eq(tokens_check(&t, NOW + 5 * NSEC_PER_SEC, b), TOKEN_LIFE_S - 5);
	ck_assert_uint_eq(tokens_check(&t, NOW + TOKEN_LIFE_S * NSEC_PER_SEC, b), 0);
	a[0] = a[0] == '0' ? '1' : '0';
	ck_assert_uint_eq(tokens_check(&t, NOW, a), 0);
	b[TOKEN_HEX - 1] = '\0';
	ck_assert_uint_eq(tokens_check(&t, NOW, b), 0);
}
END_TEST

START_TEST(one_can_be_revoked)
{
	static struct tokens t;
	char a[TOKEN_HEX + 1], b[TOKEN_HEX + 1];

	ck_assert_int_eq(tokens_new(&t, NOW, a), 0);
	ck_assert_int_eq(tokens_new(&t, NOW, b), 0);
	tokens_revoke(&t, "");
	tokens_revoke(&t, "00000000000000000000000000000000");
	tokens_revoke(&t, a);
	ck_assert_uint_eq(tokens_check(&t, NOW, a), 0);
	ck_assert_uint_gt(tokens_check(&t, NOW, b), 0);
}
END_TEST

START_TEST(the_oldest_gives_way)
{
	static struct tokens t;
	char first[TOKEN_HEX + 1], last[TOKEN_HEX + 1];

	ck_assert_int_eq(tokens_new(&t, NOW, first), 0);
	for (unsigned int i = 1; i <= TOKENS_MAX; i++)
		ck_assert_int_eq(tokens_new(&t, NOW + i, last), 0);
	ck_assert_uint_eq(tokens_check(&t, NOW, first), 0);
	ck_assert_uint_gt(tokens_check(&t, NOW, last), 0);
}
END_TEST

CHECK_MAIN("plopd/tokens", good_and_bad, one_can_be_revoked, the_oldest_gives_way);
