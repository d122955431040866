/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "format/decode.h"
#include "format/format.h"
#include "known.h"

static char why[DECODE_WHY_MAX];

static int decode(const char *text, struct decoded *ret)
{
	*why = '\0';
	return profile_decode(text, strlen(text), ret, why);
}

static char *collapsed(const struct profile *p)
{
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(format_find("collapsed")->encode(p, &b), 0);
	return buf_string(&b);
}

/* What plop writes comes back, all but what collapsed stacks have no place for. */
START_TEST(what_was_written_is_read)
{
	static const char *const names[] = { "collapsed", "pprof" };
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_free_ char *before = collapsed(p);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_buf_ struct buf b = {};
		_cleanup_free_ char *after = NULL;
		struct decoded d = {};

		ck_assert_int_eq(format_find(names[i])->encode(p, &b), 0);
		ck_assert_int_eq(profile_decode(b.data, b.size, &d, why), 0);
		ck_assert_uint_eq(d.profile->samples_total, KNOWN_TOTAL);
		ck_assert(!d.wall && !d.weights);
		after = collapsed(d.profile);
		if (i == 1)
			ck_assert_str_eq(before, after);
		profile_free(d.profile);
	}
}
END_TEST

/* py-spy, perf and austin write frames in ways of their own. */
START_TEST(what_others_write)
{
	_cleanup_free_ char *after = NULL;
	struct decoded d = {};

	ck_assert_int_eq(decode("# a comment\n"
				"main (app.py:7);work (lib/x.py) 3\r\n"
				"main (app.py:7);work (lib/x.py) 4\n"
				"\n"
				"start_thread;[unknown];read (libc.so.6) 5\n"
				"weight 2.75\n"
				"none 0\n",
				&d),
			 0);
	ck_assert_uint_eq(d.profile->samples_total, 14);
	after = collapsed(d.profile);
	ck_assert_ptr_nonnull(strstr(after, "main (app.py:7);work (lib/x.py:0) 7\n"));
	ck_assert_ptr_nonnull(strstr(after, "[unknown];read (libc.so.6:0) 5\n"));
	profile_free(d.profile);
}
END_TEST

START_TEST(what_is_neither)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "a;b 3\nno count\n", "line 2" },          { "a;b -3\n", "line 1" },
		{ "a;b 99999999999999999999\n", "line 1" }, { " 3\n", "line 1" },
		{ "\x1f\x8b\x08 broken", "gzip" },          { "\x0a\x03zzz", "pprof" },
	};
	struct decoded d = {};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(decode(bad[i].text, &d), -EBADMSG);
		ck_assert_msg(strstr(why, bad[i].says) != NULL, "%s: %s", bad[i].text, why);
		ck_assert_ptr_null(d.profile);
	}
	ck_assert_int_eq(profile_decode("a\0b 3\n", 6, &d, why), -EBADMSG);
	/* nothing is a profile without samples */
	ck_assert_int_eq(decode("", &d), 0);
	ck_assert_uint_eq(d.profile->samples_total, 0);
	profile_free(d.profile);
}
END_TEST

/* Innermost frames are kept of a stack that is too deep. */
START_TEST(a_deep_stack)
{
	const size_t depth = DECODE_DEPTH + 10;
	_cleanup_free_ char *text = malloc(2 * depth + 8);
	struct decoded d = {};
	const struct dict_stack *s;

	for (size_t i = 0; i < depth; i++)
		memcpy(text + 2 * i, i + 1 < depth ? "a;" : "z ", 2);
	strcpy(text + 2 * depth, "1\n");
	ck_assert_int_eq(decode(text, &d), 0);
	s = dict_get_stack(d.profile->dict, d.profile->samples[0].stack);
	ck_assert_uint_eq(s->depth, DECODE_DEPTH);
	ck_assert_uint_ne(s->frames[DECODE_DEPTH - 1], s->frames[0]);
	profile_free(d.profile);
}
END_TEST

CHECK_MAIN("format/decode", what_was_written_is_read, what_others_write, what_is_neither,
	   a_deep_stack);
