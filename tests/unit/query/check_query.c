/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "query/query.h"

#define NOW (UINT64_C(1795359600) * NSEC_PER_SEC)

static struct refusal why;

static int parse1(const char *key, const char *value, struct query *ret)
{
	const struct query_parameter p = { key, value };

	why = (struct refusal){};
	return query_parse(&p, 1, NOW, ret, &why);
}

START_TEST(defaults)
{
	_cleanup_query_ struct query q = {};

	ck_assert_int_eq(query_parse(NULL, 0, NOW, &q, &why), 0);
	ck_assert_uint_eq(q.to_ns, NOW);
	ck_assert_uint_eq(q.from_ns, NOW - 600 * NSEC_PER_SEC);
	ck_assert(!q.has_from && !q.has_to);
	ck_assert_uint_eq(q.seconds, 30);
	ck_assert_str_eq(q.format->name, "json");
	ck_assert_uint_eq(q.selectors.n, 0);
}
END_TEST

START_TEST(all_of_them)
{
	static const struct query_parameter p[] = {
		{ "from", "1795359000.5" }, { "to", "1795359300" }, { "format", "pprof" },
		{ "seconds", "300" },       { "pid", "1" },         { "pid", "2" },
		{ "comm", "a b" },          { "token", "secret" },  { "step", "3600" },
	};
	_cleanup_query_ struct query q = {};

	ck_assert_int_eq(query_parse(p, ARRAY_SIZE(p), NOW, &q, &why), 0);
	ck_assert_uint_eq(q.from_ns, UINT64_C(1795359000500000000));
	ck_assert_uint_eq(q.to_ns, UINT64_C(1795359300) * NSEC_PER_SEC);
	ck_assert(q.has_from && q.has_to);
	ck_assert_str_eq(q.format->name, "pprof");
	ck_assert_uint_eq(q.seconds, 300);
	ck_assert_uint_eq(q.step_ns, 3600 * NSEC_PER_SEC);
	ck_assert_uint_eq(q.selectors.n, 3);
	ck_assert_str_eq(q.selectors.items[2].key, "comm");
	ck_assert_str_eq(q.selectors.items[2].value, "a b");
}
END_TEST

START_TEST(two_sides)
{
	static const struct query_parameter p[] = {
		{ "from", "1795359000" },   { "base.to", "1795359300" }, { "service", "shop" },
		{ "base.version", "1" },    { "new.version", "2" },      { "new.version", "3" },
		{ "new.label.base.", "x" }, { "base.recording", "n1" },
	};
	static const struct query_parameter bad[] = { { "new.colour", "red" },
						      { "base.pid", "1" } };
	_cleanup_query_ struct query base = {}, new = {}, none = {};

	ck_assert_int_eq(query_parse_sides(p, ARRAY_SIZE(p), NOW, &base, &new, &why), 0);
	ck_assert_uint_eq(base.to_ns, UINT64_C(1795359300) * NSEC_PER_SEC);
	ck_assert_uint_eq(base.from_ns, new.from_ns);
	ck_assert_uint_eq(new.to_ns, NOW);
	ck_assert_uint_eq(base.selectors.n, 2);
	ck_assert_str_eq(base.selectors.items[0].value, "shop");
	ck_assert_str_eq(base.selectors.items[1].value, "1");
	ck_assert_uint_eq(new.selectors.n, 4);
	ck_assert_str_eq(new.selectors.items[2].value, "3");
	ck_assert_str_eq(new.selectors.items[3].key, "label.base.");
	ck_assert_str_eq(base.recording, "n1");
	ck_assert_ptr_null(new.recording);
	why = (struct refusal){};
	ck_assert_int_eq(query_parse_sides(bad, 2, NOW, &none, &none, &why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why.error, "colour"));
	ck_assert_uint_eq(none.selectors.n, 0);
}
END_TEST

START_TEST(errors_say_what_and_leave_the_result)
{
	static const struct {
		const char *key, *value, *says;
	} bad[] = {
		{ "from", "yesterday", "from=yesterday" },
		{ "to", "-1", "to=-1" },
		{ "from", "99999999999999", "from=9" },
		{ "seconds", "0", "1 to 300" },
		{ "seconds", "301", "1 to 300" },
		{ "last", "0", "1 to 3600" },
		{ "last", "3601", "1 to 3600" },
		{ "format", "xml", "pprof" },
		{ "format", "", "pprof" },
		{ "pids", "1", "\"pids=1\" is not a selector; did you mean pid=1?" },
		{ "pid", "x", "\"x\" is not a process id, a number from 1 to 4194304" },
		{ "fr", "5", "did you mean from=5?" },
		{ "colour", "red", "KEY one of pid, comm" },
		{ "state", "idle", "not one of running, waiting for the GIL, sleeping, runnable" },
		{ "group_by", "service,", "different keys" },
		{ "", "1", "is not a selector" },
	};
	struct query q = { .seconds = 4711 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int r = parse1(bad[i].key, bad[i].value, &q);

		ck_assert_msg(r == -EINVAL, "%s=%s", bad[i].key, bad[i].value);
		ck_assert_msg(strstr(why.error, bad[i].says) != NULL, "%s", why.error);
		ck_assert_uint_eq(why.status, 400);
		ck_assert_uint_eq(q.seconds, 4711);
	}
}
END_TEST

START_TEST(groups)
{
	static const struct query_parameter p[] = { { "group_by", "pid" },
						    { "group_by", "service,thread_name" } };
	_cleanup_query_ struct query q = {};
	struct profile *profile = NULL;

	ck_assert_int_eq(query_parse(p, 2, NOW, &q, &why), 0);
	ck_assert_str_eq(q.group_by, "service,thread_name");
	ck_assert_int_eq(profile_new(7, 100, &profile), 0);
	ck_assert_int_eq(query_group(&q, &profile), 0);
	ck_assert_uint_eq(profile->start_ns, 7);
	profile_free(profile);
}
END_TEST

START_TEST(from_is_before_to)
{
	static const struct query_parameter p[] = { { "from", "1795359300" },
						    { "to", "1795359300" } };
	_cleanup_query_ struct query q = {};

	ck_assert_int_eq(query_parse(p, 2, NOW, &q, &why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why.error, "before"));
	/* In the future: an empty answer, not an error. */
	ck_assert_int_eq(parse1("from", "1795359700", &q), 0);
	ck_assert_uint_lt(q.from_ns, q.to_ns);
	query_done(&q);
	ck_assert_int_eq(parse1("to", "0.000000001", &q), 0);
	ck_assert_uint_eq(q.from_ns, 0);
}
END_TEST

CHECK_MAIN("api/query", defaults, all_of_them, two_sides, errors_say_what_and_leave_the_result,
	   groups, from_is_before_to);
