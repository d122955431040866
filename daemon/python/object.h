/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/python.h"

/* What every object of CPython has in common, for the files of this room. */

/* Objects are at least 8-byte aligned and lie in the lower half of the address space. */
static inline bool object_is_address(uint64_t address)
{
	return address >= 4096 && address % 8 == 0 && address < UINT64_C(1) << 56;
}

/*
 * Where an object keeps its type: free-threaded builds have ob_tid, locks and two counts before it
 * (object.h, 3.13 to 3.15).
 */
static inline size_t object_type_at(const struct plop_layout *l)
{
	return l->free_threaded ? 24 : 8;
}

static inline uint64_t object_u64(const uint8_t *p, size_t at)
{
	uint64_t v;

	memcpy(&v, p + at, sizeof(v));
	return v;
}

static inline uint32_t object_u32(const uint8_t *p, size_t at)
{
	uint32_t v;

	memcpy(&v, p + at, sizeof(v));
	return v;
}
