/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/python.h"

/* How many bytes the table of that version has, at most LAYOUT_DEBUG_OFFSETS_MAX; 0: not known. */
size_t debug_offsets_size(uint32_t hexversion);

/* What stands at the start of every version's table, from 3.13 on. */
struct debug_offsets_head {
	char cookie[8];
	uint64_t hexversion;
	uint64_t free_threaded;
};
#define DEBUG_OFFSETS_COOKIE "xdebugpy"
