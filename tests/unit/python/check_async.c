/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "python/python.h"

/* .AsyncioDebug of Debian's 3.14.10 (amd64): task, interpreter, thread state. */
static const uint64_t table_3_14[ASYNC_TABLE_SIZE / 8] = {
	168, 136, 96, 108, 109, 128, 152, 225864, 10880, 936, 864, 872, 880,
};

static struct plop_layout layout_of(uint16_t version, uint8_t free_threaded)
{
	return (struct plop_layout){ .version = version,
				     .free_threaded = free_threaded,
				     .frame_len = 80,
				     .code_flags = 48 };
}

START_TEST(versions)
{
	static const uint16_t none[] = { 0x0207, 0x0306, 0x030a, 0x0310 };
	struct plop_async a;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		struct plop_layout l = layout_of(none[i], 0);

		ck_assert(!async_is_possible(&l));
		ck_assert_int_eq(async_layout(&l, table_3_14, &a), -EOPNOTSUPP);
	}
	for (uint16_t version = 0x030b; version <= 0x030f; version++) {
		struct plop_layout l = layout_of(version, 0), t = layout_of(version, 1);

		ck_assert(async_is_possible(&l));
		ck_assert_int_eq(async_is_possible(&t), version < 0x030e);
		/*
		 * what the module says of itself is needed from 3.14 on, and of no interest before
		 */
		ck_assert_int_eq(async_layout(&l, NULL, &a), version < 0x030e ? 0 : -EBADMSG);
		ck_assert_int_eq(async_layout(&l, table_3_14, &a), 0);
		ck_assert_int_eq(a.ts_running != 0, version >= 0x030e);
		ck_assert_int_eq(a.task_waiter != 0, version < 0x030e);
		ck_assert_int_eq(a.handle_callback != 0, version < 0x030e);
		/* only these two have eager tasks and no word of which one runs */
		ck_assert_int_eq(a.await_ops[0] != 0, version == 0x030c || version == 0x030d);
	}
}
END_TEST

START_TEST(offsets)
{
	struct plop_layout l = layout_of(0x030e, 0);
	struct plop_async a;

	ck_assert_int_eq(async_layout(&l, table_3_14, &a), 0);
	ck_assert_uint_eq(a.ts_running, 872);
	ck_assert_uint_eq(a.task_name, 136);
	ck_assert_uint_eq(a.task_coro, 128);
	ck_assert_uint_eq(a.fut_awaited_by, 96);
	ck_assert_uint_eq(a.is_task, 108);
	ck_assert_uint_eq(a.awaited_by_is_set, 109);
	/* a free-threaded build's objects have 16 bytes more at their head */
	l = layout_of(0x030d, 1);
	ck_assert_int_eq(async_layout(&l, NULL, &a), 0);
	ck_assert_uint_eq(a.task_coro, 136);
	ck_assert_uint_eq(a.object_head, 32);
	ck_assert_uint_eq(a.gen_frame, 88);
	ck_assert_uint_eq(a.frame_locals, 72);
}
END_TEST

START_TEST(tables_that_cannot_be)
{
	/* of these each is refused outside of its struct; the others are not read */
	static const size_t read[] = { 1, 2, 3, 4, 5, 11 };
	struct plop_layout l = layout_of(0x030f, 0);
	struct plop_async a = { .task_coro = 7 };
	uint64_t table[ARRAY_SIZE(table_3_14)];

	for (size_t i = 0; i < ARRAY_SIZE(read); i++) {
		static const uint64_t wrong[] = { 0, 8, UINT64_MAX, 1u << 16, 168 * 8 };

		for (size_t k = 0; k < ARRAY_SIZE(wrong); k++) {
			memcpy(table, table_3_14, sizeof(table));
			table[read[i]] = wrong[k];
			ck_assert_int_eq(async_layout(&l, table, &a), -EBADMSG);
		}
	}
	memcpy(table, table_3_14, sizeof(table));
	table[0] = table[9] = 1u << 20;
	ck_assert_int_eq(async_layout(&l, table, &a), -EBADMSG);
	/* the kernel would not have the end of the stack in what it reads of a frame */
	l.frame_len = 64;
	ck_assert_int_eq(async_layout(&l, table_3_14, &a), -EBADMSG);
	ck_assert_uint_eq(a.task_coro, 7);
}
END_TEST

CHECK_MAIN("async", versions, offsets, tables_that_cannot_be);
