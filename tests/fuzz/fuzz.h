/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/* What libFuzzer calls with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes size bytes off the front of the input; false: it has not that many. */
static inline _unused_ int fuzz_take(const uint8_t **data, size_t *left, void *to, size_t size)
{
	if (*left < size)
		return 0;
	memcpy(to, *data, size);
	*data += size;
	*left -= size;
	return 1;
}

/* A property that must hold for every input. */
#define FUZZ_ASSERT(condition)                                                           \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, \
				#condition);                                             \
			abort();                                                         \
		}                                                                        \
	} while (0)
