/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/heaviest.h"

typedef int (*compare_fn)(const void *pa, const void *pb, void *ctx);

/* The heaviest nodes so far, the lightest of them at the root. */
struct heap {
	struct callgraph_node *nodes;
	uint32_t n, size;
	compare_fn compare; /* heavier first */
	void *ctx;
};

static int compare_names(uint32_t a, uint32_t b, const struct dict *d)
{
	const struct dict_function *fa = a == CALLGRAPH_OTHER ? &profile_other_function :
								dict_get_function(d, a);
	const struct dict_function *fb = b == CALLGRAPH_OTHER ? &profile_other_function :
								dict_get_function(d, b);
	int c = strcmp(fa->name, fb->name);

	if (c == 0)
		c = strcmp(fa->file, fb->file);
	if (c == 0)
		c = strcmp(fa->module, fb->module);
	if (c == 0)
		c = (int)fa->kind - (int)fb->kind;
	return c ? c : (fa->line > fb->line) - (fa->line < fb->line);
}

int heaviest_by_self(const void *pa, const void *pb, void *ctx)
{
	const struct callgraph_node *a = pa, *b = pb;

	if (a->self != b->self)
		return a->self > b->self ? -1 : 1;
	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	return compare_names(a->function, b->function, ctx);
}

static int heaviest_by_total(const void *pa, const void *pb, void *ctx)
{
	const struct callgraph_node *a = pa, *b = pb;

	return a->total != b->total ? (a->total > b->total ? -1 : 1) :
				      heaviest_by_self(pa, pb, ctx);
}

static bool is_lighter(const struct heap *h, uint32_t a, uint32_t b)
{
	return h->compare(&h->nodes[a], &h->nodes[b], h->ctx) > 0;
}

static void heap_swap(struct heap *h, uint32_t a, uint32_t b)
{
	struct callgraph_node node = h->nodes[a];

	h->nodes[a] = h->nodes[b];
	h->nodes[b] = node;
}

static void heap_offer(struct heap *h, const struct callgraph_node *node)
{
	uint32_t at, child;

	if (h->n < h->size) {
		at = h->n++;
		h->nodes[at] = *node;
		for (; at > 0 && is_lighter(h, at, (at - 1) / 2); at = (at - 1) / 2)
			heap_swap(h, at, (at - 1) / 2);
		return;
	}
	if (h->size == 0 || h->compare(node, &h->nodes[0], h->ctx) > 0)
		return;
	h->nodes[0] = *node;
	for (at = 0; (child = 2 * at + 1) < h->n; at = child) {
		if (child + 1 < h->n && is_lighter(h, child + 1, child))
			child++;
		if (!is_lighter(h, child, at))
			break;
		heap_swap(h, child, at);
	}
}

/* Bytes that the names of a function take in the answer, where each has its own. */
static size_t text_of(const struct dict *d, uint32_t function)
{
	const struct dict_function *f = dict_get_function(d, function);

	return strlen(f->name) + strlen(f->file) + strlen(f->module);
}

/* Of those that are not kept yet, the heaviest by compare, as far as their text goes into room. */
static int keep_heaviest(const struct dict *d, const uint64_t *self, const uint64_t *total,
			 uint32_t max, size_t *room, compare_fn compare, bool *kept)
{
	_cleanup_free_ struct callgraph_node *nodes = calloc((size_t)max + 1, sizeof(*nodes));
	struct heap h = { .nodes = nodes, .size = max, .compare = compare, .ctx = (void *)d };

	if (!nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < dict_functions(d); i++) {
		const struct callgraph_node node = { i, self[i], total[i] };

		if (total[i] && !kept[i])
			heap_offer(&h, &node);
	}
	qsort_r(nodes, h.n, sizeof(*nodes), compare, (void *)d);
	for (uint32_t i = 0; i < h.n; i++) {
		size_t size = text_of(d, nodes[i].function);

		if (size > *room)
			break;
		*room -= size;
		kept[nodes[i].function] = true;
	}
	return 0;
}

/* Nearly always it is all of them. */
static bool is_small(const struct dict *d, uint32_t max)
{
	size_t text = 0;

	if (dict_functions(d) > max)
		return false;
	for (uint32_t i = 0; i < dict_functions(d); i++)
		text += text_of(d, i);
	return text <= CALLGRAPH_TEXT;
}

int heaviest_functions(const struct dict *d, const uint64_t *self, const uint64_t *total,
		       uint32_t max, bool *kept)
{
	uint32_t n = dict_functions(d), rest = 0;
	size_t room = CALLGRAPH_TEXT;
	int r;

	if (is_small(d, max)) {
		memset(kept, true, n);
		return 0;
	}
	r = keep_heaviest(d, self, total, max / 2, &room, heaviest_by_self, kept);
	if (r == 0)
		r = keep_heaviest(d, self, total, max - max / 2, &room, heaviest_by_total, kept);
	for (uint32_t i = 0; i < n; i++)
		rest += total[i] && !kept[i];
	return r < 0 ? r : rest > 0;
}
