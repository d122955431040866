/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/internal.h"

#include "profile/selector_text.h"

/* A query that is about one service, or about some hosts. */

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
