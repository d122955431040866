/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/*
 * Spreads x over 64 bits; never 0, which marks an empty entry. Both sides find a thread's state and
 * a code object by it in tables that they share.
 */
static inline __attribute__((always_inline)) __u64 plop_mix(__u64 x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	return x ? x : 1;
}
