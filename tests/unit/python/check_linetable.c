/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>

#include "check_main.h"
#include "plop/limits.h"
#include "python/python.h"

/* What each byte offset of a table gives: a line, or a negative errno. */
static int line_at(uint16_t version, const void *table, size_t size, bool cut, int first,
		   int64_t lasti)
{
	_cleanup_free_ uint8_t *copy = malloc(size ? size : 1);
	int line = -1000000, r;

	/* A copy of its own, so that the sanitizer sees a read beyond the end. */
	if (size > 0)
		memcpy(copy, table, size);
	r = linetable_lookup(version, copy, size, cut, first, lasti, &line);
	return r < 0 ? r : line;
}

/*
 * From CPython 3.8's Objects/lnotab_notes.txt: (0 1) (6 2) (50 7) (350 207) (361 208), with 3.6's
 * signed lines.
 */
static const uint8_t lnotab[] = { 0, 1, 6, 1, 44, 5, 255, 0, 45, 127, 0, 73, 11, 1 };

START_TEST(lnotab_of_3_8)
{
	static const struct {
		int lasti, line;
	} rows[] = { { 0, 2 },   { 5, 2 },     { 6, 3 },     { 49, 3 },     { 50, 8 },
		     { 349, 8 }, { 350, 208 }, { 361, 209 }, { 99999, 209 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_int_eq(line_at(0x0308, lnotab, sizeof(lnotab), false, 1, rows[i].lasti),
				 rows[i].line);
		ck_assert_int_eq(line_at(0x0309, lnotab, sizeof(lnotab), false, 1, rows[i].lasti),
				 rows[i].line);
	}
	ck_assert_int_eq(line_at(0x0308, (uint8_t[]){ 10, 0xfe, 10, 1 }, 4, false, 9, 12), 7);
	ck_assert_int_eq(line_at(0x0308, NULL, 0, false, 9, 12), 9);
}
END_TEST

/* 3.6 made the line increments signed. */
START_TEST(lnotab_signs)
{
	static const uint8_t t[] = { 10, 0xfe, 10, 1 };

	ck_assert_int_eq(line_at(0x0207, t, sizeof(t), false, 9, 9), 9);
	ck_assert_int_eq(line_at(0x0207, t, sizeof(t), false, 9, 12), 263);
	ck_assert_int_eq(line_at(0x0207, t, sizeof(t), false, 9, 20), 264);
	ck_assert_int_eq(line_at(0x0306, t, sizeof(t), false, 9, 12), 7);
	ck_assert_int_eq(line_at(0x0307, t, sizeof(t), false, 9, 20), 8);
}
END_TEST

START_TEST(lnotab_cut)
{
	ck_assert_int_eq(line_at(0x0308, lnotab, 4, true, 1, 5), 2);
	ck_assert_int_eq(line_at(0x0308, lnotab, 4, true, 1, 6), -ENODATA);
	/* Half a pair is no pair. */
	ck_assert_int_eq(line_at(0x0308, lnotab, 5, true, 1, 6), -ENODATA);
	ck_assert_int_eq(line_at(0x0308, lnotab, 5, false, 1, 6), 3);
}
END_TEST

START_TEST(ranges_of_3_10)
{
	static const uint8_t t[] = { 4, 1, 2, 0x80, 6, 2, 0, 3, 2, 0xff };

	ck_assert_int_eq(line_at(0x030a, t, sizeof(t), false, 10, 0), 11);
	ck_assert_int_eq(line_at(0x030a, t, sizeof(t), false, 10, 3), 11);
	ck_assert_int_eq(line_at(0x030a, t, sizeof(t), false, 10, 4), -ENOENT);
	ck_assert_int_eq(line_at(0x030a, t, sizeof(t), false, 10, 6), 13);
	ck_assert_int_eq(line_at(0x030a, t, sizeof(t), false, 10, 12), 15);
	ck_assert_int_eq(line_at(0x030a, t, sizeof(t), false, 10, 14), -EBADMSG);
	ck_assert_int_eq(line_at(0x030a, t, 4, true, 10, 6), -ENODATA);
	ck_assert_int_eq(line_at(0x030a, t, sizeof(t), false, 10, -2), 10);
}
END_TEST

/* Entries: short (1 unit), one line +2 (2 units), no columns -3 (1), none (1), long +40 (8). */
static const uint8_t locations[] = { 0x80 | 3 << 3 | 0,
				     0x12,
				     0x80 | 12 << 3 | 1,
				     1,
				     2,
				     0x80 | 13 << 3 | 0,
				     7,
				     0x80 | 15 << 3 | 0,
				     0x80 | 14 << 3 | 7,
				     0x40 | (80 & 0x3f),
				     80 >> 6,
				     0,
				     0x41,
				     0x02,
				     5 };

START_TEST(locations_of_3_11)
{
	static const int expected[] = { 100, 102, 102, 99, -ENOENT, 139, 139 };

	for (uint16_t version = 0x030b; version <= 0x030f; version++) {
		for (int unit = 0; unit < 7; unit++)
			ck_assert_int_eq(line_at(version, locations, sizeof(locations), false, 100,
						 unit * 2),
					 expected[unit]);
		ck_assert_int_eq(line_at(version, locations, sizeof(locations), false, 100, 2 * 12),
				 139);
		ck_assert_int_eq(line_at(version, locations, sizeof(locations), false, 100, 2 * 13),
				 -EBADMSG);
		ck_assert_int_eq(line_at(version, locations, sizeof(locations), true, 100, 2 * 13),
				 -ENODATA);
		ck_assert_int_eq(line_at(version, locations, sizeof(locations), false, 100, -1),
				 100);
	}
}
END_TEST

/* Each prefix of each table gives what the whole gives, or says that it does not know. */
START_TEST(every_prefix_is_honest)
{
	static const struct {
		uint16_t version;
		const uint8_t *table;
		size_t size;
		int end;
	} rows[] = { { 0x0308, lnotab, sizeof(lnotab), 400 },
		     { 0x030c, locations, sizeof(locations), 30 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t n = 0; n < rows[i].size; n++) {
			for (int lasti = 0; lasti < rows[i].end; lasti++) {
				int whole = line_at(rows[i].version, rows[i].table, rows[i].size,
						    false, 100, lasti);
				int part = line_at(rows[i].version, rows[i].table, n, true, 100,
						   lasti);

				ck_assert(part == whole || part == -ENODATA);
			}
		}
	}
}
END_TEST

START_TEST(malformed_locations)
{
	/*
	 * No marker bit; a number that ends with the table; one of too many groups; one that does
	 * not fit 32 bits.
	 */
	ck_assert_int_eq(line_at(0x030c, (uint8_t[]){ 0x12 }, 1, false, 1, 0), -EBADMSG);
	ck_assert_int_eq(line_at(0x030c, (uint8_t[]){ 0xe8, 0x7f, 0x7f }, 3, false, 1, 0),
			 -EBADMSG);
	ck_assert_int_eq(line_at(0x030c,
				 (uint8_t[]){ 0xe8, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 1 },
				 9, false, 1, 0),
			 -EBADMSG);
	ck_assert_int_eq(line_at(0x030c, (uint8_t[]){ 0xe8, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f }, 7,
				 false, 1, 0),
			 -EBADMSG);
	ck_assert_int_eq(line_at(0x030c, NULL, 0, false, 1, 0), -EBADMSG);
}
END_TEST

/* Lines that leave the range of int are refused, never wrapped. */
START_TEST(lines_do_not_overflow)
{
	ck_assert_int_eq(line_at(0x030c, (uint8_t[]){ 0xe8, 2 }, 2, false, INT_MAX, 0), -EBADMSG);
	ck_assert_int_eq(line_at(0x030c, (uint8_t[]){ 0xe8, 3 }, 2, false, INT_MIN, 0), -EBADMSG);
	ck_assert_int_eq(line_at(0x0308, (uint8_t[]){ 0, 1 }, 2, false, INT_MAX, 0), -EBADMSG);
	ck_assert_int_eq(line_at(0x030a, (uint8_t[]){ 2, 1 }, 2, false, INT_MAX, 0), -EBADMSG);
}
END_TEST

START_TEST(huge_tables_and_offsets)
{
	size_t size = PLOP_MAX_LINETABLE + 4096;
	_cleanup_free_ uint8_t *zeros = calloc(1, size);

	ck_assert_int_eq(line_at(0x0308, zeros, size, false, 5, INT64_MAX), 5);
	ck_assert_int_eq(line_at(0x030a, zeros, size, false, 5, 0), -EBADMSG);
	memset(zeros, 0xf8, size);
	ck_assert_int_eq(line_at(0x030c, zeros, size, false, 5, INT64_MAX), -EBADMSG);
	ck_assert_int_eq(line_at(0x030c, zeros, size, false, 5, INT64_MIN), 5);
}
END_TEST

CHECK_MAIN("python/linetable", lnotab_of_3_8, lnotab_signs, lnotab_cut, ranges_of_3_10,
	   locations_of_3_11, every_prefix_is_honest, malformed_locations, lines_do_not_overflow,
	   huge_tables_and_offsets);
