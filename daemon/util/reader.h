/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/*
 * How anything of a target is read: memory, or a file by offset. Live it is process_vm_readv() or pread(), in unit
 * tests and fuzzers a byte array. read() fills all of [address, address + size) or returns a negative errno
 * and leaves buffer undefined; there are no short reads. What it returns may change from call to call. read_parts() fills all
 * parts, one after the other, or fails; NULL: there is no quicker way than one read() for each.
 */
struct reader_part {
	uint64_t address;
	void *buffer;
	size_t size;
};
#define READER_PARTS_MAX 8

struct reader {
	int (*read)(void *ctx, uint64_t address, void *buffer, size_t size);
	int (*read_parts)(void *ctx, const struct reader_part *parts, size_t n);
	void *ctx;
};

static inline int reader_read(const struct reader *r, uint64_t address, void *buffer, size_t size)
{
	return r->read(r->ctx, address, buffer, size);
}

static inline int reader_u64(const struct reader *r, uint64_t address, uint64_t *ret)
{
	return r->read(r->ctx, address, ret, sizeof(*ret));
}

/* n: at most READER_PARTS_MAX. */
static inline int reader_read_parts(const struct reader *r, const struct reader_part *parts,
				    size_t n)
{
	int q = 0;

	if (r->read_parts)
		return r->read_parts(r->ctx, parts, n);
	for (size_t i = 0; i < n && q >= 0; i++)
		q = reader_read(r, parts[i].address, parts[i].buffer, parts[i].size);
	return q;
}
