/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/pending.h"

#define FIRST_NS (2 * NSEC_PER_MSEC)
#define LAST_NS  (2 * NSEC_PER_SEC)

void pendings_done(struct pendings *p)
{
	struct pending *k, *next;

	HASH_ITER(hh, p->all, k, next)
	{
		HASH_DEL(p->all, k);
		free(k);
	}
}

struct pending *pendings_find(const struct pendings *p, const struct target_key *key)
{
	struct pending *k;

	HASH_FIND(hh, p->all, key, sizeof(*key), k);
	return k;
}

struct pending *pendings_get(struct pendings *p, const struct target_key *key)
{
	struct pending *k = pendings_find(p, key);

	if (k || HASH_COUNT(p->all) >= PENDING_MAX)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->key = *key;
	HASH_ADD(hh, p->all, key, sizeof(k->key), k);
	return k;
}

void pendings_drop(struct pendings *p, const struct target_key *key)
{
	struct pending *k = pendings_find(p, key);

	if (!k)
		return;
	HASH_DEL(p->all, k);
	free(k);
}

uint64_t pendings_next(const struct pendings *p)
{
	uint64_t first = 0;

	for (const struct pending *k = p->all; k; k = k->hh.next) {
		if (k->due_ns && (!first || k->due_ns < first))
			first = k->due_ns;
	}
	return first;
}

bool pendings_may_be_plain(const struct pendings *p)
{
	return HASH_COUNT(p->all) < PENDING_MAX / 2;
}

void pending_wait_longer(struct pending *p)
{
	p->wait_ns = p->wait_ns ? MIN(p->wait_ns * 2, LAST_NS) : FIRST_NS;
}
