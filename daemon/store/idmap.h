/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/* A growing map from a 64-bit id of the database to a 32-bit one of a profile, for the length of one query. */
struct idmap {
	struct idmap_item *items;
	uint32_t mask, used;
};
struct idmap_item {
	uint64_t key;
	uint32_t value; /* + 1; 0: empty */
};

bool idmap_get(const struct idmap *m, uint64_t key, uint32_t *ret);
/* key is not in it yet; value < UINT32_MAX. -ENOMEM. */
int idmap_put(struct idmap *m, uint64_t key, uint32_t value);
/* Memory held. */
static inline size_t idmap_bytes(const struct idmap *m)
{
	return m->items ? ((size_t)m->mask + 1) * sizeof(*m->items) : 0;
}
void idmap_done(struct idmap *m);
