/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "examiner/readings.h"
#include "examiner/wire.h"
#include "proc/process.h"

#define BASE 0x1000

/* A section of what was read of memory by reads, of which each is an address and a size. */
static void section(struct buf *b, const struct reader *memory, const uint64_t (*reads)[2],
		    size_t n)
{
	struct recorder recorder = { .from = *memory, .to = b };
	const struct reader r = recorder_reader(&recorder);
	size_t at = b->size;
	uint32_t size;
	char bytes[64];

	pack_u32(b, 0);
	for (size_t i = 0; i < n; i++)
		(void)reader_read(&r, reads[i][0], bytes, reads[i][1]);
	size = (uint32_t)(b->size - at - sizeof(size));
	memcpy(b->data + at, &size, sizeof(size));
}

static int keep(struct buf *b, const struct plop_frame *frames, size_t n, struct readings **ret)
{
	const struct unpack body = { .data = b->data, .size = b->size, .message = b };

	return readings_new(&body, frames, n, ret);
}

START_TEST(what_was_read_is_read_again)
{
	const struct reader_bytes m = { "0123456789abcdef", 16, BASE };
	const struct reader memory = bytes_reader(&m);
	const uint64_t first[][2] = { { BASE, 4 }, { BASE + 100, 4 } },
		       second[][2] = { { BASE + 8, 8 } };
	const struct plop_frame frames[] = { { .code = 500, .instr = 3 },
					     { .code = 400, .instr = 1 } };
	_cleanup_buf_ struct buf b = {};
	_cleanup_(readings_freep) struct readings *r = NULL;
	struct replay p;
	struct reader again;
	char bytes[8];

	section(&b, &memory, first, 2);
	section(&b, &memory, second, 1);
	section(&b, &memory, first, 1);
	ck_assert_int_eq(keep(&b, frames, 2, &r), 0);
	again = readings_of_confirmation(r, &p);
	ck_assert_int_eq(reader_read(&again, BASE, bytes, 4), 0);
	ck_assert_mem_eq(bytes, "0123", 4);
	ck_assert_int_eq(reader_read(&again, BASE + 100, bytes, 4), -EFAULT);
	/* nobody tried */
	ck_assert_int_eq(reader_read(&again, BASE, bytes, 5), -EAGAIN);
	ck_assert_int_eq(reader_read(&again, BASE + 8, bytes, 8), -EAGAIN);
	again = readings_of_code(r, &frames[0], &p);
	ck_assert_int_eq(reader_read(&again, BASE + 8, bytes, 8), 0);
	ck_assert_mem_eq(bytes, "89abcdef", 8);
	/* another place in the same code object */
	again = readings_of_code(r, &(struct plop_frame){ .code = 400, .instr = 9 }, &p);
	ck_assert_int_eq(reader_read(&again, BASE, bytes, 4), 0);
	again = readings_of_code(r, &(struct plop_frame){ .code = 450 }, &p);
	ck_assert_int_eq(reader_read(&again, BASE, bytes, 4), -EAGAIN);
	again = readings_of_code(NULL, &frames[0], &p);
	ck_assert_int_eq(reader_read(&again, BASE, bytes, 4), -EAGAIN);
}
END_TEST

/* Two readings that differ stay two: what makes sense of them has to notice. */
START_TEST(a_difference_between_two_readings_is_kept)
{
	char changing[] = "before";
	const struct reader_bytes m = { changing, 6, BASE };
	struct recorder recorder;
	_cleanup_buf_ struct buf b = {};
	_cleanup_(readings_freep) struct readings *r = NULL;
	struct replay p;
	struct reader live, again;
	uint32_t size;
	char bytes[8] = "";

	pack_u32(&b, 0);
	recorder = (struct recorder){ .from = bytes_reader(&m), .to = &b };
	live = recorder_reader(&recorder);
	ck_assert_int_eq(reader_read(&live, BASE, bytes, 6), 0);
	memcpy(changing, "after!", 6);
	ck_assert_int_eq(reader_read(&live, BASE, bytes, 6), 0);
	size = (uint32_t)(b.size - sizeof(size));
	memcpy(b.data, &size, sizeof(size));
	ck_assert_int_eq(keep(&b, NULL, 0, &r), 0);
	again = readings_of_confirmation(r, &p);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(reader_read(&again, BASE, bytes, 6), 0);
		ck_assert_str_eq(bytes, "before");
		ck_assert_int_eq(reader_read(&again, BASE, bytes, 6), 0);
		ck_assert_str_eq(bytes, "after!");
	}
}
END_TEST

/* Whatever came is either refused, or can be read without a byte beyond it. */
START_TEST(messages_that_are_cut_or_forged_do_no_harm)
{
	const struct reader_bytes m = { "0123456789abcdef", 16, BASE };
	const struct reader memory = bytes_reader(&m);
	const uint64_t reads[][2] = { { BASE, 4 }, { BASE + 8, 8 } };
	const struct plop_frame frame = { .code = 400 };
	_cleanup_buf_ struct buf b = {};
	unsigned int seed = 1;

	section(&b, &memory, reads, 2);
	section(&b, &memory, reads, 2);
	for (size_t i = 0; i < 20000; i++) {
		size_t size = i <= b.size ? i : b.size;
		_cleanup_buf_ struct buf copy = {};
		struct readings *r = NULL;
		struct replay p;
		struct reader again;
		char bytes[8];
		int k;

		/* of that size, for the sanitizer */
		copy.data = malloc(size + !size);
		copy.size = copy.allocated = size;
		memcpy(copy.data, b.data, size);
		if (i > b.size)
			copy.data[(unsigned int)rand_r(&seed) % size] = (char)rand_r(&seed);
		k = keep(&copy, &frame, 1, &r);
		ck_assert(k == 0 || k == -EBADMSG);
		ck_assert_int_eq(copy.data == NULL, k == 0);
		again = readings_of_confirmation(r, &p);
		k = reader_read(&again, BASE + 8, bytes, 8);
		ck_assert_int_le(k, 0);
		again = readings_of_code(r, &frame, &p);
		k = reader_read(&again, BASE + 8, bytes, 8);
		ck_assert_int_le(k, 0);
		readings_free(r);
	}
}
END_TEST

CHECK_MAIN("examiner/readings", what_was_read_is_read_again,
	   a_difference_between_two_readings_is_kept, messages_that_are_cut_or_forged_do_no_harm);
