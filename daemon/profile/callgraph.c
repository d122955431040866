/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/heaviest.h"
#include "profile/profile.h"
#include "util/array.h"
#include "util/index.h"

/*
 * Samples are first added up by stack, then each stack is walked twice, for the functions and, once
 * it is known which of them are merged, for the calls: time is proportional to the frames of the
 * different stacks. "Once per stack" is told by a stamp, the number of the stack that last counted
 * an item.
 */
struct edge {
	uint32_t source, target; /* functions */
	uint32_t stamp;          /* the stack + 1 that last counted it */
	uint64_t count;
};

struct builder {
	const struct dict *dict;
	uint64_t *counts;       /* by stack */
	uint64_t *self, *total; /* by function; the last is [other], if it is none of the dict's */
	uint32_t *stamps;       /* by function */
	bool *kept;             /* by function */
	uint32_t other;         /* what all are that are not kept */
	uint32_t merged;        /* how many these are */
	struct edge *edges;
	uint32_t nedges, edges_room;
	struct index index; /* of edges */
};

static void builder_done(struct builder *b)
{
	free(b->counts);
	free(b->self);
	free(b->total);
	free(b->stamps);
	free(b->kept);
	free(b->edges);
	index_done(&b->index);
}

static int find_edge(struct builder *b, uint32_t source, uint32_t target, struct edge **ret)
{
	uint32_t hash = index_hash(source, target), i;
	void *array = b->edges;
	int r;

	for (uint32_t at = index_start(&b->index, hash); index_next(&b->index, hash, &at, &i);) {
		if (b->edges[i].source == source && b->edges[i].target == target) {
			*ret = &b->edges[i];
			return 0;
		}
	}
	r = index_reserve(&b->index, 1);
	if (r == 0)
		r = array_reserve(&array, b->nedges, &b->edges_room, sizeof(*b->edges));
	if (r < 0)
		return r;
	b->edges = array;
	index_add(&b->index, hash, b->nedges);
	*ret = &b->edges[b->nedges++];
	**ret = (struct edge){ .source = source, .target = target };
	return 0;
}

static int count_edge(struct builder *b, uint32_t source, uint32_t target, uint32_t stamp,
		      uint64_t count)
{
	struct edge *e;
	int r = find_edge(b, source, target, &e);

	if (r < 0 || e->stamp == stamp)
		return r;
	e->stamp = stamp;
	e->count += count;
	return 0;
}

static void count_functions(struct builder *b, uint32_t id)
{
	const struct dict_stack *s = dict_get_stack(b->dict, id);
	uint32_t f = 0;

	for (uint32_t i = 0; i < s->depth; i++) {
		f = dict_get_frame(b->dict, s->frames[i])->function;
		if (b->stamps[f] == id + 1)
			continue;
		b->stamps[f] = id + 1;
		b->total[f] += b->counts[id];
	}
	if (s->depth > 0)
		b->self[f] += b->counts[id];
}

/* Functions of [other] that call each other are one. */
static int count_calls(struct builder *b, uint32_t id)
{
	const struct dict_stack *s = dict_get_stack(b->dict, id);
	uint32_t caller = 0, f;
	bool merged, was_merged = false;
	int r;

	for (uint32_t i = 0; i < s->depth; i++) {
		f = dict_get_frame(b->dict, s->frames[i])->function;
		merged = !b->kept[f];
		if (merged)
			f = b->other;
		if (merged && b->stamps[f] != id + 1) {
			b->stamps[f] = id + 1;
			b->total[f] += b->counts[id];
		}
		if (i > 0 && !(merged && was_merged)) {
			r = count_edge(b, caller, f, id + 1, b->counts[id]);
			if (r < 0)
				return r;
		}
		caller = f;
		was_merged = merged;
	}
	return 0;
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

/* Tells which functions are kept; what all others are counts their samples from then on. */
static int merge_lightest(struct builder *b, uint32_t max)
{
	uint32_t n = dict_functions(b->dict);
	int r;

	b->other = n;
	r = heaviest_functions(b->dict, b->self, b->total, max, b->kept);
	if (r <= 0)
		return r;
	for (uint32_t i = 0; i < n && b->other == n; i++) {
		if (b->total[i] && profile_is_other(dict_get_function(b->dict, i)))
			b->other = i;
	}
	b->kept[b->other] = false;
	b->total[b->other] = 0;
	b->stamps[b->other] = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i == b->other || b->kept[i] || !b->total[i])
			continue;
		b->self[b->other] += b->self[i];
		b->merged++;
	}
	return 0;
}

