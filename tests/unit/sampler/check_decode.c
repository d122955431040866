/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "sampler/decode.h"

START_TEST(short_records)
{
	struct plop_record_exec r = { .head.type = PLOP_RECORD_EXEC };

	for (size_t n = 0; n < sizeof(r); n++)
		ck_assert_int_eq(record_check(&r, n), -EBADMSG);
	ck_assert_int_eq(record_check(&r, sizeof(r)), 0);
	r.head.type = PLOP_RECORD_EXIT;
	ck_assert_int_eq(record_check(&r, sizeof(r.head)), 0);
}
END_TEST

START_TEST(types)
{
	/* too small for one that tells of an exec */
	struct plop_record_fork r = {};

	for (uint32_t type = 0; type < 64; type++) {
		r.head.type = type;
		if ((type > PLOP_RECORD_EXEC && type <= PLOP_RECORD_PRESSURE &&
		     type != PLOP_RECORD_CODE) ||
		    type == PLOP_RECORD_THREAD || type == PLOP_RECORD_STATE ||
		    type == PLOP_RECORD_RENAME || type == PLOP_RECORD_PERIOD)
			ck_assert_int_eq(record_check(&r, sizeof(r)), 0);
		else
			ck_assert_int_eq(record_check(&r, sizeof(r)), -EBADMSG);
	}
	r.head.type = PLOP_RECORD_FORK;
	ck_assert_int_eq(record_check(&r, sizeof(r) - 1), -EBADMSG);
}
END_TEST

START_TEST(code_lengths)
{
	char data[sizeof(struct plop_record_code) + 30] = {};
	struct plop_record_code *r = (struct plop_record_code *)data;

	r->head.type = PLOP_RECORD_CODE;
	r->code = 0x7f0000001000;
	r->file_bytes = 10;
	r->name_bytes = 15;
	r->linetable_bytes = 5;
	ck_assert_int_eq(record_check(data, sizeof(data)), 0);
	ck_assert_int_eq(record_check(data, sizeof(data) - 1), -EBADMSG);
	r->linetable_bytes = 6;
	ck_assert_int_eq(record_check(data, sizeof(data)), -EBADMSG);
	r->file_bytes = r->name_bytes = r->linetable_bytes = UINT16_MAX;
	ck_assert_int_eq(record_check(data, sizeof(data)), -EBADMSG);
	r->file_bytes = r->name_bytes = r->linetable_bytes = 10;
	ck_assert_int_eq(record_check(data, sizeof(data)), 0);
	r->code = 0;
	ck_assert_int_eq(record_check(data, sizeof(data)), -EBADMSG);
}
END_TEST

START_TEST(task_names)
{
	char data[sizeof(struct plop_record_task) + 10] = {};
	struct plop_record_task *r = (struct plop_record_task *)data;

	r->head.type = PLOP_RECORD_TASK;
	r->code = PLOP_SYNTHETIC(PLOP_SYNTHETIC_NAMED, 5);
	r->bytes = 10;
	ck_assert_int_eq(record_check(data, sizeof(data)), 0);
	ck_assert_int_eq(record_check(data, sizeof(data) - 1), -EBADMSG);
	ck_assert_int_eq(record_check(data, sizeof(*r) - 1), -EBADMSG);
	r->bytes = UINT32_MAX;
	ck_assert_int_eq(record_check(data, sizeof(data)), -EBADMSG);
	r->bytes = 0;
	ck_assert_int_eq(record_check(data, sizeof(*r)), 0);
	/* an address stands for a code object, never for a name */
	r->code = 0x7f0000001000;
	ck_assert_int_eq(record_check(data, sizeof(data)), -EBADMSG);
}
END_TEST

START_TEST(stacks)
{
	struct plop_half *half = calloc(1, sizeof(*half));

	ck_assert_ptr_nonnull(half);
	half->nframes = UINT32_MAX;
	half->stacks[3] = (struct plop_stack){ .frames = PLOP_HALF_FRAMES - 10, .depth = 10 };
	ck_assert_int_eq(stack_check(half, 3), 0);
	/* what lies behind those that the half has is of an earlier one, and may not be mapped */
	half->nframes = PLOP_HALF_FRAMES;
	ck_assert_int_eq(stack_check(half, 3), 0);
	half->nframes--;
	ck_assert_int_eq(stack_check(half, 3), -EBADMSG);
	half->nframes = UINT32_MAX;
	half->stacks[3].depth = 11;
	ck_assert_int_eq(stack_check(half, 3), -EBADMSG);
	half->stacks[3] = (struct plop_stack){ .frames = UINT32_MAX, .depth = 2 };
	ck_assert_int_eq(stack_check(half, 3), -EBADMSG);
	half->stacks[3] = (struct plop_stack){ .frames = 0, .depth = PLOP_MAX_DEPTH + 1 };
	ck_assert_int_eq(stack_check(half, 3), -EBADMSG);
	ck_assert_int_eq(stack_check(half, PLOP_HALF_STACKS), -EBADMSG);
	free(half);
}
END_TEST

START_TEST(threads_of_stacks)
{
	struct plop_half *half = calloc(1, sizeof(*half));

	ck_assert_ptr_nonnull(half);
	half->stacks[3] = (struct plop_stack){ .frames = 0, .depth = 10 };
	half->nstacks = 4;
	half->nframes = 10;
	half->threads[5] = (struct plop_stack_thread){ .tid = 1, .count = 1, .stack = 3 };
	ck_assert_int_eq(stack_thread_check(half, 5), 0);
	/* not one of this half's: what an earlier one left behind */
	half->threads[5].stack = 4;
	ck_assert_int_eq(stack_thread_check(half, 5), -EBADMSG);
	half->threads[5].stack = UINT16_MAX;
	half->nstacks = UINT32_MAX;
	ck_assert_int_eq(stack_thread_check(half, 5), -EBADMSG);
	half->threads[5].stack = 3;
	half->stacks[3].depth = PLOP_MAX_DEPTH + 1;
	ck_assert_int_eq(stack_thread_check(half, 5), -EBADMSG);
	ck_assert_int_eq(stack_thread_check(half, PLOP_HALF_THREADS), -EBADMSG);
	free(half);
}
END_TEST

CHECK_MAIN("decode", short_records, types, code_lengths, task_names, stacks, threads_of_stacks);
