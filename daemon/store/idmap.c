/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/idmap.h"
#include "util/array.h"

bool idmap_get(const struct idmap *m, uint64_t key, uint32_t *ret)
{
	uint32_t hash = index_hash(key, 0), i;

	for (uint32_t at = index_start(&m->index, hash); index_next(&m->index, hash, &at, &i);) {
		if (m->items[i].key == key) {
			*ret = m->items[i].value;
			return true;
		}
	}
	return false;
}

int idmap_put(struct idmap *m, uint64_t key, uint32_t value)
{
	void *array = m->items;
	int r = index_reserve(&m->index, 1);

	if (r == 0)
		r = array_reserve(&array, m->nitems, &m->items_room, sizeof(*m->items));
	if (r < 0)
		return r;
	m->items = array;
	index_add(&m->index, index_hash(key, 0), m->nitems);
	m->items[m->nitems++] = (struct idmap_item){ key, value };
	return 0;
}

void idmap_done(struct idmap *m)
{
	free(m->items);
	index_done(&m->index);
	*m = (struct idmap){};
}
