/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/*
 * Makes room for one more in an array of n items of size bytes each, which has room for *room: it
 * doubles. The address is in *array, and may change. -ENOMEM: nothing has changed.
 */
static inline int array_reserve(void **array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t want = *room ? *room * 2 : 16;
	void *p;

	if (n < *room)
		return 0;
	if (*room >= UINT32_C(1) << 30)
		return -ENOMEM;
	p = reallocarray(*array, want, size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*room = want;
	return 0;
}
