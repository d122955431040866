/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>

#include "python/debug_offsets.h"

START_TEST(tables_are_sound)
{
	static const uint16_t versions[] = { 0x0207, 0x0306, 0x0307, 0x0308,
					     0x0309, 0x030a, 0x030b, 0x030c };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		uint32_t version = (uint32_t)versions[i] << 16;
		struct plop_layout l;

		ck_assert_int_eq(layout_by_version(version | 0x01f0, &l), 0);
		ck_assert_uint_eq(l.version, versions[i]);
		ck_assert_int_eq(layout_check(&l), 0);
		/* The check covers what tells one code object from another. */
		ck_assert_uint_le(l.code_check, l.code_argcount);
		ck_assert_uint_le(l.code_check, l.code_firstlineno);
		ck_assert_uint_eq(l.code_check + l.code_check_len, l.code_linetable + 8);
		/* Without a patch level, and as a release candidate. */
		ck_assert_int_eq(layout_by_version(version, &l), 0);
		ck_assert_int_eq(layout_by_version(version | 0xc1, &l), 0);
	}
}
END_TEST

START_TEST(other_versions_are_not_guessed)
{
	static const uint32_t others[] = { 0,          0x020600f0, 0x020800f0, 0x030510f0,
					   0x030000f0, 0x030d00f0, 0x030e00f0, 0x031000f0,
					   0x040000f0, 0x0308,     0x030c00a7, 0x030b00b5,
					   UINT32_MAX };
	struct plop_layout l = { .version = 1 };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		ck_assert_msg(layout_by_version(others[i], &l) == -EOPNOTSUPP, "%x has a layout",
			      others[i]);
	ck_assert_uint_eq(l.version, 1);
}
END_TEST

