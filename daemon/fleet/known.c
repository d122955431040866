/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/internal.h"

#include "profile/selector_text.h"

/* Stacks that were read already, and a query that is about one service, or about some hosts. */

void fleet_known_done(struct fleet_known *k)
{
	fleet_ids_done(&k->ids);
	free(k->numbers);
	*k = (struct fleet_known){};
}

uint32_t fleet_known_find(const struct fleet_known *k, uint64_t id)
{
	uint32_t at = fleet_ids_find(&k->ids, id);

	return at == FLEET_UNKNOWN ? FLEET_UNKNOWN : k->numbers[at];
}

/* Puts those that were read among those that were known. */
static int merge(struct fleet_known *k, const struct fleet_ids *ids, const uint32_t *numbers)
{
	_cleanup_(fleet_known_done) struct fleet_known all = {};
	uint32_t n = k->ids.n + ids->n;

	all.ids.items = calloc((size_t)n + 1, sizeof(*all.ids.items));
	all.numbers = calloc((size_t)n + 1, sizeof(*all.numbers));
	if (!all.ids.items || !all.numbers)
		return -ENOMEM;
	all.ids.room = n + 1;
	for (uint32_t i = 0, j = 0; i < k->ids.n || j < ids->n; all.ids.n++) {
		bool known = j == ids->n || (i < k->ids.n && k->ids.items[i] < ids->items[j]);

		all.ids.items[all.ids.n] = known ? k->ids.items[i] : ids->items[j];
		all.numbers[all.ids.n] = known ? k->numbers[i++] : numbers[j++];
	}
	fleet_known_done(k);
	*k = all;
	all = (struct fleet_known){};
	return 0;
}

int fleet_known_add(struct fleet_read *f, const struct query *q, const struct fleet_ids *ids,
		    struct dict *d, struct fleet_known *k)
{
	_cleanup_(fleet_ids_done) struct fleet_ids new = {};
	_cleanup_free_ uint32_t *numbers = calloc((size_t)ids->n + 1, sizeof(*numbers));
	int r = numbers ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < ids->n; i++)
		if (fleet_ids_find(&k->ids, ids->items[i]) == FLEET_UNKNOWN)
			r = fleet_ids_add(&new, ids->items[i]);
	if (r == 0)
		r = fleet_stacks_read(f, q, &new, d, numbers);
	return r == 0 ? merge(k, &new, numbers) : r;
}

static int choose(struct selectors *s, const char *key, const char *value)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "%s=%s", key, value) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return selectors_add(s, text);
}

int fleet_narrow(const struct query *q, const char *key, const char *const *values, size_t n,
		 struct query *ret)
{
	struct selectors s = {};
	int r = 0;

	for (size_t i = 0; r == 0 && i < q->selectors.n; i++)
		if (!streq(q->selectors.items[i].key, key))
			r = choose(&s, q->selectors.items[i].key, q->selectors.items[i].value);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = choose(&s, key, values[i]);
	if (r < 0) {
		selectors_done(&s);
		return r;
	}
	*ret = *q;
	ret->selectors = s;
	return 0;
}
