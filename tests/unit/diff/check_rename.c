/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/rename.h"

#define FUNCTIONS 16

/* A function of a side, and its samples by line, from the first one on. */
struct given {
	const char *name, *file;
	double samples[6];
};

static struct match_function functions[2][FUNCTIONS];
static uint32_t numbers[2][FUNCTIONS];
static struct pairs lines[2];
static const char **was;
static int count;

static void teardown(void)
{
	for (int i = 0; i < 2; i++)
		pairs_done(&lines[i]);
	free(was);
	was = NULL;
}

static uint32_t take(int side, const struct given *g, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		functions[side][i] =
			(struct match_function){ g[i].name, g[i].file, "", PLOP_FRAME_PYTHON };
		for (int k = 0; k < 6; k++)
			if (g[i].samples[k] > 0)
				ck_assert_int_eq(pairs_add(&lines[side], i, rename_line(10, 10 + k),
							   g[i].samples[k]),
						 0);
	}
	return n;
}

static void look(const struct given *base, uint32_t nbase, const struct given *new, uint32_t nnew)
{
	struct rename_side sides[2];

	teardown();
	nbase = take(0, base, nbase);
	nnew = take(1, new, nnew);
	count = match_functions(functions[0], nbase, functions[1], nnew, numbers[0], numbers[1]);
	ck_assert_int_ge(count, 0);
	sides[0] = (struct rename_side){ functions[0], nbase, numbers[0], &lines[0] };
	sides[1] = (struct rename_side){ functions[1], nnew, numbers[1], &lines[1] };
	count = rename_functions(&sides[0], &sides[1], (uint32_t)count, &was);
	ck_assert_int_ge(count, 0);
	for (uint32_t i = 0; i < nbase; i++)
		ck_assert_uint_lt(numbers[0][i], (uint32_t)count);
	for (uint32_t i = 0; i < nnew; i++)
		ck_assert_uint_lt(numbers[1][i], (uint32_t)count);
}
#define LOOK(base, new) look(base, ARRAY_SIZE(base), new, ARRAY_SIZE(new))

/* Whether the first one of each side is the same function, which had that name. */
static bool is_one(const char *name)
{
	bool one = numbers[0][0] == numbers[1][0];
	const char *text = was[numbers[1][0]];

	ck_assert(one == (text != NULL));
	return one && streq(text, name);
}

START_TEST(lines_tell)
{
	const struct given base[] = { { "old", "/x.py", { 0, 300, 500, 0, 200 } },
				      { "other", "/x.py", { 0, 10, 10, 10 } } };
	/* with as many samples as there may be, and of another file's moved version */
	const struct given new[] = { { "new", "/x.py", { 0, 660, 940, 0, 400 } },
				     { "other", "/x.py", { 0, 10, 10, 10 } } };
	const struct given released[] = { { "new", "/srv/2.0/x.py", { 0, 660, 940, 0, 400 } } };
	const struct given before[] = { { "old", "/srv/1.0/x.py", { 0, 300, 500, 0, 200 } } };

	LOOK(base, new);
	ck_assert(is_one("old"));
	ck_assert_int_eq(count, 2);
	ck_assert_uint_eq(numbers[0][1], numbers[1][1]);
	ck_assert_ptr_null(was[numbers[0][1]]);
	LOOK(before, released);
	ck_assert(is_one("old"));
	ck_assert_int_eq(count, 1);
}
END_TEST

/* Files whose paths differ in one folder are one by what else they have. */
START_TEST(a_file_that_moved)
{
	const struct given base[] = { { "old", "/srv/blue/x.py", { 0, 300, 500, 0, 200 } },
				      { "other", "/srv/blue/x.py", { 0, 10 } } };
	const struct given new[] = { { "new", "/srv/green/x.py", { 0, 300, 500, 0, 200 } },
				     { "other", "/srv/green/x.py", { 0, 10 } } };
	const struct given alone[] = { { "new", "/srv/green/x.py", { 0, 300, 500, 0, 200 } } };

	LOOK(base, new);
	ck_assert(is_one("old"));
	LOOK(base, alone);
	ck_assert(!is_one("old"));
}
END_TEST

