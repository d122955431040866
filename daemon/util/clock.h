/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <time.h>

#include "util/macro.h"

/*
 * Nanoseconds of a clock: CLOCK_REALTIME since 1970 (0 when it is set to a time before that),
 * CLOCK_MONOTONIC and CLOCK_BOOTTIME since boot.
 */
static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	if (ts.tv_sec < 0)
		return 0;
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}
