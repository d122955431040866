/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/calls.h"

#include "util/array.h"

void calls_done(struct calls *c)
{
	free(c->calls);
	index_done(&c->index);
	*c = (struct calls){};
}

size_t calls_bytes(const struct calls *c)
{
	return c->room * sizeof(*c->calls) + index_bytes(&c->index);
}

int calls_add(struct calls *c, uint32_t caller, uint32_t callee, double samples)
{
	uint32_t hash = index_hash(caller, callee), i;
	void *array = c->calls;
	int r;

	for (uint32_t at = index_start(&c->index, hash); index_next(&c->index, hash, &at, &i);) {
		if (c->calls[i].caller == caller && c->calls[i].callee == callee) {
			c->calls[i].samples += samples;
			return 0;
		}
	}
	r = index_reserve(&c->index, 1);
	if (r == 0)
		r = array_reserve(&array, c->n, &c->room, sizeof(*c->calls));
	if (r < 0)
		return r;
	c->calls = array;
	index_add(&c->index, hash, c->n);
	c->calls[c->n++] = (struct call){ caller, callee, samples };
	return 0;
}
