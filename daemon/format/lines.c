/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/lines.h"

int lines_end(struct lines *l, uint64_t count)
{
	struct line *items;
	size_t room;

	if (l->text.error)
		return l->text.error;
	if (l->n == l->room) {
		room = l->room ? l->room * 2 : 64;
		items = reallocarray(l->items, room, sizeof(*items));
		if (!items)
			return -ENOMEM;
		l->items = items;
		l->room = room;
	}
	l->items[l->n++] = (struct line){ l->begun, l->text.size - l->begun, count };
	l->begun = l->text.size;
	return 0;
}

static int compare_text(const void *pa, const void *pb, void *ctx)
{
	const struct line *a = pa, *b = pb;
	const char *text = ctx;
	size_t size = MIN(a->size, b->size);
	int c = size ? memcmp(text + a->at, text + b->at, size) : 0;

	return c ? c : (a->size > b->size) - (a->size < b->size);
}

static int compare_count(const void *pa, const void *pb, void *ctx)
{
	const struct line *a = pa, *b = pb;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return compare_text(pa, pb, ctx);
}

int lines_merge(struct lines *l)
{
	size_t n = 0;

	if (l->text.error)
		return l->text.error;
	if (!l->n)
		return 0;
	qsort_r(l->items, l->n, sizeof(*l->items), compare_text, l->text.data);
	for (size_t i = 1; i < l->n; i++) {
		if (compare_text(&l->items[n], &l->items[i], l->text.data) == 0)
			l->items[n].count += l->items[i].count;
		else
			l->items[++n] = l->items[i];
	}
	l->n = n + 1;
	return 0;
}

void lines_sort_by_count(struct lines *l)
{
	if (l->n)
		qsort_r(l->items, l->n, sizeof(*l->items), compare_count, l->text.data);
}

void lines_done(struct lines *l)
{
	buf_free(&l->text);
	free(l->items);
	*l = (struct lines){};
}
