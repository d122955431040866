/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of offsets, and code objects read by whatever layout passes the check, out of memory that
 * the input describes.
 */
#include "fuzz.h"
#include "proc/process.h"
#include "python/python.h"

/* Low enough for pointers that the fuzzer makes up, 8-byte aligned. */
#define BASE 0x4000

/* What an _asyncio module says of itself: offsets that fit in their struct, or nothing. */
static void read_async(const struct plop_layout *l, const uint8_t *data, size_t size)
{
	struct plop_async a = {};

	if (size >= ASYNC_TABLE_SIZE && async_layout(l, data, &a) == 0)
		FUZZ_ASSERT(async_is_possible(l) && a.task_coro >= 16 &&
			    a.frame_stack + 4 <= l->frame_len);
}

static void read_code(const struct plop_layout *l, const uint8_t *data, size_t size)
{
	const struct reader_bytes m = { .data = data, .size = size, .base = BASE };
	struct reader r = bytes_reader(&m);
	struct code_object *c = NULL;
	uint32_t fingerprint = 0, only = 0;

	if (code_object_read(&r, l, BASE, &c, &fingerprint) == 0) {
		FUZZ_ASSERT(c && c->file && c->name && fingerprint != 0);
		FUZZ_ASSERT(code_object_fingerprint(&r, l, BASE, &only) == 0 &&
			    only == fingerprint);
		code_object_unref(c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t versions[] = { 0x030800f0, 0x030900f0, 0x030a00f0, 0x030b00f0,
					     0x030c00f0, 0x020712f0, 0x030610f0, 0x030710f0 };
	struct plop_layout l;
	uint32_t hexversion;
	uint8_t how;

	if (!fuzz_take(&data, &size, &how, sizeof(how)))
		return 0;
	if (how % 8 < 3) {
		hexversion = 0x030d00f0 + ((uint32_t)(how % 8) << 16);
		if (layout_by_debug_offsets(data, size, hexversion, &l) == 0) {
			FUZZ_ASSERT(layout_check(&l) == 0 && l.version == hexversion >> 16);
			read_code(&l, data, size);
		}
	} else if (how % 8 == 3) {
		if (fuzz_take(&data, &size, &l, sizeof(l)) && layout_check(&l) == 0) {
			read_async(&l, data, size);
			read_code(&l, data, size);
		}
	} else {
		FUZZ_ASSERT(layout_by_version(versions[how / 8 % ARRAY_SIZE(versions)], &l) == 0);
		read_code(&l, data, size);
	}
	return 0;
}