static void count_samples(struct builder *b, const struct profile *p, struct callgraph *g)
{
	for (uint32_t i = 0; i < p->nsamples; i++) {
		uint64_t weight = profile_weight(p, &p->samples[i]);

		b->counts[p->samples[i].stack] += weight;
		g->states[p->samples[i].state] += weight;
		g->total += weight;
	}
}

/* All that is known before the calls are counted. */
static int count_and_merge(struct builder *b, const struct profile *p, uint32_t max,
			   struct callgraph *g)
{
	size_t n = (size_t)dict_functions(p->dict) + 1;

	b->dict = p->dict;
	b->self = calloc(n, sizeof(*b->self));
	b->total = calloc(n, sizeof(*b->total));
	b->stamps = calloc(n, sizeof(*b->stamps));
	b->kept = calloc(n, sizeof(*b->kept));
	b->counts = calloc((size_t)dict_stacks(p->dict) + 1, sizeof(*b->counts));
	if (!b->self || !b->total || !b->stamps || !b->kept || !b->counts)
		return -ENOMEM;
	count_samples(b, p, g);
	for (uint32_t i = 0; i < dict_stacks(p->dict); i++) {
		if (b->counts[i])
			count_functions(b, i);
	}
	return merge_lightest(b, max);
}

/* Fills g from what b counted. */
static int finish(struct builder *b, struct callgraph *g, uint32_t max)
{
	uint32_t n = dict_functions(b->dict), *nodes = b->stamps;

	g->nodes = calloc((size_t)MIN(n, max) + 1, sizeof(*g->nodes));
	g->edges = calloc((size_t)b->nedges + 1, sizeof(*g->edges));
	if (!g->nodes || !g->edges)
		return -ENOMEM;
	for (uint32_t i = 0; i <= n; i++) {
		if (b->stamps[i] && (b->kept[i] || i == b->other))
			g->nodes[g->nnodes++] =
				(struct callgraph_node){ i < n ? i : CALLGRAPH_OTHER, b->self[i],
							 b->total[i] };
	}
	qsort_r(g->nodes, g->nnodes, sizeof(*g->nodes), heaviest_by_self, (void *)b->dict);
	/* The stamps have done their work: from here on, a function's node. */
	for (uint32_t i = 0; i < g->nnodes; i++)
		nodes[MIN(g->nodes[i].function, n)] = i;
	for (uint32_t i = 0; i < b->nedges; i++)
		g->edges[g->nedges++] = (struct callgraph_edge){ nodes[b->edges[i].source],
								 nodes[b->edges[i].target],
								 b->edges[i].count };
	qsort(g->edges, g->nedges, sizeof(*g->edges), compare_edges);
	g->merged = b->merged;
	if (g->nedges / CALLGRAPH_EDGES_EACH > max) {
		g->edges_left_out = g->nedges - max * CALLGRAPH_EDGES_EACH;
		g->nedges = max * CALLGRAPH_EDGES_EACH;
	}
	return 0;
}

int callgraph_new(const struct profile *p, uint32_t max, struct callgraph **ret)
{
	_cleanup_(builder_done) struct builder b = {};
	_cleanup_(callgraph_freep) struct callgraph *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	r = count_and_merge(&b, p, max, g);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < dict_stacks(p->dict); i++) {
		if (!b.counts[i])
			continue;
		r = count_calls(&b, i);
		if (r < 0)
			return r;
	}
	r = finish(&b, g, max);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(g);
	return 0;
}

const struct dict_function *callgraph_function(const struct profile *p,
					       const struct callgraph_node *n)
{
	return n->function == CALLGRAPH_OTHER ? &profile_other_function :
						dict_get_function(p->dict, n->function);
}

void callgraph_free(struct callgraph *g)
{
	if (!g)
		return;
	free(g->nodes);
	free(g->edges);
	free(g);
}
