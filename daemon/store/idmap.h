/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/index.h"
#include "util/macro.h"

/*
 * A growing map from a 64-bit id of the database to a 32-bit one of a profile, for the length of
 * one query. All zero is an empty one.
 */
struct idmap {
	struct idmap_item *items;
	uint32_t nitems, items_room;
	struct index index; /* of items */
};
struct idmap_item {
	uint64_t key;
	uint32_t value;
};

bool idmap_get(const struct idmap *m, uint64_t key, uint32_t *ret);
/* key is not in it yet. -ENOMEM. */
int idmap_put(struct idmap *m, uint64_t key, uint32_t value);
/* Memory held. */
static inline size_t idmap_bytes(const struct idmap *m)
{
	return m->items_room * sizeof(*m->items) + index_bytes(&m->index);
}
void idmap_done(struct idmap *m);
