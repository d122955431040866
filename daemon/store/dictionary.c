/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/dictionary.h"

#include <xxhash.h>

#include "util/index.h"

/*
 * What was seen lately. Each has one of SEEN_WAYS places from the one on that its hash says, the
 * first that was empty. Where half of all places are taken, or all that one may have, there become
 * twice as many, up to 2 MB; from then on, where all of its places are taken, one gets that which
 * was not used for the longest time. A node that is forgotten costs those below it as well, so
 * there should be room for all that some dozens of windows have.
 */
#define SEEN_LEAST 4096
#define SEEN_MOST  131072
#define SEEN_WAYS  16
struct seen {
	uint64_t key;
	uint32_t number; /* 0: empty */
	uint32_t used;   /* dictionary.clock << 3 | enum dictionary_part */
};
#define SEEN_PART 7u

uint64_t dictionary_hash(int64_t seed, int64_t id, const int64_t *numbers, unsigned int n,
			 const void *data, size_t size)
{
	uint64_t head[2] = { (uint64_t)id, XXH3_64bits_withSeed(data, size, (uint64_t)seed) };
	uint64_t all = XXH3_64bits_withSeed(head, sizeof(head), (uint64_t)seed);

	return XXH3_64bits_withSeed(numbers, n * sizeof(*numbers), all);
}

int dictionary_begin(struct dictionary *d, int64_t id)
{
	struct seen *seen = calloc(SEEN_LEAST, sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	dictionary_end(d);
	*d = (struct dictionary){ .id = id, .seen = seen, .places = SEEN_LEAST };
	return 0;
}

void dictionary_end(struct dictionary *d)
{
	free(d->seen);
	*d = (struct dictionary){};
}

bool dictionary_is_full(const struct dictionary *d, unsigned int windows)
{
	for (unsigned int i = 0; i < DICTIONARY_PARTS; i++) {
		if (d->numbers[i] >= DICTIONARY_FULL)
			return true;
	}
	return d->windows >= windows;
}

void dictionary_tick(struct dictionary *d)
{
	d->clock++;
}

static bool is(const struct seen *s, enum dictionary_part part, uint64_t key)
{
	return s->key == key && (s->used & SEEN_PART) == part;
}

/* Keys that follow each other must not have places that do. */
static uint32_t hash_of(enum dictionary_part part, uint64_t key)
{
	uint64_t all[2] = { key, part };

	return index_hash_bytes(all, sizeof(all));
}

/* The place that has the key, or where it is to be put: an empty one, or that of the oldest. */
static struct seen *find(struct seen *seen, uint32_t places, enum dictionary_part part,
			 uint64_t key)
{
	uint32_t at = hash_of(part, key);
	struct seen *oldest = &seen[at & (places - 1)];

	for (uint32_t i = 0; i < SEEN_WAYS; i++) {
		struct seen *s = &seen[(at + i) & (places - 1)];

		if (!s->number || is(s, part, key))
			return s;
		if (s->used < oldest->used)
			oldest = s;
	}
	return oldest;
}

/* Twice as many places; without the memory for it all stays as it is. */
static void grow(struct dictionary *d)
{
	uint32_t places = d->places * 2;
	struct seen *seen = calloc(places, sizeof(*seen));

	if (!seen)
		return;
	d->taken = 0;
	for (uint32_t i = 0; i < d->places; i++) {
		const struct seen *s = &d->seen[i];
		struct seen *to;

		if (!s->number)
			continue;
		to = find(seen, places, s->used & SEEN_PART, s->key);
		d->taken += !to->number;
		*to = *s;
	}
	free(d->seen);
	d->seen = seen;
	d->places = places;
}

bool dictionary_number(struct dictionary *d, enum dictionary_part part, uint64_t key, uint32_t *ret)
{
	struct seen *s = find(d->seen, d->places, part, key);
	uint32_t used = d->clock << 3 | part;

	if (s->number && is(s, part, key)) {
		s->used = used;
		*ret = s->number;
		return true;
	}
	if ((s->number || d->taken > d->places / 2) && d->places < SEEN_MOST) {
		grow(d);
		s = find(d->seen, d->places, part, key);
	}
	*ret = ++d->numbers[part];
	d->taken += !s->number;
	*s = (struct seen){ key, *ret, used };
	return false;
}
