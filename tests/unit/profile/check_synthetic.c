/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "profile/synthetic.h"
#include "profile/symbolizer.h"

static int no_memory(void *ctx, uint64_t address, void *buffer, size_t size)
{
	return -EFAULT;
}
static const struct reader gone = { .read = no_memory };

static void ck_text(uint64_t code, const char *text)
{
	_cleanup_free_ char *said = NULL;

	ck_assert_int_eq(synthetic_text(code, &said), 0);
	ck_assert_str_eq(said, text);
}

START_TEST(texts)
{
	ck_text(PLOP_SYNTHETIC(PLOP_SYNTHETIC_TASK, 0), "[task]");
	ck_text(PLOP_SYNTHETIC(PLOP_SYNTHETIC_NAMED, 77), "[task]");
	ck_text(PLOP_SYNTHETIC(PLOP_SYNTHETIC_SEVERAL, 3), "[3 awaiting]");
	ck_text(PLOP_SYNTHETIC(PLOP_SYNTHETIC_MORE, 0), "[more awaiting]");
	/* what is too large does not become another kind */
	ck_assert_uint_eq(PLOP_SYNTHETIC_WHAT(PLOP_SYNTHETIC(PLOP_SYNTHETIC_SEVERAL, UINT64_MAX)),
			  PLOP_SYNTHETIC_SEVERAL);
	/* nor of another plop's what this one does not know an error */
	ck_text(PLOP_SYNTHETIC(7, UINT64_MAX), "[task]");
}
END_TEST

static struct plop_record_task *record_new(const char *bytes, uint32_t size, uint64_t length,
					   uint32_t state)
{
	struct plop_record_task *r = calloc(1, sizeof(*r) + size);

	ck_assert_ptr_nonnull(r);
	r->head.type = PLOP_RECORD_TASK;
	r->code = PLOP_SYNTHETIC(PLOP_SYNTHETIC_NAMED, 77);
	r->length = length;
	r->state = state;
	r->bytes = size;
	memcpy(r->data, bytes, size);
	return r;
}

START_TEST(names)
{
	static const struct {
		const char *bytes;
		uint32_t size;
		uint64_t length;
		uint32_t kind, ascii;
		const char *text;
	} rows[] = {
		{ "crawl", 5, 5, 1, 1, "[task crawl]" },
		{ "", 0, 0, 1, 1, "[task ]" },
		{ "\xe9t\xe9", 3, 3, 1, 0, "[task \xc3\xa9t\xc3\xa9]" },
		{ "\x2d\x4e\0a", 4, 2, 2, 0, "[task \xe4\xb8\xad\xe6\x84\x80]" },
		/* cut, and with what no line of a profile may have in it */
		{ "ab", 2, 300, 1, 1, "[task ab\xe2\x80\xa6]" },
		{ "a\nb", 3, 3, 1, 1,
		  "[task a\xef\xbf\xbd"
		  "b]" },
		/* no str that can be */
		{ "abc", 3, 1, 3, 0, NULL },
		{ "abc", 3, 1, 0, 0, NULL },
	};
	struct plop_layout l;

	ck_assert_int_eq(layout_by_version(0x030c00f0, &l), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t state = rows[i].kind << l.str_kind_shift |
				 (1u | rows[i].ascii << 1) << (l.str_kind_shift + 3);
		struct plop_record_task *r =
			record_new(rows[i].bytes, rows[i].size, rows[i].length, state);
		_cleanup_free_ char *said = NULL;
		int k = synthetic_text_named(&l, r, &said);

		ck_assert_int_eq(k, rows[i].text ? 0 : -EBADMSG);
		if (rows[i].text)
			ck_assert_str_eq(said, rows[i].text);
		free(r);
	}
}
END_TEST

static void ck_kind(uint64_t code, enum plop_frame_kind kind)
{
	ck_assert_int_eq(plop_frame_kind(code), kind);
	ck_assert_int_eq(plop_frame_is_python(code), kind == PLOP_FRAME_PYTHON && code);
}

