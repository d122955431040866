/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/pairs.h"

#include "util/array.h"

void pairs_done(struct pairs *p)
{
	free(p->pairs);
	index_done(&p->index);
	*p = (struct pairs){};
}

size_t pairs_bytes(const struct pairs *p)
{
	return p->room * sizeof(*p->pairs) + index_bytes(&p->index);
}

int pairs_add(struct pairs *p, uint32_t a, uint32_t b, double samples)
{
	uint32_t hash = index_hash(a, b), i;
	void *array = p->pairs;
	int r;

	for (uint32_t at = index_start(&p->index, hash); index_next(&p->index, hash, &at, &i);) {
		if (p->pairs[i].a == a && p->pairs[i].b == b) {
			p->pairs[i].samples += samples;
			return 0;
		}
	}
	r = index_reserve(&p->index, 1);
	if (r == 0)
		r = array_reserve(&array, p->n, &p->room, sizeof(*p->pairs));
	if (r < 0)
		return r;
	p->pairs = array;
	index_add(&p->index, hash, p->n);
	p->pairs[p->n++] = (struct pair){ a, b, samples };
	return 0;
}
