/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
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
		/* The fingerprint covers what tells one code object from another. */
		ck_assert_uint_le(l.code_fingerprint, l.code_argcount);
		ck_assert_uint_le(l.code_fingerprint, l.code_firstlineno);
		ck_assert_uint_eq(l.code_fingerprint + l.code_fingerprint_len,
				  l.code_linetable + 8);
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

/*
 * A text that its head holds has no tail; a longer one has its last bytes, whatever the width of
 * its characters.
 */
START_TEST(tails_of_texts)
{
	struct plop_layout l;
	__u64 head[PLOP_TEXT_HEAD / 8] = {};
	const uint32_t ascii = 1u << 2 | 1u << 5 | 1u << 6, ucs2 = 2u << 2 | 1u << 5;

	ck_assert_int_eq(layout_by_version(0x030b00f0, &l), 0);
	ck_assert_uint_eq(l.code_fingerprint_texts, 1);
	head[0] = 48;
	head[2] = ascii;
	ck_assert_uint_eq(plop_text_tail(&l, head, 0), 0);
	head[0] = 49;
	ck_assert_uint_eq(plop_text_tail(&l, head, 0), 48 + 49 - 32);
	head[2] = ucs2;
	ck_assert_uint_eq(plop_text_tail(&l, head, 0), 72 + 98 - 32);
	ck_assert_uint_eq(plop_text_tail(&l, head, 1), 0);
	head[0] = 65;
	ck_assert_uint_eq(plop_text_tail(&l, head, 1), 32 + 65 - 32);
	/* lengths that cannot be */
	head[0] = UINT64_MAX;
	ck_assert_uint_eq(plop_text_tail(&l, head, 0), 0);
	ck_assert_uint_eq(plop_text_tail(&l, head, 1), 0);
	head[0] = UINT64_C(1) << 62;
	ck_assert_uint_eq(plop_text_tail(&l, head, 0), 0);
}
END_TEST

/*
 * What lies behind a short text, and a hash that is computed when it is asked for, are no part of a
 * code object.
 */
START_TEST(text_is_told_by_its_own_bytes)
{
	struct plop_layout l;
	__u64 head[PLOP_TEXT_HEAD / 8], same[PLOP_TEXT_HEAD / 8];

	ck_assert_int_eq(layout_by_version(0x030b02f0, &l), 0);
	for (unsigned int bytes = 0; bytes < 2; bytes++) {
		/*
		 * of a str's 48 bytes before its text 32 are in here, of a bytes object's 32 there
		 * are 16
		 */
		unsigned int size = 5, end = (bytes ? 16 : 32) + size;

		for (unsigned int at = 8; at < PLOP_TEXT_HEAD; at++) {
			bool own = at >= 16 && at < end;

			/* what says how long it is */
			if (!bytes && at >= 16 && at < 20)
				continue;
			memset(head, 0x5a, sizeof(head));
			head[0] = size;
			if (!bytes) /* kind 1, compact, ASCII */
				head[2] = 1u << l.str_kind_shift | 3u << (l.str_kind_shift + 3);
			memcpy(same, head, sizeof(head));
			((uint8_t *)same)[at] ^= 0x81;
			plop_text_own(&l, head, bytes);
			plop_text_own(&l, same, bytes);
			ck_assert_int_eq(memcmp(head, same, sizeof(head)) != 0, own);
		}
	}
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
	REFUSES(frame_link, 0);
	REFUSES(frame_link, 9);
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
	REFUSES(code_fingerprint_len, PLOP_FINGERPRINT_MAX + 8);
	REFUSES(code_fingerprint_len, 0);
	REFUSES(code_fingerprint_len, 90);
	REFUSES(code_fingerprint, 65528);
	REFUSES(code_fingerprint_texts, 2);
	REFUSES(runtime_finalizing, UINT32_MAX);
	REFUSES(ts_status, good.ts_len);
	REFUSES(ts_status, 26);
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
	ck_assert_uint_eq(l.frame_link, PLOP_LINK_CURRENT);
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
	ck_assert_uint_eq(l.code_fingerprint, 48);
	ck_assert_uint_eq(l.code_fingerprint_len, 96);
	ck_assert_uint_eq(l.str_compact_data, 56);
}
END_TEST

/*
 * Whole tables of free-threaded builds, but for the cookie: 3.13.5's from its executable; 3.14.10's
 * and 3.15.2's as their headers give it with Py_GIL_DISABLED defined.
 */
