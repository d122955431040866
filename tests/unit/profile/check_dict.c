/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "profile/dict.h"

START_TEST(equal_content_has_one_id)
{
	_cleanup_(dict_freep) struct dict *d = NULL;
	uint32_t a, b, c, e;
	char name[] = "f", file[] = "/x.py";

	ck_assert_int_eq(dict_new(&d), 0);
	ck_assert_int_eq(dict_python(d, name, file, 3, &a), 0);
	/* The dict keeps its own copy. */
	name[0] = 'g';
	ck_assert_int_eq(dict_python(d, "f", "/x.py", 3, &b), 0);
	ck_assert_int_eq(dict_python(d, "f", "/x.py", 4, &c), 0);
	ck_assert_int_eq(dict_python(d, "g", "/x.py", 3, &e), 0);
	ck_assert_uint_eq(a, 0);
	ck_assert_uint_eq(b, 0);
	ck_assert_uint_eq(c, 1);
	ck_assert_uint_eq(e, 2);
	ck_assert_str_eq(dict_get_function(d, 0)->name, "f");
	ck_assert_str_eq(dict_get_function(d, 0)->file, "/x.py");
	ck_assert_int_eq(dict_get_function(d, 1)->line, 4);
	ck_assert_uint_eq(dict_functions(d), 3);
}
END_TEST

START_TEST(name_and_file_do_not_run_together)
{
	_cleanup_(dict_freep) struct dict *d = NULL;
	uint32_t a, b;

	ck_assert_int_eq(dict_new(&d), 0);
	ck_assert_int_eq(dict_python(d, "ab", "c", 0, &a), 0);
	ck_assert_int_eq(dict_python(d, "a", "bc", 0, &b), 0);
	ck_assert_uint_ne(a, b);
}
END_TEST

/* What differs in its kind or its module alone is another function. */
START_TEST(kinds_and_modules_differ)
{
	static const struct dict_function rows[] = {
		{ "f", "", "", 0, PLOP_FRAME_PYTHON },
		{ "f", "", "", 0, PLOP_FRAME_SYNTHETIC },
		{ "f", "", "", 0, PLOP_FRAME_NATIVE },
		{ "f", "", "", 0, PLOP_FRAME_KERNEL },
		{ "f", "libc.so.6", "", 0, PLOP_FRAME_NATIVE },
		{ "f", "libm.so.6", "", 0, PLOP_FRAME_NATIVE },
		{ "f", "libm.so.6", "f.c", 0, PLOP_FRAME_NATIVE },
		{ "f", "libm.so.6", "f.c", 7, PLOP_FRAME_NATIVE },
		{ "f", "nf_tables", "", 0, PLOP_FRAME_KERNEL },
	};
	_cleanup_(dict_freep) struct dict *d = NULL;
	uint32_t id;

	ck_assert_int_eq(dict_new(&d), 0);
	for (int again = 0; again < 2; again++) {
		for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
			const struct dict_function *f;

			ck_assert_int_eq(dict_function(d, &rows[i], &id), 0);
			ck_assert_uint_eq(id, i);
			f = dict_get_function(d, id);
			ck_assert_int_eq(f->kind, rows[i].kind);
			ck_assert_str_eq(f->module, rows[i].module);
			ck_assert_str_eq(f->file, rows[i].file);
			ck_assert_int_eq(f->line, rows[i].line);
		}
	}
	ck_assert_uint_eq(dict_functions(d), ARRAY_SIZE(rows));
}
END_TEST

/*
 * A Python function's module is what its file tells, whatever it is said to be; a synthetic one has
 * none, and no place.
 */
START_TEST(modules_are_told)
{
	_cleanup_(dict_freep) struct dict *d = NULL;
	const struct dict_function lies = { "f", "lies", "/lib/site-packages/yaml/x.py", 3,
					    PLOP_FRAME_PYTHON };
	const struct dict_function placed = { "[f]", "lies", "/x.py", 3, PLOP_FRAME_SYNTHETIC };
	uint32_t id, frame;

	ck_assert_int_eq(dict_new(&d), 0);
	ck_assert_int_eq(dict_function(d, &lies, &id), 0);
	ck_assert_str_eq(dict_get_function(d, id)->module, "yaml");
	ck_assert_int_eq(dict_python(d, "f", "/lib/site-packages/yaml/x.py", 3, &frame), 0);
	ck_assert_uint_eq(frame, id);
	ck_assert_int_eq(dict_function(d, &placed, &id), 0);
	ck_assert_str_eq(dict_get_function(d, id)->module, "");
	ck_assert_str_eq(dict_get_function(d, id)->file, "");
	ck_assert_int_eq(dict_get_function(d, id)->line, 0);
	ck_assert_int_eq(dict_synthetic(d, "[f]", &frame), 0);
	ck_assert_uint_eq(dict_get_frame(d, frame)->function, id);
}
END_TEST

