/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "plopd/named_tokens.h"

#define NOW (2000 * NSEC_PER_SEC)

static struct named_tokens t, back;

static struct named_token one(const char *name, uint64_t until_ns)
{
	struct named_token k = { .scope.may = SCOPE_READ, .made_ns = NOW, .until_ns = until_ns };

	strcpy(k.name, name);
	return k;
}

START_TEST(made_found_and_dropped)
{
	const struct named_token a = one("a", 0), b = one("b", NOW + 10);
	char secret_a[TOKEN_SECRET_MAX], secret_b[TOKEN_SECRET_MAX];
	struct named_token *found;

	t.n = 0;
	ck_assert(!named_tokens_find(&t, "", NOW) && !named_tokens_find(&t, "plop_", NOW));
	ck_assert_int_eq(named_tokens_add(&t, &a, secret_a), 0);
	ck_assert_int_eq(named_tokens_add(&t, &a, secret_b), -EEXIST);
	ck_assert_int_eq(named_tokens_add(&t, &b, secret_b), 0);
	ck_assert_str_ne(secret_a, secret_b);
	found = named_tokens_find(&t, secret_b, NOW + 9);
	ck_assert(found && streq(found->name, "b") && streq(found->scope.who, "token b"));
	ck_assert(!named_tokens_find(&t, secret_b, NOW + 10));
	ck_assert(named_tokens_find(&t, secret_a, UINT64_MAX));
	secret_a[TOKEN_SECRET_MAX / 2] ^= 1;
	ck_assert(!named_tokens_find(&t, secret_a, NOW));
	ck_assert_int_eq(named_tokens_drop(&t, "a"), 0);
	ck_assert_int_eq(named_tokens_drop(&t, "a"), -ENOENT);
	ck_assert_uint_eq(named_tokens_expire(&t, NOW + 9), 0);
	ck_assert_uint_eq(named_tokens_expire(&t, NOW + 10), 1);
}
END_TEST

static char *kept(void)
{
	struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	named_tokens_put(&t, true, &w);
	ck_assert_int_eq(json_writer_done(&w), 0);
	return buf_string(&b);
}

/* All of them, and none of their secrets is in it. */
START_TEST(there_and_back)
{
	char secret[TOKEN_SECRET_MAX], name[16], *text;
	struct named_token k;

	t.n = 0;
	for (int i = 0; i < NAMED_TOKENS_MAX; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		k = one(name, i % 2 ? NOW + NSEC_PER_SEC : 0);
		k.scope.may = i % 3 ? SCOPE_READ : SCOPE_RECORD;
		strcpy(k.scope.service, i % 5 ? "" : "sh\"op");
		ck_assert_int_eq(named_tokens_add(&t, &k, secret), 0);
	}
	k = one("more", 0);
	ck_assert_int_eq(named_tokens_add(&t, &k, secret), -E2BIG);
	text = kept();
	ck_assert(!strstr(text, "plop_"));
	ck_assert_int_eq(named_tokens_parse(&back, text, strlen(text)), 0);
	ck_assert_uint_eq(back.n, t.n);
	for (size_t i = 0; i < t.n; i++) {
		const struct named_token *a = &t.items[i], *b = &back.items[i];

		ck_assert(streq(a->name, b->name) && streq(a->scope.who, b->scope.who) &&
			  a->scope.may == b->scope.may &&
			  streq(a->scope.service, b->scope.service));
		ck_assert(a->made_ns == b->made_ns && a->until_ns == b->until_ns);
		ck_assert_mem_eq(a->hash, b->hash, SHA256_SIZE);
	}
	free(text);
}
END_TEST

START_TEST(what_is_no_list)
{
#define HASH          "\"sha256\":\"00000000000000000000000000000000000000000000000000000000000000ff\""
#define LIST(members) "{\"tokens\":[{" members "}]}"
	static const char *const bad[] = {
		"",
		"{}",
		"{\"tokens\":{}}",
		LIST(""),
		LIST("\"name\":\"a "
		     "b\",\"scope\":\"read\",\"service\":null,\"created\":1,\"expires\":"
		     "null," HASH),
		LIST("\"name\":\"a\",\"scope\":\"all\",\"service\":null,\"created\":1,\"expires\":"
		     "null," HASH),
		LIST("\"name\":\"a\",\"scope\":\"read\",\"service\":\"\",\"created\":1,\"expires\":"
		     "null," HASH),
		LIST("\"name\":\"a\",\"scope\":\"read\",\"service\":3,\"created\":1,\"expires\":"
		     "null," HASH),
		LIST("\"name\":\"a\",\"scope\":\"read\",\"service\":null,\"created\":1,\"expires\":"
		     "-1," HASH),
		LIST("\"name\":\"a\",\"scope\":\"read\",\"service\":null,\"created\":1,\"expires\":"
		     "null,"
		     "\"sha256\":\"00\""),
	};
	static const char good[] = LIST("\"name\":\"a\",\"scope\":\"read\",\"service\":null,"
					"\"created\":1,\"expires\":null," HASH);

	ck_assert_int_eq(named_tokens_parse(&back, good, strlen(good)), 0);
	ck_assert_uint_eq(back.n, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(named_tokens_parse(&back, bad[i], strlen(bad[i])) == -EBADMSG, "%s",
			      bad[i]);
		ck_assert_uint_eq(back.n, 0);
	}
}
END_TEST

CHECK_MAIN("plopd/named_tokens", made_found_and_dropped, there_and_back, what_is_no_list);