static const uint64_t table_3_13t[] = {
	0,    0x030d05f0, 1,    328320, 608,  632,  215616, 7272, 7264, 7344, 7400, 7664, 7648,
	7656, 16,         7760, 0,      7784, 7776, 304,    0,    8,    16,   72,   152,  160,
	232,  32,         80,   8,      0,    56,   72,     70,   224,  128,  136,  144,  152,
	84,   68,         112,  120,    216,  32,   24,     432,  40,   104,  184,  48,   40,
	32,   56,         40,   32,     64,   48,   56,     40,   32,   48,   32,   40,   56,
	32,   48,         80,   48,     32,   56,   248,    200
};
static const uint64_t table_3_14t[] = {
	0,    0x030e0af0, 1,    365624, 784,  808, 249976, 7280, 7272, 7344,  7360, 7408,
	7712, 7696,       7704, 16,     7808, 0,   7832,   7824, 8024, 17300, 832,  0,
	8,    16,         72,   152,    160,  232, 32,     88,   8,    0,     56,   80,
	78,   64,         72,   240,    128,  136, 144,    152,  84,   68,    112,  120,
	232,  224,        32,   24,     432,  40,  104,    184,  56,   48,    32,   56,
	40,   32,         216,  40,     56,   48,  64,     48,   56,   40,    32,   48,
	32,   40,         56,   32,     48,   80,  48,     32,   56,   288,   192,  176,
	40,   88,         83,   0,      8,    24,  304,    8108, 0,    4,     512
};
static const uint64_t table_3_15t[] = {
	0,    0x030f02f0, 1,   409296, 912, 936,  250328, 7272, 7264,  7336, 7352, 7400, 7592,
	7576, 7584,       16,  7736,   0,   7760, 7752,   7952, 17252, 888,  0,    8,    16,
	72,   80,         88,  96,     176, 184,  256,    32,   36,    40,   136,  288,  0,
	88,   8,          0,   56,     80,  78,   64,     72,   240,   128,  136,  144,  152,
	84,   68,         112, 120,    232, 224,  32,     24,   440,   40,   104,  184,  48,
	304,  968,        904, 56,     48,  32,   56,     40,   32,    216,  40,   56,   48,
	64,   48,         56,  40,     32,  48,   32,     40,   56,    32,   48,   80,   48,
	32,   56,         72,  176,    112, 120,  224,    104,  176,   40,   88,   83,   0,
	8,    24,         344, 8036,   0,   4,    512
};

START_TEST(debug_offsets_of_free_threaded_builds)
{
	static const struct {
		const uint64_t *table;
		size_t size;
		uint16_t id, owner, tag_mask, bytecode, tlbc, kind_shift;
	} rows[] = { { table_3_13t, sizeof(table_3_13t), 152, 70, 0, 216, 0, 2 },
		     { table_3_14t, sizeof(table_3_14t), 152, 78, 3, 232, 224, 8 },
		     { table_3_15t, sizeof(table_3_15t), 176, 78, 3, 232, 224, 8 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t hexversion = (uint32_t)rows[i].table[1];
		struct plop_layout l;
		uint64_t table[128];

		ck_assert_uint_eq(debug_offsets_size(hexversion), rows[i].size);
		memcpy(table, rows[i].table, rows[i].size);
		memcpy(table, DEBUG_OFFSETS_COOKIE, 8);
		ck_assert_int_eq(layout_by_debug_offsets(table, rows[i].size, hexversion, &l), 0);
		ck_assert_uint_eq(l.free_threaded, 1);
		ck_assert_uint_eq(l.ts_thread_id, rows[i].id);
		ck_assert_uint_eq(l.frame_owner, rows[i].owner);
		ck_assert_uint_eq(l.frame_tag_mask, rows[i].tag_mask);
		ck_assert_uint_eq(l.code_bytecode, rows[i].bytecode);
		ck_assert_uint_eq(l.code_tlbc, rows[i].tlbc);
		ck_assert_uint_eq(l.code_flags, 64);
		ck_assert_uint_eq(l.code_argcount, 68);
		ck_assert_uint_eq(l.code_fingerprint + l.code_fingerprint_len,
				  l.code_linetable + 8);
		ck_assert_uint_eq(l.str_kind_shift, rows[i].kind_shift);
		ck_assert_uint_eq(l.str_ascii_data, 56);
		ck_assert_uint_eq(l.str_compact_data, 72);
		ck_assert_uint_eq(l.bytes_data, 48);
		/* The same, as if with the lock. */
		table[2] = 0;
		ck_assert_int_eq(layout_by_debug_offsets(table, rows[i].size, hexversion, &l),
				 -EBADMSG);
	}
}
END_TEST

START_TEST(debug_offsets_gates)
{
	uint8_t table[1024];
	struct plop_layout l = { .version = 1 };

	memset(table, 0, sizeof(table));
	table_3_13(table);
	/*
	 * A patch release and a release candidate have the same table; alphas, betas, other minors
	 * do not.
	 */
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
	/* Free-threaded, with the sizes of one that is not; and neither. */
	put(table, 16, 1);
	ck_assert_int_eq(layout_by_debug_offsets(table, 584, 0x030d00f0, &l), -EBADMSG);
	put(table, 16, 2);
	ck_assert_int_eq(layout_by_debug_offsets(table, 584, 0x030d00f0, &l), -EBADMSG);
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

CHECK_MAIN("python/layout", tables_are_sound, other_versions_are_not_guessed, tails_of_texts,
	   checks_refuse_unsound_layouts, debug_offsets_of_3_13,
	   debug_offsets_of_free_threaded_builds, debug_offsets_gates, debug_offsets_that_lie,
	   text_is_told_by_its_own_bytes);
