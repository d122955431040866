/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "gateway/check.h"
#include "util/nets.h"

START_TEST(hosts_of_a_loopback_server)
{
	static const char *const good[] = { "localhost", "LocalHost:7567", "127.0.0.1:7567",
					    "127.9.9.9", "[::1]:7567",     "[::1]",
					    "127.0.0.1:" };
	static const char *const bad[] = { "evil.example",
					   "evil.example:7567",
					   "localhost.evil.example",
					   "10.0.0.1:7567",
					   "127.0.0.1.evil.example",
					   "[::2]",
					   "[::1",
					   "[::1]x",
					   "",
					   ":7567",
					   "localhost:7567:1",
					   "localhost:x",
					   "myhost",
					   "0.0.0.0:7567",
					   "localhost@evil.example" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(check_host(good[i], "127.0.0.1", "myhost"), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!check_host(bad[i], "127.0.0.1", "myhost"), "%s", bad[i]);
	ck_assert(!check_host(NULL, "127.0.0.1", "myhost"));
}
END_TEST

START_TEST(hosts_of_a_server_elsewhere)
{
	ck_assert(check_host("10.0.0.1:7567", "10.0.0.1", "myhost"));
	ck_assert(!check_host("10.0.0.2:7567", "10.0.0.1", "myhost"));
	ck_assert(check_host("profiles.example:7567", "profiles.example", "myhost"));
	/* On all addresses: those, and the host's own name, but no other name. */
	ck_assert(check_host("10.0.0.2:7567", "0.0.0.0", "myhost"));
	ck_assert(check_host("MyHost", "::", "myhost"));
	ck_assert(!check_host("evil.example", "0.0.0.0", "myhost"));
}
END_TEST

START_TEST(origins)
{
	ck_assert(check_origin(NULL, "localhost:7567", ""));
	ck_assert(check_origin("http://localhost:7567", "localhost:7567", ""));
	ck_assert(check_origin("https://localhost:7567", "localhost:7567", ""));
	ck_assert(!check_origin("http://localhost:8000", "localhost:7567", ""));
	ck_assert(!check_origin("http://localhost", "localhost:7567", ""));
	ck_assert(!check_origin("null", "localhost:7567", ""));
	ck_assert(!check_origin("", "localhost:7567", ""));
	ck_assert(!check_origin("file://localhost:7567", "localhost:7567", ""));
	ck_assert(!check_origin("http://localhost:7567", NULL, ""));
	/* where a proxy has it, whatever it makes of Host */
	ck_assert(check_origin("https://ops.example", "localhost:7567", "https://ops.example"));
	ck_assert(!check_origin("http://ops.example", "localhost:7567", "https://ops.example"));
	ck_assert(!check_origin("https://ops.example:1", "ops.example", "https://ops.example"));
}
END_TEST

/* The values of all cookies of a name, "|" between them. */
static const char *all(const char *header, const char *name)
{
	static char text[128];
	char v[8];

	text[0] = '\0';
	while (check_cookie(&header, name, v, sizeof(v)))
		strcat(strcat(text, v), "|");
	ck_assert(!check_cookie(&header, name, v, sizeof(v)));
	return text;
}

START_TEST(cookies)
{
	ck_assert_str_eq(all("a=1; b=22;c=3", "a"), "1|");
	ck_assert_str_eq(all("a=1; b=22;c=3", "b"), "22|");
	ck_assert_str_eq(all("a=1; b=22;c=3", "c"), "3|");
	ck_assert_str_eq(all("aa=1; ba=2; xc=3", "a"), "");
	ck_assert_str_eq(all("a", "a"), "");
	ck_assert_str_eq(all("", "a"), "");
	ck_assert_str_eq(all(NULL, "a"), "");
	ck_assert_str_eq(all(";;; ;", "a"), "");
	/* One of another port comes first, and hides nothing, whatever it is. */
	ck_assert_str_eq(all("a=bad; a=good; b=2; a=more", "a"), "bad|good|more|");
	ck_assert_str_eq(all("a=12345678; a=good", "a"), "good|");
	ck_assert_str_eq(all("a=; a; a=\"x\";a=good", "a"), "|\"x\"|good|");
}
END_TEST

START_TEST(secrets)
{
	ck_assert(check_secret("abc", "abc"));
	ck_assert(!check_secret("abd", "abc"));
	ck_assert(!check_secret("abcabc", "abc"));
	ck_assert(!check_secret("ab", "abc"));
	ck_assert(!check_secret("", "abc"));
	ck_assert(!check_secret("abc", ""));
	/* An empty secret is none, not one that everybody knows. */
	ck_assert(!check_secret("", ""));
}
END_TEST

START_TEST(token_forms)
{
	char text[300];

	ck_assert(check_token_form("aZ09-_=."));
	ck_assert(!check_token_form("abc"));
	ck_assert(!check_token_form("abcd\""));
	ck_assert(!check_token_form("abcd efgh"));
	memset(text, 'a', sizeof(text));
	text[256] = '\0';
	ck_assert(check_token_form(text));
	text[256] = 'a';
	text[257] = '\0';
	ck_assert(!check_token_form(text));
}
END_TEST

START_TEST(forms)
{
	static const struct {
		const char *body, *token;
	} cases[] = {
		{ "token=abc_-9", "abc_-9" },
		{ "other=1&token=abcd", "abcd" },
		{ "token=+abcd++", "abcd" },
		{ "token=%20abcd", "abcd" },
		{ "token=http%3A%2F%2F127.0.0.1%3A7567%2F%3Ftoken%3Dabcd", "abcd" },
		{ "token=http%3A%2F%2Flocalhost%2F%3Froom%3Dflame%26token%3Dabcd%23x", "abcd" },
		{ "token=https://plop.example/?token=abcd", "abcd" },
		/* a secret of plop.conf may be of any characters */
		{ "token=a%26b%3Fc", "a&b?c" },
		{ "", NULL },
		{ "token", NULL },
		{ "token=", NULL },
		{ "token=+", NULL },
		{ "Token=abcd", NULL },
		{ "token=%zz", NULL },
		{ "token=a%00b", NULL },
		{ "token=a%0ab", NULL },
		{ "token=http%3A%2F%2F127.0.0.1%3A7567%2F", NULL },
		{ "token=http%3A%2F%2F127.0.0.1%3A7567%2F%3Fpid%3D1", NULL },
		{ "{\"token\":\"abcd\"}", NULL },
	};
	char token[16], body[CHECK_FORM_MAX + 100];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool good = check_form(cases[i].body, token, sizeof(token));

		ck_assert_msg(good == (cases[i].token != NULL), "%s", cases[i].body);
		if (good)
			ck_assert_str_eq(token, cases[i].token);
	}
	/* what does not fit is none, not a part of one */
	ck_assert(!check_form("token=0123456789abcdef", token, sizeof(token)));
	ck_assert(check_form("token=0123456789abcde", token, sizeof(token)));
	memset(body, 'a', sizeof(body));
	memcpy(body, "token=", 6);
	body[sizeof(body) - 1] = '\0';
	ck_assert(!check_form(body, token, sizeof(token)));
}
END_TEST

START_TEST(forwarded)
{
	static const struct {
		const char *header, *address; /* NULL: there is none */
	} all[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "10.0.0.1, 192.0.2.1", "192.0.2.1" },
		{ "unknown,192.0.2.1:4711 ", "192.0.2.1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "192.0.2.1,\t[2001:db8::1]:80", "2001:db8::1" },
		{ "[::1]", "::1" },
		{ "", NULL },
		{ "192.0.2.1,", NULL },
		{ "192.0.2.1, unknown", NULL },
		{ "192.0.2.1 more", "192.0.2.1" },
		{ "[", NULL },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct in6_addr is, expected;
		bool there = check_forwarded(all[i].header, &is);

		ck_assert_msg(there == (all[i].address != NULL), "%s", all[i].header);
		if (!there)
			continue;
		ck_assert_int_eq(net_address(all[i].address, &expected), 0);
		ck_assert_msg(memcmp(&is, &expected, sizeof(is)) == 0, "%s", all[i].header);
	}
}
END_TEST

CHECK_MAIN("gateway/check", hosts_of_a_loopback_server, hosts_of_a_server_elsewhere, origins,
	   cookies, secrets, token_forms, forms, forwarded);
