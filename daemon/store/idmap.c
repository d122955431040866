/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/idmap.h"

/* The slot with key, or the empty one where it belongs. */
static struct idmap_item *find(struct idmap_item *items, uint32_t mask, uint64_t key)
{
	uint32_t at = (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;

	while (items[at].value && items[at].key != key)
		at = (at + 1) & mask;
	return &items[at];
}

bool idmap_get(const struct idmap *m, uint64_t key, uint32_t *ret)
{
	const struct idmap_item *i;

	if (!m->items)
		return false;
	i = find(m->items, m->mask, key);
	if (!i->value)
		return false;
	*ret = i->value - 1;
	return true;
}

int idmap_put(struct idmap *m, uint64_t key, uint32_t value)
{
	uint32_t size = m->items ? m->mask + 1 : 0;
	struct idmap_item *items;

	if (!m->items || m->used >= size - size / 4) {
		if (size >= UINT32_C(1) << 30)
			return -ENOMEM;
		size = size ? size * 2 : 256;
		items = calloc(size, sizeof(*items));
		if (!items)
			return -ENOMEM;
		for (uint32_t i = 0; m->items && i <= m->mask; i++)
			if (m->items[i].value)
				*find(items, size - 1, m->items[i].key) = m->items[i];
		free(m->items);
		m->items = items;
		m->mask = size - 1;
	}
	*find(m->items, m->mask, key) = (struct idmap_item){ key, value + 1 };
	m->used++;
	return 0;
}

void idmap_done(struct idmap *m)
{
	free(m->items);
	*m = (struct idmap){};
}