START_TEST(what_is_not_sure_is_not_said)
{
	static const struct given base[] = { { "old", "/x.py", { 0, 300, 500, 0, 200 } } };
	const struct given two[] = { { "new", "/x.py", { 0, 300, 500, 0, 200 } },
				     { "newer", "/x.py", { 0, 250, 500, 0, 250 } } };
	/* one that is near, and too different to be it */
	const struct given near[] = { { "new", "/x.py", { 0, 300, 500, 0, 200 } },
				      { "newer", "/x.py", { 0, 100, 500, 0, 400 } } };
	const struct given few[] = { { "new", "/x.py", { 0, 30, 50, 0, 20 } } };
	const struct given shares[] = { { "new", "/x.py", { 0, 500, 300, 0, 200 } } };
	const struct given later[] = { { "new", "/x.py", { 0, 0, 300, 500, 0, 200 } } };
	const struct given elsewhere[] = { { "new", "/y.py", { 0, 300, 500, 0, 200 } } };
	const struct given nameless[] = { { "new", "<string>", { 0, 300, 500, 0, 200 } } };
	const struct given from_nameless[] = { { "old", "<string>", { 0, 300, 500, 0, 200 } } };
	/* two lines are alike in many a function */
	const struct given short_one[] = { { "old", "/x.py", { 0, 300, 500 } } };
	const struct given short_other[] = { { "new", "/x.py", { 0, 300, 500 } } };
	/* it is still there */
	const struct given both[] = { { "new", "/x.py", { 0, 300, 500, 0, 200 } },
				      { "old", "/x.py", { 0, 300, 500, 0, 200 } } };

	LOOK(base, two);
	ck_assert(!is_one("old"));
	ck_assert_int_eq(count, 3);
	LOOK(two, base);
	ck_assert(!is_one("new"));
	LOOK(base, near);
	ck_assert(!is_one("old"));
	LOOK(base, few);
	ck_assert(!is_one("old"));
	LOOK(few, base);
	ck_assert(!is_one("new"));
	LOOK(base, shares);
	ck_assert(!is_one("old"));
	LOOK(base, later);
	ck_assert(!is_one("old"));
	LOOK(base, elsewhere);
	ck_assert(!is_one("old"));
	LOOK(from_nameless, nameless);
	ck_assert(!is_one("old"));
	LOOK(short_one, short_other);
	ck_assert(!is_one("old"));
	LOOK(base, both);
	ck_assert(!is_one("old"));
}
END_TEST

/* Windows of six hours, and files of other profilers, do not say lines. */
START_TEST(lines_that_are_not_known)
{
	const struct given base[] = { { "old", "/x.py", { 0, 300, 500, 0, 200 } } };
	const struct given new[] = { { "new", "/x.py", { 0, 300, 500, 0, 200 } } };
	struct rename_side sides[2];

	ck_assert_uint_eq(rename_line(0, 12), LINE_UNKNOWN);
	ck_assert_uint_eq(rename_line(10, 0), LINE_UNKNOWN);
	ck_assert_uint_eq(rename_line(10, -1), LINE_UNKNOWN);
	ck_assert_uint_eq(rename_line(10, INT32_MAX), LINE_UNKNOWN);
	ck_assert_uint_ne(rename_line(10, 10), LINE_UNKNOWN);
	LOOK(base, new);
	ck_assert(is_one("old"));
	/* a part of the side was read without them */
	free(was);
	was = NULL;
	ck_assert_int_eq(pairs_add(&lines[1], 0, LINE_UNKNOWN, 200), 0);
	numbers[0][0] = 0;
	numbers[1][0] = 1;
	sides[0] = (struct rename_side){ functions[0], 1, numbers[0], &lines[0] };
	sides[1] = (struct rename_side){ functions[1], 1, numbers[1], &lines[1] };
	ck_assert_int_eq(rename_functions(&sides[0], &sides[1], 2, &was), 2);
	ck_assert(!is_one("old"));
}
END_TEST

/* Each of several is told by itself, and more than there may be in a file are not looked at. */
START_TEST(several_of_a_file)
{
	const struct given base[] = { { "a", "/x.py", { 0, 300, 500, 0, 200 } },
				      { "b", "/x.py", { 400, 0, 0, 300, 0, 300 } },
				      { "c", "/x.py", { 0, 0, 0, 100, 100, 800 } } };
	const struct given new[] = { { "x", "/x.py", { 0, 310, 490, 0, 200 } },
				     { "y", "/x.py", { 800, 0, 0, 600, 0, 600 } },
				     { "z", "/x.py", { 0, 0, 900, 100, 0, 100 } } };

	LOOK(base, new);
	ck_assert(is_one("a"));
	ck_assert_uint_eq(numbers[0][1], numbers[1][1]);
	ck_assert_str_eq(was[numbers[0][1]], "b");
	ck_assert_uint_ne(numbers[0][2], numbers[1][2]);
	ck_assert_int_eq(count, 4);
}
END_TEST

START_TEST(too_many_of_a_file)
{
	enum { MANY = RENAME_FILE_MOST + 1 };
	static struct match_function base[MANY], new[1];
	static char names[MANY][16];
	static uint32_t b[MANY], n[1];
	struct rename_side sides[2] = { { base, MANY, b, &lines[0] }, { new, 1, n, &lines[1] } };

	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "f%u", i);
		base[i] = (struct match_function){ names[i], "/x.py", "", PLOP_FRAME_PYTHON };
		b[i] = i;
	}
	new[0] = (struct match_function){ "new", "/x.py", "", PLOP_FRAME_PYTHON };
	n[0] = MANY;
	for (uint32_t k = 1; k < 5; k++) {
		ck_assert_int_eq(pairs_add(&lines[0], 0, k, 100), 0);
		ck_assert_int_eq(pairs_add(&lines[1], 0, k, 100), 0);
	}
	ck_assert_int_eq(rename_functions(&sides[0], &sides[1], MANY + 1, &was), MANY + 1);
	/* one less, and it is told */
	free(was);
	was = NULL;
	sides[0].n = MANY - 1;
	n[0] = MANY - 1;
	ck_assert_int_eq(rename_functions(&sides[0], &sides[1], MANY, &was), MANY - 1);
	ck_assert_str_eq(was[n[0]], "f0");
}
END_TEST

CHECK_MAIN_WITH("diff/rename", NULL, teardown, lines_tell, a_file_that_moved,
		what_is_not_sure_is_not_said, lines_that_are_not_known, several_of_a_file,
		too_many_of_a_file);