START_TEST(kinds)
{
	/*
	 * addresses of user space: x86-64 with four and five levels of pages, arm64 with 52 bits,
	 * one with a tag of memory
	 */
	ck_kind(UINT64_C(0x7f0000001000), PLOP_FRAME_PYTHON);
	ck_kind(UINT64_C(0x00fffffffffff000), PLOP_FRAME_PYTHON);
	ck_kind(UINT64_C(0x000ffffffffff000), PLOP_FRAME_PYTHON);
	ck_kind(UINT64_C(0x0f00aaaaaaaaa000), PLOP_FRAME_PYTHON);
	ck_kind(0, PLOP_FRAME_PYTHON);
	/* of the kernel */
	ck_kind(UINT64_C(0xffffffff81000000), PLOP_FRAME_KERNEL);
	ck_kind(UINT64_C(0xffff800008000000), PLOP_FRAME_KERNEL);
	ck_kind(UINT64_C(0xfff0000000000000), PLOP_FRAME_KERNEL);
	ck_kind(PLOP_NATIVE(UINT64_C(0x7f0000001000)), PLOP_FRAME_NATIVE);
	ck_kind(PLOP_NATIVE(UINT64_MAX), PLOP_FRAME_NATIVE);
	ck_assert_uint_eq(PLOP_NATIVE(UINT64_C(0x7f0000001000)) & PLOP_FRAME_ADDRESS,
			  UINT64_C(0x7f0000001000));
	for (uint32_t what = 0; what < 8; what++)
		ck_kind(PLOP_SYNTHETIC(what, UINT64_MAX), PLOP_FRAME_SYNTHETIC);
}
END_TEST

/*
 * Machine code has no code object: it is not looked for in memory, and not known by the name of
 * one.
 */
START_TEST(no_code_object)
{
	const uint64_t codes[] = { PLOP_NATIVE(UINT64_C(0x7f0000001000)),
				   UINT64_C(0xffffffff81000000) };
	struct plop_layout l;
	struct code_table *t;
	struct code_wants wants;

	ck_assert_int_eq(layout_by_version(0x030c00f0, &l), 0);
	ck_assert_int_eq(code_table_new(&l, &t), 0);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		const struct plop_frame f = { .code = codes[i], .fingerprint = 1 };
		enum code_source source = CODE_READ;

		ck_assert_int_eq(code_table_want(t, 1, &f, 1), 0);
		ck_assert_ptr_null(code_table_find(t, &gone, &f, &source));
		ck_assert_int_eq(source, CODE_UNKNOWN);
	}
	code_table_wants(t, 1, 0, &wants);
	ck_assert_uint_eq(wants.nread, 0);
	ck_assert_uint_eq(wants.nconfirm, 0);
	code_table_free(t);
}
END_TEST

/* A name stands for its frame from its record on, also when the table has forgotten it once. */
START_TEST(table)
{
	struct plop_frame named = { .code = PLOP_SYNTHETIC(PLOP_SYNTHETIC_NAMED, 77) },
			  several = { .code = PLOP_SYNTHETIC(PLOP_SYNTHETIC_SEVERAL, 5) };
	struct plop_record_task *r;
	enum code_source source;
	struct code_table *t;
	struct plop_layout l;

	ck_assert_int_eq(layout_by_version(0x030c00f0, &l), 0);
	ck_assert_int_eq(code_table_new(&l, &t), 0);
	r = record_new("crawl", 5, 5, 1u << l.str_kind_shift | 3u << (l.str_kind_shift + 3));
	ck_assert_str_eq(code_table_find(t, &gone, &named, &source)->name, "[task]");
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(code_table_task(t, r), 0);
		ck_assert_str_eq(code_table_find(t, &gone, &named, &source)->name, "[task crawl]");
		ck_assert_int_eq(source, CODE_READ);
		code_table_limit(t, 0);
		ck_assert_str_eq(code_table_find(t, &gone, &named, &source)->name, "[task]");
	}
	ck_assert_str_eq(code_table_find(t, &gone, &several, &source)->name, "[5 awaiting]");
	code_table_free(t);
	free(r);
}
END_TEST

/*
 * What lies between the first synthetic frame and the last is shown to those who asked for it
 * alone.
 */
