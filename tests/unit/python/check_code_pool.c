/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "python/code_pool.h"
#include "python/object.h"

static struct code_object *made(const char *name, int line)
{
	struct code_object *c = code_object_synthetic(name);

	ck_assert_ptr_nonnull(c);
	c->firstlineno = line;
	return c;
}

START_TEST(alike_ones_are_one)
{
	struct code_pool p = {};
	struct code_object *a = code_pool_share(&p, made("f", 1));
	struct code_object *b = code_pool_share(&p, made("f", 1));
	struct code_object *other = code_pool_share(&p, made("f", 2));
	size_t bytes = p.name_bytes;

	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_ne(a, other);
	ck_assert_uint_eq(p.n, 2);
	code_object_unref(other);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_lt(p.name_bytes, bytes);
	/* it stays as long as one of both has it, and is another's afterwards */
	code_object_unref(a);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_str_eq(b->name, "f");
	code_object_unref(b);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_uint_eq(p.name_bytes + p.line_bytes, 0);
	code_pool_done(&p);
}
END_TEST

/* What is different in anything that a frame shows is another. */
START_TEST(others_are_others)
{
	struct code_pool p = {};
	struct code_object *all[7];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct code_object *c = made(i == 1 ? "g" : "f", 1);

		if (i == 2) {
			free(c->file);
			c->file = strdup("file");
		}
		if (i >= 3) {
			c->linetable = malloc(2);
			c->linetable[0] = c->linetable[1] = 7;
			c->linetable_size = i == 3 ? 1 : 2;
		}
		if (i == 5)
			c->linetable[1] = 8;
		if (i == 6)
			c->version = 0x030b;
		all[i] = code_pool_share(&p, c);
	}
	ck_assert_uint_eq(p.n, ARRAY_SIZE(all));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		code_object_unref(all[i]);
	/* and one that knows where its process has copies is for that one alone */
	for (size_t i = 0; i < 2; i++) {
		all[i] = made("f", 1);
		all[i]->copied = true;
		ck_assert_ptr_eq(code_pool_share(&p, all[i]), all[i]);
	}
	ck_assert_uint_eq(p.n, 0);
	code_object_unref(all[0]);
	code_object_unref(all[1]);
	code_pool_done(&p);
}
END_TEST

/* As many as make it grow, found again when half of them have gone. */
START_TEST(many)
{
	enum { MANY = 5000 };
	static struct code_object *all[MANY];
	struct code_pool p = {};

	for (int i = 0; i < MANY; i++)
		all[i] = code_pool_share(&p, made("f", i));
	ck_assert_uint_eq(p.n, MANY);
	for (int i = 0; i < MANY; i += 2)
		code_object_unref(all[i]);
	for (int i = 1; i < MANY; i += 2) {
		ck_assert_ptr_eq(code_pool_share(&p, made("f", i)), all[i]);
		code_object_unref(all[i]);
		code_object_unref(all[i]);
	}
	ck_assert_uint_eq(p.n, 0);
	code_pool_done(&p);
}
END_TEST

