/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * Rules that the BPF programs and plopd both follow, each stated once: where in the tables that
 * they share something lies, how it is put there, and how much of it one user may have.
 */
#include "plop/events.h"
#include "plop/mix.h"

/* By plop_active: the half that ticks go to, and the one that user space owns. */
#define PLOP_HALF_FILLING(active) ((active)&1)
#define PLOP_HALF_IDLE(active)    (((active)&1) ^ 1)

/* The bit of a channel in the words of a plop_filter, and its place in plop_half.channels. */
#define PLOP_CHANNEL_PLACE(channel)       ((channel)-1)
#define PLOP_CHANNEL_BIT(channel)         (1ULL << PLOP_CHANNEL_PLACE(channel))
#define PLOP_CHANNEL_IS_IN(word, channel) ((word) >> PLOP_CHANNEL_PLACE(channel) & 1)

/* Whose room of a half a recording takes: its user's, 0 being the trusted. */
#define PLOP_PART_OF(budget) ((budget) ? (budget) : PLOP_PART_TRUSTED)

/* Thread states: by this key, in this bucket; in a full one the key says whose place it takes. */
#define PLOP_THREAD_KEY(image, thread) plop_mix((image) ^ (thread))
#define PLOP_THREAD_BUCKET(key)        ((__u32)(key) & (PLOP_THREAD_BUCKETS - 1))
#define PLOP_THREAD_WAY(key)           ((__u32)((key) >> 32) & (PLOP_THREAD_WAYS - 1))

/* Code objects whose identity was sent: by this key, in this set. */
#define PLOP_SEEN_KEY(image, code) plop_mix((image) ^ (code))
#define PLOP_SEEN_SET(key)         ((__u32)(key) & (PLOP_SEEN_SETS - 1))

/*
 * The GIL's state: whether it is known where a layout has it, and whether at that place there is a
 * pointer to it, in the interpreter, or the state itself, in the runtime. Whoever waits for the
 * GIL waits on a futex that PLOP_GIL_HAS().
 */
#define PLOP_GIL_IS_KNOWN(layout) \
	((layout)->gil_where != PLOP_GIL_UNKNOWN && !(layout)->free_threaded)
#define PLOP_GIL_IS_POINTED(layout)      ((layout)->gil_where == PLOP_GIL_POINTER)
#define PLOP_GIL_PLACE(layout, base)     ((base) + (layout)->gil_at)
#define PLOP_GIL_HAS(layout, gil, futex) ((futex) - (gil) < (layout)->gil_size)

/* Launches of root's have places of their own. */
#define PLOP_LAUNCH_PLACE(launch, uid) \
	((__u32)(launch) % (PLOP_LAUNCHES / 2) + ((uid) ? PLOP_LAUNCHES / 2 : 0))

/* What a place has to say of a launch: one that is being written says nothing. */
static inline __attribute__((always_inline)) __u64 plop_launch_check(const struct plop_launch *l,
								     __u64 launch)
{
	__u64 h = plop_mix(plop_mix(plop_mix(launch ^ l->offset) ^ l->until) ^ l->layout);

	return plop_mix(plop_mix(h ^ l->list) ^ l->dynamic);
}

/* plop_sleeper.key. */
#define PLOP_SLEEPER_KEY(tgid, tid) ((__u64)(__u32)(tgid) << 32 | (__u32)(tid))
#define PLOP_SLEEPER_TGID(key)      ((__u32)((key) >> 32))
#define PLOP_SLEEPER_TID(key)       ((__u32)(key))

/*
 * Whether one user may have one more of what there are most of for all users: as many as are then
 * left to the others, so at most half, and whoever comes later still finds some. Signed, as counts
 * that both sides change may rarely be below 0 for a moment.
 */
static inline __attribute__((always_inline)) int plop_user_may(__s64 own, __s64 all, __s64 most)
{
	return own + all < most;
}

/* A process, or another program of one, began at now (kernel time). */
static inline __attribute__((always_inline)) void plop_process_begin(struct plop_process *p,
								     __u64 now)
{
	p->image = now;
	p->asked = now;
	p->wait = PLOP_WAIT_FIRST_NS;
}

#define PLOP_IS_POWER_OF_TWO(n) ((n) > 0 && ((n) & ((n)-1)) == 0)

/* What is found by a mask. */
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_THREAD_BUCKETS), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_THREAD_WAYS), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_SEEN_SETS), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_HALF_INDEX), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_HALF_THREADS), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_HALF_LOSSES), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_PARTS), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_USER_PLACES), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_LAUNCHES), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_MAX_SLEEPERS), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_MAX_CHANNELS), "masked");
_Static_assert(PLOP_IS_POWER_OF_TWO(PLOP_SECONDS_MASK + 1), "a mask");

/* What has to hold a number. */
_Static_assert(PLOP_HALF_STACKS < 0xffff, "an entry of index has 16 bits for number + 1");
_Static_assert(PLOP_HALF_THREADS < 0xffff, "so has one of thread_index");
_Static_assert(PLOP_HALF_STACKS <= PLOP_HALF_INDEX && PLOP_HALF_THREADS <= PLOP_HALF_INDEX,
	       "each has a place there");
_Static_assert(PLOP_HALF_FRAMES >= PLOP_MAX_DEPTH && PLOP_HALF_FRAMES / 8 <= 0xffff,
	       "the deepest stack has room in an empty half; a plop_part has 16 bits");
_Static_assert(PLOP_MAX_CHANNELS <= 32, "plop_filter.off_cpu has 32 bits");
_Static_assert(PLOP_USER_PLACES <= 0xffff, "plop_process.user has 16");
_Static_assert(PLOP_EIGHTHS_TRUSTED + PLOP_EIGHTHS_USERS < 8, "what is always on has some left");
_Static_assert(PLOP_MAX_USERS_PROCESSES < PLOP_MAX_PROCESSES, "root has some left");
_Static_assert(PLOP_MAX_USERS_SLEEPERS < PLOP_MAX_SLEEPERS, "the trusted have some left");
/* the low bits of a thread state's address, which is a multiple of 8 */
_Static_assert((PLOP_THREAD_SUB & PLOP_STATE_BITS) == PLOP_THREAD_SUB &&
		       (PLOP_NO_STATE(0, 0, 0) & PLOP_STATE_BITS & ~PLOP_THREAD_SUB) != 0,
	       "an address, one that is of a sub-interpreter, and none are told apart");

_Static_assert(__builtin_offsetof(struct plop_thread_bucket, state) == 8 * PLOP_THREAD_WAYS &&
		       sizeof(struct plop_thread_bucket) == 64,
	       "a bucket is one line");
_Static_assert(__builtin_offsetof(struct plop_cpu, half) <= 128,
	       "what every tick touches is in the first two lines");
_Static_assert(__builtin_offsetof(struct plop_half, counters) == 16, "behind the numbers");