START_TEST(sinks)
{
	const uint64_t task = PLOP_SYNTHETIC(PLOP_SYNTHETIC_TASK, 0),
		       other = PLOP_SYNTHETIC(PLOP_SYNTHETIC_SEVERAL, 2);
	const struct {
		uint64_t codes[5];
		uint16_t n;
		uint32_t with, without;
	} rows[] = {
		{ { 0x1000, task, 0x2000, other, 0x3000 }, 5, 5, 2 },
		{ { task, 0x1000 }, 2, 2, 1 },
		{ { 0x1000, task }, 2, 2, 1 },
		{ { 0x1000, 0x2000 }, 2, 2, 2 },
	};
	struct process_info info = process_info_of(5);
	struct plop_layout l;

	ck_assert_int_eq(layout_by_version(0x030c00f0, &l), 0);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		struct plop_stack stack = { .count = 1, .depth = rows[i / 2].n };
		struct plop_frame frames[5] = {};
		struct code_object *codes[5];
		enum code_source sources[5];
		struct symbolized_stack y = { &stack, frames, codes, sources, l.code_bytecode };
		const struct dict_stack *k;
		struct code_table *t;
		struct sink *s;
		uint32_t process, id;

		ck_assert_int_eq(code_table_new(&l, &t), 0);
		ck_assert_int_eq(sink_new(1, 100, &s), 0);
		if (i % 2)
			sink_keep_tasks(s);
		ck_assert_int_eq(profile_process(sink_profile(s), &info, "3.12.1", &process), 0);
		for (uint16_t f = 0; f < stack.depth; f++) {
			frames[f].code = rows[i / 2].codes[f];
			codes[f] = code_table_find(t, &gone, &frames[f], &sources[f]);
		}
		ck_assert_int_eq(sink_stack(s, &y, &id), 0);
		k = dict_get_stack(sink_profile(s)->dict, id);
		ck_assert_uint_eq(k->depth, i % 2 ? rows[i / 2].with : rows[i / 2].without);
		sink_free(s);
		code_table_free(t);
	}
}
END_TEST

/* Each task may have a name of its own: so many are told apart, all others are one. */
START_TEST(names_are_bounded)
{
	struct plop_stack stack = { .count = 1, .depth = 2 };
	struct plop_frame frames[2] = { { .code = 0x1000 }, {} };
	struct code_object *codes[2] = {};
	enum code_source sources[2] = {};
	struct symbolized_stack y = {
		.stack = &stack, .frames = frames, .codes = codes, .sources = sources
	};
	struct process_info info = process_info_of(5);
	struct plop_record_task *r;
	struct code_table *t;
	struct plop_layout l;
	const struct dict *d;
	struct sink *s;
	uint32_t process, others = 0, id;
	uint64_t marked = 0;
	char name[32];

	ck_assert_int_eq(layout_by_version(0x030c00f0, &l), 0);
	ck_assert_int_eq(code_table_new(&l, &t), 0);
	ck_assert_int_eq(sink_new(1, 100, &s), 0);
	sink_keep_tasks(s);
	ck_assert_int_eq(profile_process(sink_profile(s), &info, "3.12.1", &process), 0);
	for (uint32_t i = 0; i < 2 * 1500; i++) {
		snprintf(name, sizeof(name), "request-%04u", i % 1500);
		r = record_new(name, 12, 12, 1u << l.str_kind_shift | 3u << (l.str_kind_shift + 3));
		r->code = frames[1].code = PLOP_SYNTHETIC(PLOP_SYNTHETIC_NAMED, i % 1500);
		ck_assert_int_eq(code_table_task(t, r), 0);
		codes[1] = code_table_find(t, &gone, &frames[1], &sources[1]);
		ck_assert_int_eq(sink_add(s, process, &y), 0);
		free(r);
	}
	d = sink_profile(s)->dict;
	for (uint32_t i = 0; i < dict_functions(d); i++)
		marked += strncmp(dict_get_function(d, i)->name, "[task request-", 14) == 0;
	ck_assert_uint_eq(marked, PLOP_MAX_TASK_NAMES);
	for (uint32_t i = 0; i < sink_profile(s)->nsamples; i++) {
		const struct profile_sample *x = &sink_profile(s)->samples[i];

		id = dict_get_frame(d, dict_get_stack(d, x->stack)->frames[0])->function;
		if (streq(dict_get_function(d, id)->name, "[other tasks]"))
			others += (uint32_t)x->count;
	}
	/* those that had a name of their own keep it */
	ck_assert_uint_eq(others, 2 * (1500 - PLOP_MAX_TASK_NAMES));
	ck_assert_uint_eq(sink_profile(s)->samples_total, 2 * 1500);
	sink_free(s);
	code_table_free(t);
}
END_TEST

CHECK_MAIN("synthetic", kinds, no_code_object, texts, names, table, sinks, names_are_bounded);
