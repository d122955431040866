/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/match.h"

#define OF(name, file)                            \
	{                                         \
		name, file, "", PLOP_FRAME_PYTHON \
	}

START_TEST(equal_ones_are_one)
{
	const struct match_function base[] = { OF("a", "/x.py"), OF("b", "/x.py"), OF("a", "/y.py"),
					       OF("a", "/x.py") };
	const struct match_function new[] = { OF("a", "/y.py"), OF("c", "/x.py"),
					      OF("b", "/x.py") };
	uint32_t b[4], n[3];

	ck_assert_int_eq(match_functions(base, 4, new, 3, b, n), 4);
	ck_assert_uint_eq(b[0], b[3]);
	ck_assert_uint_eq(b[2], n[0]);
	ck_assert_uint_eq(b[1], n[2]);
	ck_assert_uint_ne(b[0], b[2]);
	ck_assert_uint_ne(n[1], b[0]);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_lt(b[i], 4);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_lt(n[i], 4);
}
END_TEST

START_TEST(another_version_is_the_same)
{
	const struct match_function base[] = { OF("a", "/srv/1.0/x.py"), OF("b", "/srv/1.0/x.py") };
	const struct match_function new[] = { OF("b", "/srv/1.1/x.py"), OF("a", "/srv/1.1/x.py"),
					      OF("a", "/srv/1.1/y.py") };
	uint32_t b[2], n[3];

	ck_assert_int_eq(match_functions(base, 2, new, 3, b, n), 3);
	ck_assert_uint_eq(b[0], n[1]);
	ck_assert_uint_eq(b[1], n[0]);
}
END_TEST

/* Where both versions of an interface are on both sides, each is itself. */
START_TEST(exactly_comes_first)
{
	const struct match_function both[] = { OF("a", "/api/v1/x.py"), OF("a", "/api/v2/x.py") };
	const struct match_function three[] = { OF("a", "/api/v3/x.py"), OF("a", "/api/v2/x.py") };
	uint32_t b[2], n[2];

	ck_assert_int_eq(match_functions(both, 2, both, 2, b, n), 2);
	ck_assert_uint_eq(b[0], n[0]);
	ck_assert_uint_eq(b[1], n[1]);
	ck_assert_uint_ne(b[0], b[1]);
	ck_assert_int_eq(match_functions(both, 2, three, 2, b, n), 2);
	ck_assert_uint_eq(b[0], n[0]);
	ck_assert_uint_eq(b[1], n[1]);
	/* and on one side alone they are not joined */
	ck_assert_int_eq(match_functions(both, 2, NULL, 0, b, n), 2);
	ck_assert_uint_ne(b[0], b[1]);
}
END_TEST

/* A base side that has a moment of the new version is of the old one still. */
START_TEST(a_side_with_two_versions)
{
	const struct match_function base[] = { OF("a", "/srv/1.0/x.py"), OF("a", "/srv/1.1/x.py") };
	const struct match_function new[] = { OF("a", "/srv/1.1/x.py") };
	const struct match_function three[] = { OF("a", "/v1/x.py"), OF("a", "/v2/x.py"),
						OF("a", "/v3/x.py") };
	uint32_t b[3], n[2];

	ck_assert_int_eq(match_functions(base, 2, new, 1, b, n), 1);
	/* of which of two nobody knows */
	ck_assert_int_eq(match_functions(three, 3, three, 2, b, n), 3);
	ck_assert_uint_ne(b[2], b[0]);
	ck_assert_uint_ne(b[2], b[1]);
}
END_TEST

/* Two folders that take turns; where several could be meant, none is. */
START_TEST(another_folder_is_the_same)
{
	const struct match_function base[] = { OF("a", "/srv/blue/shop/x.py"),
					       OF("b", "/srv/blue/shop/x.py"),
					       OF("c", "/srv/blue/shop/x.py"),
					       OF("d", "/srv/blue/x.py"), OF("e", "<string>") };
	const struct match_function new[] = {
		OF("b", "/srv/green/shop/x.py"), OF("a", "/srv/green/shop/x.py"),
		OF("c", "/srv/green/shop/y.py"), OF("d", "/srv/green/x.py"),
		OF("d", "/srv/red/x.py"),        OF("e", "/x.py")
	};
	uint32_t b[5], n[6];

	ck_assert_int_eq(match_functions(base, 5, new, 6, b, n), 9);
	ck_assert_uint_eq(b[0], n[1]);
	ck_assert_uint_eq(b[1], n[0]);
	/* another file, two that could be it, and no path */
	ck_assert_uint_ne(b[2], n[2]);
	ck_assert_uint_ne(b[3], n[3]);
	ck_assert_uint_ne(b[3], n[4]);
	ck_assert_uint_ne(b[4], n[5]);
}
END_TEST

/* A text that goes on where another ends is another; so is another kind. */
START_TEST(keys_have_parts)
{
	const struct match_function base[] = { { "ab", "c", "", PLOP_FRAME_NATIVE },
					       { "f", "", "libm.so.6", PLOP_FRAME_NATIVE },
					       { "f", "", "libm.so.6", PLOP_FRAME_KERNEL } };
	const struct match_function new[] = { { "a", "bc", "", PLOP_FRAME_NATIVE },
					      { "f", "/lib/libm.so", "libm.so.6",
						PLOP_FRAME_NATIVE },
					      { "f", "", "libc.so.6", PLOP_FRAME_NATIVE } };
	uint32_t b[3], n[3];

	ck_assert_int_eq(match_functions(base, 3, new, 3, b, n), 5);
	ck_assert_uint_ne(b[0], n[0]);
	ck_assert_uint_eq(b[1], n[1]);
	ck_assert_uint_ne(b[1], n[2]);
	ck_assert_uint_ne(b[1], b[2]);
	ck_assert_int_eq(match_functions(NULL, 0, NULL, 0, b, n), 0);
	ck_assert_int_eq(match_functions(base, MATCH_MOST + 1, NULL, 0, b, n), -E2BIG);
}
END_TEST

CHECK_MAIN("diff/match", equal_ones_are_one, a_side_with_two_versions, another_folder_is_the_same,
	   another_version_is_the_same, exactly_comes_first, keys_have_parts);
