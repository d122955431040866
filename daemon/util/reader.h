/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/*
 * How anything of a target is read: memory, or a file by offset. Live it is process_vm_readv() or pread(), in unit
 * tests and fuzzers a byte array. read() fills all of [address, address + size) or returns a negative errno
 * and leaves buffer undefined; there are no short reads. What it returns may change from call to call.
 */
struct reader {
	int (*read)(void *ctx, uint64_t address, void *buffer, size_t size);
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