/* References that go at once are given up some at a time; those that others have stay. */
START_TEST(waste)
{
	enum { MANY = 1000 };
	static struct code_object *all[MANY];
	struct code_object *held, *alone = made("alone", 1);
	struct code_pool p = {};
	struct code_goers goers;

	for (int i = 0; i < MANY; i++)
		all[i] = code_pool_share(&p, made("f", i));
	held = code_object_ref(all[3]);
	code_goers_begin(&goers, &p, MANY / 2);
	for (int i = 0; i < MANY / 2; i++)
		code_goers_add(&goers, i == 7 ? NULL : all[i]);
	code_object_unref(all[7]);
	code_goers_end(&goers);
	ck_assert_uint_eq(p.n, MANY - 1);
	/* what is waste is still found, and is alive then */
	ck_assert_ptr_eq(code_pool_share(&p, made("f", 5)), all[5]);
	ck_assert(code_pool_reap(&p, 100));
	ck_assert_uint_ge(p.n, MANY - 101);
	ck_assert_uint_le(p.n, MANY - 99);
	code_goers_begin(&goers, &p, MANY / 2);
	for (int i = MANY / 2; i < MANY; i++)
		code_goers_add(&goers, all[i]);
	code_goers_end(&goers);
	ck_assert(code_pool_reap(&p, MANY / 2 + 1));
	ck_assert(!code_pool_reap(&p, MANY));
	ck_assert(!code_pool_reap(&p, MANY));
	ck_assert_uint_eq(p.n, 2);
	ck_assert_str_eq(held->name, "f");
	code_object_unref(held);
	code_object_unref(all[5]);
	/* without a pool they go at once */
	code_object_ref(alone);
	code_goers_begin(&goers, NULL, 1);
	code_goers_add(&goers, alone);
	ck_assert_uint_eq(alone->refs, 1);
	code_goers_end(&goers);
	code_object_unref(alone);
	/* none; and what is left is freed with the pool */
	code_goers_begin(&goers, &p, 0);
	code_goers_end(&goers);
	ck_assert_ptr_null(p.waste);
	all[0] = code_pool_share(&p, made("f", 0));
	code_goers_begin(&goers, &p, 1);
	code_goers_add(&goers, all[0]);
	code_goers_end(&goers);
	code_pool_done(&p);
}
END_TEST

/* What is found by raw names is what these would be made into; what has to be made is not found. */
START_TEST(found_by_raw_names)
{
	static const struct {
		const char *text;
		size_t bytes;
		uint64_t length;
		uint8_t kind;
		bool ascii, plain;
	} names[] = {
		{ "main", 4, 4, 1, true, true },
		{ "mai", 3, 3, 1, true, true },
		{ "<module>", 8, 8, 1, true, true },
		{ "<f at 0x7f00deadbeef>", 21, 21, 1, true, false },
		{ "\xc3\xa9", 2, 2, 1, false, false },
		{ "\xc3\xa9", 2, 2, 1, true, false },
		{ "a\nb", 3, 3, 1, true, false },
		{ "a\0b", 3, 3, 1, true, false },
		{ "cut", 3, 9, 1, true, false },
		{ "m\0a\0", 4, 2, 2, false, false },
	};
	struct code_object *all[ARRAY_SIZE(names)], *found;
	const uint8_t table[] = { 1, 2, 3, 4 };
	struct plop_layout l = {};
	struct code_pool p = {};

	l.version = 0x030b;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct python_string file = {
			.data = "/srv/a.py",
			.bytes = 9,
			.length = 9,
			.kind = 1,
			.ascii = true,
		};
		const struct python_string name = {
			.data = names[i].text,
			.bytes = names[i].bytes,
			.length = names[i].length,
			.kind = names[i].kind,
			.ascii = names[i].ascii,
		};

		ck_assert_ptr_null(code_pool_find(&p, &l, 7, &file, &name, table, 3));
		ck_assert_int_eq(code_object_new(&l, 7, &file, &name, table, 3, 3, &all[i]), 0);
		all[i] = code_pool_share(&p, all[i]);
		found = code_pool_find(&p, &l, 7, &file, &name, table, 3);
		ck_assert_ptr_eq(found, names[i].plain ? all[i] : NULL);
		code_object_unref(found);
		/* another line, table or version */
		ck_assert_ptr_null(code_pool_find(&p, &l, 8, &file, &name, table, 3));
		ck_assert_ptr_null(code_pool_find(&p, &l, 7, &file, &name, table, 2));
		ck_assert_ptr_null(code_pool_find(&p, &l, 7, &file, &name, table + 1, 3));
		ck_assert_ptr_null(code_pool_find(&p, &l, 7, &name, &file, table, 3));
		l.version++;
		ck_assert_ptr_null(code_pool_find(&p, &l, 7, &file, &name, table, 3));
		l.version--;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		code_object_unref(all[i]);
	ck_assert_uint_eq(p.n, 0);
	code_pool_done(&p);
}
END_TEST

CHECK_MAIN("python/code_pool", alike_ones_are_one, others_are_others, many, waste,
	   found_by_raw_names);