START_TEST(texts_have_ids)
{
	_cleanup_(dict_freep) struct dict *d = NULL;
	uint32_t a, b, c;

	ck_assert_int_eq(dict_new(&d), 0);
	ck_assert_int_eq(dict_text(d, "", &a), 0);
	ck_assert_int_eq(dict_text(d, "one", &b), 0);
	ck_assert_int_eq(dict_text(d, "", &c), 0);
	ck_assert_uint_eq(a, 0);
	ck_assert_uint_eq(b, 1);
	ck_assert_uint_eq(c, 0);
	ck_assert_uint_eq(dict_texts(d), 2);
	ck_assert_str_eq(dict_get_text(d, 1), "one");
}
END_TEST

START_TEST(stacks_differ_by_order_and_depth)
{
	_cleanup_(dict_freep) struct dict *d = NULL;
	uint32_t f, frame[2], ids[5];

	ck_assert_int_eq(dict_new(&d), 0);
	ck_assert_int_eq(dict_python(d, "f", "x", 1, &f), 0);
	ck_assert_int_eq(dict_frame(d, f, 1, &frame[0]), 0);
	ck_assert_int_eq(dict_frame(d, f, 2, &frame[1]), 0);
	ck_assert_int_eq(dict_stack(d, frame, 2, &ids[0]), 0);
	ck_assert_int_eq(dict_stack(d, (uint32_t[]){ frame[1], frame[0] }, 2, &ids[1]), 0);
	ck_assert_int_eq(dict_stack(d, frame, 1, &ids[2]), 0);
	ck_assert_int_eq(dict_stack(d, NULL, 0, &ids[3]), 0);
	ck_assert_int_eq(dict_stack(d, frame, 2, &ids[4]), 0);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_uint_eq(ids[i], i);
	ck_assert_uint_eq(ids[4], 0);
	ck_assert_uint_eq(dict_get_stack(d, 1)->frames[0], frame[1]);
	ck_assert_uint_eq(dict_get_stack(d, 3)->depth, 0);
	ck_assert_uint_eq(dict_stacks(d), 4);
	ck_assert_uint_eq(dict_frames(d), 2);
}
END_TEST

/* Past several growths of every table, all ids are as given and pointers did not move. */
START_TEST(many_stay_in_place)
{
	enum { N = 20000 };
	_cleanup_(dict_freep) struct dict *d = NULL;
	const struct dict_function *first;
	uint32_t f, frames[3], id;
	size_t bytes;
	char name[32];

	ck_assert_int_eq(dict_new(&d), 0);
	for (uint32_t i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "function_%u", i);
		ck_assert_int_eq(dict_python(d, name, "/one/file.py", (int)i, &f), 0);
		ck_assert_uint_eq(f, i);
		if (i == 0)
			first = dict_get_function(d, 0);
		ck_assert_int_eq(dict_frame(d, f, 7, &id), 0);
		ck_assert_uint_eq(id, i);
		frames[0] = 0;
		frames[1] = i / 2;
		frames[2] = i;
		ck_assert_int_eq(dict_stack(d, frames, 3, &id), 0);
		ck_assert_uint_eq(id, i);
	}
	ck_assert_ptr_eq(first, dict_get_function(d, 0));
	bytes = dict_bytes(d);
	/*
	 * About 24 + 24 bytes of name and item, 8 + 16 + 12 of frame and stack, and the tables:
	 * compact.
	 */
	ck_assert_uint_lt(bytes, N * 250);
	for (uint32_t i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "function_%u", i);
		ck_assert_int_eq(dict_python(d, name, "/one/file.py", (int)i, &f), 0);
		ck_assert_uint_eq(f, i);
		ck_assert_str_eq(dict_get_function(d, i)->name, name);
		ck_assert_uint_eq(dict_get_stack(d, i)->frames[2], i);
	}
	ck_assert_uint_eq(dict_bytes(d), bytes);
}
END_TEST

START_TEST(one_large_item_keeps_the_block_in_use)
{
	_cleanup_(dict_freep) struct dict *d = NULL;
	_cleanup_free_ char *large = malloc(100001);
	uint32_t f;
	size_t bytes;

	ck_assert_ptr_nonnull(large);
	memset(large, 'x', 100000);
	large[100000] = '\0';
	ck_assert_int_eq(dict_new(&d), 0);
	ck_assert_int_eq(dict_python(d, "small", "", 1, &f), 0);
	ck_assert_int_eq(dict_python(d, large, "", 1, &f), 0);
	bytes = dict_bytes(d);
	ck_assert_int_eq(dict_python(d, "another small one", "", 1, &f), 0);
	ck_assert_uint_eq(dict_bytes(d), bytes);
	ck_assert_str_eq(dict_get_function(d, 1)->name, large);
	ck_assert_str_eq(dict_get_function(d, 2)->name, "another small one");
}
END_TEST

CHECK_MAIN("profile/dict", kinds_and_modules_differ, modules_are_told, texts_have_ids,
	   equal_content_has_one_id, name_and_file_do_not_run_together,
	   stacks_differ_by_order_and_depth, many_stay_in_place,
	   one_large_item_keeps_the_block_in_use);
