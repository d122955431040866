/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "util/nets.h"

static bool has(const char *nets, const char *address)
{
	struct in6_addr a;
	struct nets n;

	ck_assert_msg(nets_parse(nets, &n) == 0, "%s", nets);
	ck_assert_int_eq(net_address(address, &a), 0);
	return nets_have(&n, &a);
}

START_TEST(who_is_in)
{
	ck_assert(!has("", "127.0.0.1") && !has("", "::"));
	ck_assert(has("127.0.0.1", "127.0.0.1") && !has("127.0.0.1", "127.0.0.2"));
	ck_assert(has("10.0.0.0/8, 192.168.1.0/25", "10.255.0.1"));
	ck_assert(has("10.0.0.0/8,192.168.1.0/25", "192.168.1.127"));
	ck_assert(!has("10.0.0.0/8 192.168.1.0/25", "192.168.1.128"));
	ck_assert(has("fd00::/8", "fdff::1") && !has("fd00::/8", "fe00::1"));
	ck_assert(!has("fd00::/8", "10.0.0.1") && !has("10.0.0.0/8", "a00::"));
	ck_assert(has("0.0.0.0/0", "8.8.8.8") && !has("0.0.0.0/0", "2001::1"));
	ck_assert(has("::/0", "8.8.8.8") && has("10.0.0.0/8", "::ffff:10.0.0.1"));
}
END_TEST

START_TEST(what_it_refuses)
{
	static const char *const bad[] = { "localhost", "10.0.0.0/33", "10.0.0/8",   "::/129",
					   "10.0.0.0/", "10.0.0.0/x",  "[::1]",      "10.0.0.1;",
					   "/8",        "10.0.0.0/-1", "1.2.3.4/8/8" };
	char many[40 * (NETS_MAX + 1)] = "";
	struct nets n;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(nets_parse(bad[i], &n) == -EINVAL, "%s", bad[i]);
	for (int i = 0; i <= NETS_MAX; i++)
		strcat(many, "10.0.0.1 ");
	ck_assert_int_eq(nets_parse(many, &n), -E2BIG);
}
END_TEST

START_TEST(loopback)
{
	static const struct {
		const char *nets;
		bool is;
	} all[] = { { "", false },           { "10.0.0.0/8", false },
		    { "127.0.0.1", true },   { "127.3.0.0/16", true },
		    { "::1", true },         { "0.0.0.0/0", true },
		    { "::/0", true },        { "fd00::/8", false },
		    { "126.0.0.0/8", false } };
	struct nets n;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		ck_assert_int_eq(nets_parse(all[i].nets, &n), 0);
		ck_assert_msg(nets_have_loopback(&n) == all[i].is, "%s", all[i].nets);
	}
}
END_TEST

CHECK_MAIN("util/nets", who_is_in, what_it_refuses, loopback);
