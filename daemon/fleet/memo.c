/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/memo.h"

#include <string.h>

void fleet_memo_done(struct fleet_memo *m)
{
	buf_free(&m->functions);
	buf_free(&m->comparison);
	buf_free(&m->other);
	free(m->key);
	*m = (struct fleet_memo){};
}

void fleet_memo_append(struct buf *to, const struct buf *elements)
{
	if (!elements->size)
		return;
	if (to->size)
		buf_putc(to, ',');
	buf_append(to, elements->data, elements->size);
}

void fleet_memos_done(struct fleet_memos *memos)
{
	for (unsigned int i = 0; i < memos->n; i++)
		fleet_memo_done(&memos->items[i]);
	memos->n = 0;
}

const struct fleet_memo *fleet_memos_find(const struct fleet_memos *memos, const char *key,
					  uint64_t now_ns)
{
	for (unsigned int i = 0; i < memos->n; i++)
		if (streq(memos->items[i].key, key) && now_ns < memos->items[i].until_ns)
			return &memos->items[i];
	return NULL;
}

/* Where it goes: in the place of an older one of that key, or of the first to be old. */
static struct fleet_memo *place_of(struct fleet_memos *memos, const char *key)
{
	struct fleet_memo *first = &memos->items[0];

	for (unsigned int i = 0; i < memos->n; i++) {
		if (streq(memos->items[i].key, key))
			return &memos->items[i];
		if (memos->items[i].until_ns < first->until_ns)
			first = &memos->items[i];
	}
	return memos->n < FLEET_MEMOS ? &memos->items[memos->n++] : first;
}

int fleet_memos_keep(struct fleet_memos *memos, char **key, struct fleet_memo *m)
{
	int r = m->functions.error  ? m->functions.error :
		m->comparison.error ? m->comparison.error :
				      m->other.error;
	struct fleet_memo *to;

	if (r < 0)
		return r;
	to = place_of(memos, *key);
	fleet_memo_done(to);
	*to = *m;
	to->key = *key;
	*key = NULL;
	*m = (struct fleet_memo){};
	return 0;
}
