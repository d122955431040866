/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/* One of several reads. */
struct reader_part {
	uint64_t address;
	void *buffer;
	size_t size;
	int result; /* 0 or a negative errno */
};

/*
 * How anything of a target is read: memory, or a file by offset. Live it is process_vm_readv() or
 * pread(), in unit tests and fuzzers a byte array. read() fills all of [address, address + size) or
 * returns a negative errno and leaves buffer undefined; there are no short reads. What it returns
 * may change from call to call. read_parts() fills what it can, one part after the other; NULL:
 * there is no quicker way than one read() for each.
 */
struct reader {
	int (*read)(void *ctx, uint64_t address, void *buffer, size_t size);
	void (*read_parts)(void *ctx, struct reader_part *parts, size_t n);
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

/* Returns the first result that is not 0, if any. */
static inline int reader_read_parts(const struct reader *r, struct reader_part *parts, size_t n)
{
	if (r->read_parts)
		r->read_parts(r->ctx, parts, n);
	for (size_t i = 0; i < n && !r->read_parts; i++)
		parts[i].result = reader_read(r, parts[i].address, parts[i].buffer, parts[i].size);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].result < 0)
			return parts[i].result;
	}
	return 0;
}
