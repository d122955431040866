/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/index.h"

#include <assert.h>
#include <sys/random.h>
#include <xxhash.h>

#include "util/macro.h"

#define SLOTS_MIN 64

struct index_secret index_secret;

/*
 * Before main(), so that no thread finds it changing. Without random numbers it is made from where
 * the stack lies.
 */
__attribute__((constructor)) static void set_secret(void)
{
	uint64_t words[sizeof(index_secret) / 8], state = (uintptr_t)words;

	if (getrandom(words, sizeof(words), GRND_NONBLOCK) != sizeof(words)) {
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
			state += UINT64_C(0x9e3779b97f4a7c15);
			words[i] = (state ^ state >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
		}
	}
	memcpy(&index_secret, words, sizeof(index_secret));
}

uint32_t index_hash_bytes(const void *data, size_t size)
{
	return (uint32_t)XXH3_64bits_withSecret(data, size, index_secret.bytes,
						sizeof(index_secret.bytes));
}

/* One that is at most 3/4 full has an empty slot for every search to end at. */
static bool is_room(uint64_t slots, uint64_t items)
{
	return items <= slots - slots / 4;
}

static void put(struct index_slot *slots, uint32_t mask, struct index_slot slot)
{
	uint32_t at = slot.hash & mask;

	while (slots[at].number)
		at = (at + 1) & mask;
	slots[at] = slot;
}

int index_reserve(struct index *x, uint32_t n)
{
	uint64_t size = x->slots ? (uint64_t)x->mask + 1 : 0, items = (uint64_t)x->used + n;
	struct index_slot *slots;

	if (x->slots && is_room(size, items))
		return 0;
	if (items > INDEX_MAX)
		return -ENOMEM;
	size = MAX(size, (uint64_t)SLOTS_MIN);
	while (!is_room(size, items))
		size *= 2;
	slots = calloc(size, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint64_t i = 0; x->slots && i <= x->mask; i++) {
		if (x->slots[i].number)
			put(slots, (uint32_t)(size - 1), x->slots[i]);
	}
	free(x->slots);
	x->slots = slots;
	x->mask = (uint32_t)(size - 1);
	return 0;
}

void index_add(struct index *x, uint32_t hash, uint32_t number)
{
	assert(x->slots && is_room((uint64_t)x->mask + 1, (uint64_t)x->used + 1));
	assert(number < INDEX_MAX);
	put(x->slots, x->mask, (struct index_slot){ hash, number + 1 });
	x->used++;
}

void index_done(struct index *x)
{
	free(x->slots);
	*x = (struct index){};
}
