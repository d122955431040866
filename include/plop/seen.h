/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * What is remembered of the code objects that ticks have met lately, in the word of plop_seen_set,
 * and when they are read:
 *
 *  - the fingerprint that was read last (PLOP_FINGERPRINT_BITS, from bit 0);
 *  - PLOP_SEEN_TWICE: a second stack of this half had it, and it was read for that, too;
 *  - PLOP_SEEN_LOOSE: its address is one that changes, so it is read at each tick;
 *  - since when it has been that one, in plop_seconds;
 *  - the half in which it was met last, in plop_active.
 */
#include "plop/layout.h"
#include "plop/places.h"

#define PLOP_SEEN_TWICE             0x40000000u
#define PLOP_SEEN_LOOSE             0x80000000u
#define PLOP_SEEN_FINGERPRINT(word) ((__u32)(word)&PLOP_FINGERPRINT_BITS)
#define PLOP_SEEN_SINCE(word)       ((__u32)((word) >> 32) & PLOP_SEEN_MASK)
#define PLOP_SEEN_HALF(word)        ((__u32)((word) >> 48))
#define PLOP_SEEN_MASK              0xffffu
/* bits: the fingerprint and PLOP_SEEN_* */
#define PLOP_SEEN_WORD(bits, since, half)                        \
	((__u64)(bits) | (__u64)((since)&PLOP_SEEN_MASK) << 32 | \
	 (__u64)((half)&PLOP_SEEN_MASK) << 48)

/*
 * A code object has settled that has been the same for PLOP_SETTLED_SECONDS, and was met in one of
 * the last PLOP_SETTLED_HALVES halves.
 */
#define PLOP_SETTLED_SECONDS 10
#define PLOP_SETTLED_HALVES  16

/*
 * Whether a CPU's n-th tick is one of those that read all code of their stack that has not settled:
 * one in 16. By the golden ratio they are 13, 21 or 34 apart, so a rate of its own that a program
 * has does not always miss them, and the share is the same among those whose time is taken.
 */
static inline __attribute__((always_inline)) int plop_reads_all(__u64 n)
{
	return (__u32)n * 0x9e3779b1u >> 28 == 0;
}

/*
 * The innermost frames of a stack, whose code is read at each tick until it has settled: functions
 * that are made, called and freed at once are near the leaf.
 */
#define PLOP_READ_INNERMOST 3u

_Static_assert(PLOP_SETTLED_SECONDS * 2 < PLOP_SEEN_MASK &&
		       PLOP_SETTLED_HALVES * 2 < PLOP_SEEN_MASK,
	       "seconds and halves that are compared are of the same round");

/* Has the code object of this key read at each tick from now on, until it settles again. */
static inline void plop_seen_loosen(struct plop_seen_set *set, __u64 key, __u32 seconds)
{
	for (__u32 i = 0; i < 2; i++) {
		__u64 word = set->way[i].word;

		if ((set->way[i].key ^ word) != key)
			continue;
		word = PLOP_SEEN_WORD(PLOP_SEEN_FINGERPRINT(word) | PLOP_SEEN_LOOSE, seconds,
				      PLOP_SEEN_HALF(word));
		set->way[i].key = key ^ word;
		set->way[i].word = word;
	}
}
