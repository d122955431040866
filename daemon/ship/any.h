/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sys/random.h>

#include "util/clock.h"

/* A number from 0 to bound, so that not all hosts do at once what all of them do. */
static inline uint64_t any_below(uint64_t bound)
{
	uint64_t n = 0;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
		n = clock_ns(CLOCK_MONOTONIC);
	return n % (bound + 1);
}
