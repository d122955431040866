/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "fuzz.h"
#include "python/python.h"

/* Low enough for pointers that the fuzzer makes up, 8-byte aligned. */
#define HOSTILE_BASE 0x4000

/*
 * The memory of a target that works against its reader. The input's bytes are mapped at
 * HOSTILE_BASE; or, with wrap, everywhere, over and over, so that every pointer leads somewhere and
 * every length can be read. A script of one byte for each read tears: 0 lets the read be true, the
 * highest value lets it fail, any other changes a byte of what is read.
 */
struct hostile {
	const uint8_t *memory;
	size_t size;
	const uint8_t *script;
	size_t nscript;
	bool wrap;
	unsigned int reads;
};

static inline int hostile_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct hostile *h = ctx;
	uint8_t op = h->nscript ? h->script[h->reads % h->nscript] : 0, *to = buffer;

	h->reads++;
	if (size == 0)
		return 0;
	if (op == UINT8_MAX || h->size == 0 || address < 4096 || size > UINT64_MAX - address)
		return -EFAULT;
	if (h->wrap) {
		for (size_t i = 0; i < size;) {
			size_t at = (size_t)((address - HOSTILE_BASE + i) % h->size),
			       n = MIN(size - i, h->size - at);

			memcpy(to + i, h->memory + at, n);
			i += n;
		}
	} else {
		if (address < HOSTILE_BASE || address - HOSTILE_BASE > h->size ||
		    size > h->size - (address - HOSTILE_BASE))
			return -EFAULT;
		memcpy(to, h->memory + (address - HOSTILE_BASE), size);
	}
	if (op)
		to[op % size] ^= op;
	return 0;
}

/*
 * One of the layouts: each table's, one as free-threaded 3.14 has it (heads of objects that are 16
 * bytes larger, and copies of bytecode), or what the input says if it passes the check.
 */
static inline bool hostile_layout(uint8_t which, const uint8_t **data, size_t *size,
				  struct plop_layout *ret)
{
	static const uint32_t versions[] = { 0x020712f0, 0x03060ff0, 0x030710f0, 0x030800f0,
					     0x030900f0, 0x030a00f0, 0x030b00f0, 0x030c00f0 };
	const size_t more = 16;

	which %= ARRAY_SIZE(versions) + 2;
	if (which == ARRAY_SIZE(versions))
		return fuzz_take(data, size, ret, sizeof(*ret)) && layout_check(ret) == 0;
	FUZZ_ASSERT(layout_by_version(versions[MIN(which, ARRAY_SIZE(versions) - 1)], ret) == 0);
	if (which < ARRAY_SIZE(versions))
		return true;
	ret->version = 0x030e;
	ret->free_threaded = 1;
	ret->code_argcount += more;
	ret->code_flags += more;
	ret->code_firstlineno += more;
	ret->code_filename += more;
	ret->code_name += more;
	ret->code_qualname += more;
	ret->code_linetable += more;
	ret->code_fingerprint += more;
	ret->code_len += more;
	ret->code_tlbc = ret->code_linetable + 16;
	ret->code_bytecode += more + 8;
	ret->str_length += more;
	ret->str_state += more;
	ret->str_ascii_data += more;
	ret->str_compact_data += more;
	ret->bytes_size += more;
	ret->bytes_data += more;
	FUZZ_ASSERT(layout_check(ret) == 0);
	return true;
}

/* Takes a script off the input, a byte that counts it before; the rest is memory. */
static inline bool hostile_take(const uint8_t **data, size_t *size, bool wrap, struct hostile *ret)
{
	uint8_t n;

	if (!fuzz_take(data, size, &n, sizeof(n)) || *size < n)
		return false;
	*ret = (struct hostile){ .script = *data, .nscript = n, .wrap = wrap };
	*data += n;
	*size -= n;
	ret->memory = *data;
	ret->size = *size;
	return true;
}