/* Every maximum and every bound is looked at. */
START_TEST(checks_refuse_unsound_layouts)
{
	struct plop_layout good, l;

#define REFUSES(field, value)                                                              \
	do {                                                                               \
		l = good;                                                                  \
		l.field = (value);                                                         \
		ck_assert_msg(layout_check(&l) == -EBADMSG, "accepts " #field " " #value); \
	} while (0)
	ck_assert_int_eq(layout_by_version(0x030c00f0, &good), 0);
	REFUSES(version, 0x0206);
	REFUSES(frame_kind, 0);
	REFUSES(frame_kind, 9);
	REFUSES(runtime_interpreters_head, UINT32_MAX);
	REFUSES(interp_next, good.interp_threads_head);
	REFUSES(ts_len, PLOP_TS_MAX + 8);
	REFUSES(ts_next, 65530);
	REFUSES(ts_next, 9);
	REFUSES(ts_thread_id, good.ts_len);
	REFUSES(ts_frame, good.ts_next);
	REFUSES(ts_chunk, good.ts_len - 8);
	REFUSES(cframe_current, 40000);
	REFUSES(frame_len, PLOP_FRAME_MAX + 8);
	REFUSES(frame_previous, good.frame_code);
	REFUSES(frame_code, 65535);
	REFUSES(frame_instr, good.frame_len);
	REFUSES(frame_owner, good.frame_len);
	REFUSES(frame_tag_mask, 7);
	REFUSES(frame_lasti_unit, 2);
	REFUSES(code_check_len, PLOP_CHECK_MAX + 8);
	REFUSES(code_check_len, 0);
	REFUSES(code_check_len, 90);
	REFUSES(code_check, 65528);
	REFUSES(code_len, 60000);
	REFUSES(code_filename, good.code_len);
	REFUSES(code_name, good.code_filename);
	REFUSES(code_linetable, 65535);
	REFUSES(code_bytecode, 60000);
	REFUSES(str_state, good.str_ascii_data);
	REFUSES(str_compact_data, 300);
	REFUSES(str_compact_data, good.str_ascii_data - 8);
	REFUSES(str_kind_shift, 30);
	REFUSES(bytes_size, good.bytes_data);
#undef REFUSES
}
END_TEST

static void put(uint8_t *table, size_t at, uint64_t v)
{
	memcpy(table + at, &v, sizeof(v));
}

/* The table that CPython 3.13.0 has, by its own header; only what plop reads. */
static void table_3_13(uint8_t table[584])
{
	static const uint64_t rows[][2] = {
		{ 8, 0x030d00f0 }, { 24, 400000 }, { 40, 632 },  { 48, 300000 }, { 64, 7264 },
		{ 72, 7344 },      { 152, 304 },   { 168, 8 },   { 184, 72 },    { 192, 152 },
		{ 200, 160 },      { 208, 232 },   { 224, 80 },  { 232, 8 },     { 240, 0 },
		{ 248, 56 },       { 264, 70 },    { 272, 208 }, { 280, 112 },   { 288, 120 },
		{ 296, 128 },      { 304, 136 },   { 312, 68 },  { 320, 52 },    { 344, 200 },
		{ 512, 40 },       { 520, 16 },    { 528, 32 },  { 536, 64 },    { 544, 32 },
		{ 552, 16 },       { 560, 40 },
	};

	memset(table, 0, 584);
	memcpy(table, DEBUG_OFFSETS_COOKIE, 8);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		put(table, rows[i][0], rows[i][1]);
}

START_TEST(debug_offsets_of_3_13)
{
	struct plop_layout l;
	uint8_t table[584];

	table_3_13(table);
	ck_assert_uint_eq(debug_offsets_size(0x030d00f0), sizeof(table));
	ck_assert_int_eq(layout_by_debug_offsets(table, sizeof(table), 0x030d00f0, &l), 0);
	ck_assert_uint_eq(l.version, 0x030d);
	ck_assert_uint_eq(l.frame_kind, PLOP_FRAMES_CURRENT);
	ck_assert_uint_eq(l.runtime_interpreters_head, 632);
	ck_assert_uint_eq(l.interp_next, 7264);
	ck_assert_uint_eq(l.interp_threads_head, 7344);
	ck_assert_uint_eq(l.ts_thread_id, 152);
	ck_assert_uint_eq(l.ts_chunk, 232);
	ck_assert_uint_ge(l.ts_len, 248);
	ck_assert_uint_eq(l.frame_len, 72);
	ck_assert_uint_eq(l.frame_owner, 70);
	ck_assert_uint_eq(l.frame_owner_skip, 3);
	ck_assert_uint_eq(l.frame_tag_mask, 0);
	ck_assert_uint_eq(l.code_check, 48);
	ck_assert_uint_eq(l.code_check_len, 96);
	ck_assert_uint_eq(l.str_compact_data, 56);
}
END_TEST

START_TEST(debug_offsets_gates)
{
	uint8_t table[1024];
	struct plop_layout l = { .version = 1 };

	memset(table, 0, sizeof(table));
	table_3_13(table);
	/* A patch release and a release candidate have the same table; alphas, betas, other minors do not. */
	ck_assert_int_eq(layout_by_debug_offsets(table, 584, 0x030d09f0, &l), 0);
	ck_assert_int_eq(layout_by_debug_offsets(table, 584, 0x030d00c2, &l), 0);
	l.version = 1;
	ck_assert_int_eq(layout_by_debug_offsets(table, 584, 0x030d00b4, &l), -EOPNOTSUPP);
	ck_assert_int_eq(layout_by_debug_offsets(table, 584, 0x030d00a1, &l), -EOPNOTSUPP);
	ck_assert_int_eq(layout_by_debug_offsets(table, 1024, 0x031000f0, &l), -EOPNOTSUPP);
	ck_assert_int_eq(layout_by_debug_offsets(table, 1024, 0x030c00f0, &l), -EOPNOTSUPP);
	ck_assert_int_eq(layout_by_debug_offsets(table, 583, 0x030d00f0, &l), -EOPNOTSUPP);
	ck_assert_int_eq(layout_by_debug_offsets(table, 0, 0x030d00f0, &l), -EOPNOTSUPP);
	/* A version that is not the table's. */
	ck_assert_int_eq(layout_by_debug_offsets(table, 1024, 0x030e00f0, &l), -EBADMSG);
	table[0] = 'X';
	ck_assert_int_eq(layout_by_debug_offsets(table, 584, 0x030d00f0, &l), -EBADMSG);
	table_3_13(table);
	put(table, 16, 1);
	ck_assert_int_eq(layout_by_debug_offsets(table, 584, 0x030d00f0, &l), -EOPNOTSUPP);
	ck_assert_uint_eq(l.version, 1);
	for (uint32_t minor = 13; minor <= 15; minor++)
		ck_assert_uint_le(debug_offsets_size(0x03000000 | minor << 16 | 0xf0),
				  LAYOUT_DEBUG_OFFSETS_MAX);
}
END_TEST

/* Any one of the fields that plop reads, made huge or misaligned, is refused. */
START_TEST(debug_offsets_that_lie)
{
	static const uint16_t fields[] = { 40,  64,  72,  168, 184, 192, 200, 208, 224, 232,
					   240, 248, 264, 272, 280, 288, 296, 304, 312, 320,
					   344, 512, 520, 528, 536, 544, 552, 560 };
	static const uint64_t values[] = { UINT64_MAX, UINT64_MAX - 7, 1u << 31, 0x10000,
					   0x100000000 };
	struct plop_layout l = { .version = 1 };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			uint8_t table[584];

			table_3_13(table);
			/* 64 kB into an interpreter of 300 kB is possible. */
			if (values[v] == 0x10000 && fields[i] < 80)
				continue;
			put(table, fields[i], values[v]);
			ck_assert_msg(layout_by_debug_offsets(table, sizeof(table), 0x030d00f0,
							      &l) == -EBADMSG,
				      "accepts %llx at %u", (unsigned long long)values[v],
				      fields[i]);
		}
	}
	ck_assert_uint_eq(l.version, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("python/layout");
	TCase *t = tcase_create("layout");
	SRunner *r;
	int failed;

	tcase_add_test(t, tables_are_sound);
	tcase_add_test(t, other_versions_are_not_guessed);
	tcase_add_test(t, checks_refuse_unsound_layouts);
	tcase_add_test(t, debug_offsets_of_3_13);
	tcase_add_test(t, debug_offsets_gates);
	tcase_add_test(t, debug_offsets_that_lie);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
