/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An index into an array that its user owns: from a hash to the numbers of the items that have it.
 * The user compares, since it alone knows what an item is:
 *
 * 	for (uint32_t at = index_start(&x, hash); index_next(&x, hash, &at, &i);)
 * 		if (items[i].key == key)
 * 			return i;
 *
 * All zero is an empty one. Open addressing with linear probing, at most 3/4 full. Nothing is taken
 * out but all at once.
 */
struct index {
	struct index_slot *slots;
	uint32_t mask; /* the number of slots, a power of two, less one; 0: there are none */
	uint32_t used;
};

struct index_slot {
	uint32_t hash;
	uint32_t number; /* + 1; 0: empty */
};

/* How many items one can have: the numbers of all are below. */
#define INDEX_MAX (UINT32_C(3) << 29)

/* Set once, when the program starts, from the kernel's random numbers. */
struct index_secret {
	uint64_t numbers[2];
	uint8_t bytes[192]; /* as long as XXH3's own */
};
extern struct index_secret index_secret;

/*
 * Hashes: of two numbers, and of bytes. Who does not know the secret cannot make up keys that share
 * slots, so that the keys may be a target's. They differ from run to run: nothing may be ordered by
 * them, or be kept.
 */
static inline uint32_t index_hash(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 m = a ^ index_secret.numbers[0];
	uint64_t h;

	m *= b ^ index_secret.numbers[1];
	h = (uint64_t)(m >> 64) ^ (uint64_t)m;
	/* what is alike in its low bits, as addresses are, is not in the high bits of this */
	h = (h ^ h >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 32);
}
uint32_t index_hash_bytes(const void *data, size_t size);

/* Where a search begins, and its next item. False: there are no more; *ret_number is left alone. */
static inline uint32_t index_start(const struct index *x, uint32_t hash)
{
	return hash & x->mask;
}

static inline bool index_next(const struct index *x, uint32_t hash, uint32_t *at,
			      uint32_t *ret_number)
{
	if (!x->slots)
		return false;
	for (;;) {
		const struct index_slot *s = &x->slots[*at];

		if (!s->number)
			return false;
		*at = (*at + 1) & x->mask;
		if (s->hash == hash) {
			*ret_number = s->number - 1;
			return true;
		}
	}
}

/*
 * Makes room for n more items. -ENOMEM: also where there would be more than INDEX_MAX; then nothing
 * has changed.
 */
int index_reserve(struct index *x, uint32_t n);

/* Adds an item, for which there must be room; it may be there already. number < INDEX_MAX. */
void index_add(struct index *x, uint32_t hash, uint32_t number);

/* Memory held, in bytes. */
static inline size_t index_bytes(const struct index *x)
{
	return x->slots ? ((size_t)x->mask + 1) * sizeof(*x->slots) : 0;
}

/* Frees the memory; leaves it empty. */
void index_done(struct index *x);
