/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/profile.h"

/*
 * Samples are first added up by stack, then each stack is walked once: time is proportional to the frames of the
 * different stacks. "Once per stack" is told by a stamp, the number of the stack that last counted an item.
 */
struct edge_slot {
	uint32_t source, target; /* functions */
	uint32_t stamp;          /* 0: the slot is empty; else the stack + 1 that last counted it */
	uint64_t count;
};

struct builder {
	const struct dict *dict;
	uint64_t *self, *total;  /* by function */
	uint32_t *stamps;        /* by function */
	struct edge_slot *edges; /* open addressing, at most 3/4 full */
	uint32_t mask, nedges;
};

static void builder_done(struct builder *b)
{
	free(b->self);
	free(b->total);
	free(b->stamps);
	free(b->edges);
}

static uint32_t edge_hash(uint32_t source, uint32_t target)
{
	uint64_t h = ((uint64_t)source << 32 | target) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(h >> 32);
}

static struct edge_slot *edge_find(struct edge_slot *edges, uint32_t mask, uint32_t source,
				   uint32_t target)
{
	uint32_t at = edge_hash(source, target) & mask;

	while (edges[at].stamp && (edges[at].source != source || edges[at].target != target))
		at = (at + 1) & mask;
	return &edges[at];
}

static int edges_reserve(struct builder *b)
{
	uint32_t size = b->edges ? b->mask + 1 : 0;
	struct edge_slot *edges;

	if (b->edges && b->nedges < size - size / 4)
		return 0;
	if (size >= UINT32_C(1) << 30)
		return -ENOMEM;
	size = size ? size * 2 : 256;
	edges = calloc(size, sizeof(*edges));
	if (!edges)
		return -ENOMEM;
	for (uint32_t i = 0; b->edges && i <= b->mask; i++)
		if (b->edges[i].stamp)
			*edge_find(edges, size - 1, b->edges[i].source, b->edges[i].target) =
				b->edges[i];
	free(b->edges);
	b->edges = edges;
	b->mask = size - 1;
	return 0;
}

static int count_edge(struct builder *b, uint32_t source, uint32_t target, uint32_t stamp,
		      uint64_t count)
{
	struct edge_slot *e;
	int r;

	r = edges_reserve(b);
	if (r < 0)
		return r;
	e = edge_find(b->edges, b->mask, source, target);
	if (e->stamp == stamp)
		return 0;
	if (!e->stamp) {
		e->source = source;
		e->target = target;
		b->nedges++;
	}
	e->stamp = stamp;
	e->count += count;
	return 0;
}

static int count_stack(struct builder *b, uint32_t id, uint64_t count)
{
	const struct dict_stack *s = dict_get_stack(b->dict, id);
	uint32_t caller = 0;
	int r;

	for (uint32_t i = 0; i < s->depth; i++) {
		uint32_t f = dict_get_frame(b->dict, s->frames[i])->function;

		if (b->stamps[f] != id + 1) {
			b->stamps[f] = id + 1;
			b->total[f] += count;
		}
		if (i > 0) {
			r = count_edge(b, caller, f, id + 1, count);
			if (r < 0)
				return r;
		}
		caller = f;
	}
	if (s->depth > 0)
		b->self[caller] += count;
	return 0;
}

static int compare_nodes(const void *pa, const void *pb, void *ctx)
{
	const struct callgraph_node *a = pa, *b = pb;
	const struct dict_function *fa, *fb;
	int c;

	if (a->self != b->self)
		return a->self > b->self ? -1 : 1;
	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	fa = dict_get_function(ctx, a->function);
	fb = dict_get_function(ctx, b->function);
	c = strcmp(fa->name, fb->name);
	if (c == 0)
		c = strcmp(fa->file, fb->file);
	if (c == 0)
		c = (fa->line > fb->line) - (fa->line < fb->line);
	return c;
}

static int compare_edges(const void *pa, const void *pb)
{
	const struct callgraph_edge *a = pa, *b = pb;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	if (a->source != b->source)
		return a->source > b->source ? 1 : -1;
	return (a->target > b->target) - (a->target < b->target);
}

/* Fills g from what b counted. */
static int finish(struct builder *b, struct callgraph *g)
{
	uint32_t n = dict_functions(b->dict), *nodes = b->stamps;

	g->nodes = calloc((size_t)n + 1, sizeof(*g->nodes));
	g->edges = calloc((size_t)b->nedges + 1, sizeof(*g->edges));
	if (!g->nodes || !g->edges)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (b->stamps[i])
			g->nodes[g->nnodes++] =
				(struct callgraph_node){ i, b->self[i], b->total[i] };
	qsort_r(g->nodes, g->nnodes, sizeof(*g->nodes), compare_nodes, (void *)b->dict);
	/* The stamps have done their work: from here on, a function's node. */
	for (uint32_t i = 0; i < g->nnodes; i++)
		nodes[g->nodes[i].function] = i;
	for (uint32_t i = 0; b->edges && i <= b->mask; i++)
		if (b->edges[i].stamp)
			g->edges[g->nedges++] = (struct callgraph_edge){ nodes[b->edges[i].source],
									 nodes[b->edges[i].target],
									 b->edges[i].count };
	qsort(g->edges, g->nedges, sizeof(*g->edges), compare_edges);
	return 0;
}

int callgraph_new(const struct profile *p, struct callgraph **ret)
{
	_cleanup_(builder_done) struct builder b = { .dict = p->dict };
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;
	_cleanup_free_ uint64_t *counts = NULL;
	size_t n = (size_t)dict_functions(p->dict) + 1;
	uint32_t stacks = dict_stacks(p->dict);
	int r;

	g = calloc(1, sizeof(*g));
	b.self = calloc(n, sizeof(*b.self));
	b.total = calloc(n, sizeof(*b.total));
	b.stamps = calloc(n, sizeof(*b.stamps));
	counts = calloc((size_t)stacks + 1, sizeof(*counts));
	if (!g || !b.self || !b.total || !b.stamps || !counts)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nsamples; i++) {
		uint64_t weight = profile_weight(p, &p->samples[i]);

		counts[p->samples[i].stack] += weight;
		g->states[p->samples[i].state] += weight;
		g->total += weight;
	}
	for (uint32_t i = 0; i < stacks; i++) {
		if (!counts[i])
			continue;
		r = count_stack(&b, i, counts[i]);
		if (r < 0)
			return r;
	}
	r = finish(&b, g);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(g);
	return 0;
}

void callgraph_free(struct callgraph *g)
{
	if (!g)
		return;
	free(g->nodes);
	free(g->edges);
	free(g);
}
