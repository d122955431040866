/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/mman.h>

#include "plop/places.h"
#include "sampler/private.h"
#include "util/clock.h"

/*
 * How long it is believed that a thread has no state, which user space says when it has looked at
 * all.
 */
#define NONE_LASTS_MS 1000

#define BUCKETS_SIZE (PLOP_THREAD_BUCKETS * sizeof(struct plop_thread_bucket))

int states_map(struct sampler *s)
{
	void *p = mmap(NULL, BUCKETS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(s->skel->maps.threads), 0);

	if (p == MAP_FAILED)
		return -errno;
	s->buckets = p;
	return 0;
}

void states_unmap(struct sampler *s)
{
	if (s->buckets)
		munmap(s->buckets, BUCKETS_SIZE);
}

void sampler_thread_state_set(struct sampler *s, uint64_t image, uint64_t thread, uint64_t state)
{
	uint64_t key = PLOP_THREAD_KEY(image, thread);
	struct plop_thread_bucket *b = &s->buckets[PLOP_THREAD_BUCKET(key)];
	uint32_t way = PLOP_THREAD_WAY(key);

	for (uint32_t i = 0; i < PLOP_THREAD_WAYS; i++) {
		uint64_t there = __atomic_load_n(&b->key[i], __ATOMIC_RELAXED);

		if (there == key || there == 0) {
			way = i;
			break;
		}
	}
	if (!state)
		state = PLOP_NO_STATE(clock_ns(CLOCK_MONOTONIC) / 1000000 + NONE_LASTS_MS, 0ull,
				      PLOP_NO_STATE_SURE);
	else if (state & PLOP_STATE_BITS)
		return; /* no allocator gives such */
	/* so that what is another thread's is never read as this one's: 0 is nothing */
	__atomic_store_n(&b->state[way], 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&b->key[way], key, __ATOMIC_SEQ_CST);
	__atomic_store_n(&b->state[way], state, __ATOMIC_SEQ_CST);
}
