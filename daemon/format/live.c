/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "format/json_parts.h"
#include "format/live.h"
#include "format/text.h"
#include "util/array.h"
#include "util/index.h"

/* turn: of the event in which it was last. A node's id is that of its function in the dict. */
struct live_node {
	uint64_t self, total;
	uint64_t turn;
	bool there;
};

struct live_edge {
	uint32_t source, target;
	uint64_t count; /* 0: the reader has it no more */
	uint64_t turn;
};

struct live_process {
	char *text; /* as json_process() wrote it */
	uint64_t samples, total;
};

struct live {
	bool known; /* the reader has what is here */
	uint64_t sequence, start_ns;
	struct dict *dict; /* its functions */
	struct live_node *nodes;
	struct live_edge *edges;
	struct live_process *processes;
	uint32_t nnodes, nodes_room, nedges, edges_room, nprocesses, processes_room;
	struct index index; /* of edges */
	char *threads;
};

/* What one event is made of. out: NULL while all of it is only to be remembered. */
struct event {
	const struct profile *profile;
	const struct callgraph *graph;
	const uint64_t *totals;
	struct buf *out;
	uint32_t *ids; /* of the graph's nodes */
	const char *comma;
};

int live_new(struct live **ret)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*ret = l;
	return 0;
}

static void forget(struct live *l)
{
	uint64_t sequence = l->sequence;

	for (uint32_t i = 0; i < l->nprocesses; i++)
		free(l->processes[i].text);
	free(l->nodes);
	free(l->edges);
	free(l->processes);
	free(l->threads);
	index_done(&l->index);
	dict_free(l->dict);
	*l = (struct live){ .sequence = sequence };
}

void live_free(struct live *l)
{
	if (!l)
		return;
	forget(l);
	free(l);
}

/* Begins a row. */
static void row(struct event *e)
{
	buf_puts(e->out, e->comma);
	e->comma = ",";
}

static int take_process(struct live *l, struct event *e, uint32_t at)
{
	const struct profile_process *p = &e->profile->processes[at];
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *is = NULL;
	void *array = l->processes;
	bool is_new = at == l->nprocesses, other;
	struct live_process *has;
	int r = 0;

	json_process(p, &text);
	is = buf_string(&text);
	if (!is)
		return text.error;
	if (is_new)
		r = array_reserve(&array, l->nprocesses, &l->processes_room, sizeof(*has));
	if (r < 0)
		return r;
	l->processes = array;
	has = &l->processes[at];
	if (is_new) {
		*has = (struct live_process){};
		l->nprocesses++;
	}
	other = is_new || !streq(has->text, is);
	if (e->out && (other || has->samples != p->samples || has->total != e->totals[at])) {
		row(e);
		buf_printf(e->out, "{\"at\":%" PRIu32, at);
		if (other)
			buf_printf(e->out, ",%s", is);
		buf_printf(e->out, ",\"samples\":%" PRIu64 ",\"total\":%" PRIu64 "}", p->samples,
			   e->totals[at]);
	}
	if (other) {
		free(has->text);
		has->text = TAKE_PTR(is);
	}
	has->samples = p->samples;
	has->total = e->totals[at];
	return 0;
}

static int take_threads(struct live *l, struct event *e)
{
	_cleanup_buf_ struct buf text = {};
	char *is;

	json_threads(e->profile, &text);
	is = buf_string(&text);
	if (!is)
		return text.error;
	if (e->out && !streq(l->threads, is))
		buf_printf(e->out, ",\"threads\":%s", is);
	free(l->threads);
	l->threads = is;
	return 0;
}

static int take_node(struct live *l, struct event *e, uint32_t i)
{
	const struct callgraph_node *n = &e->graph->nodes[i];
	const struct dict_function *f = callgraph_function(e->profile, n);
	void *array = l->nodes;
	struct live_node *has;
	uint32_t id;
	int r = dict_function(l->dict, f, &id);

	if (r == 0 && id == l->nnodes)
		r = array_reserve(&array, l->nnodes, &l->nodes_room, sizeof(*has));
	if (r < 0)
		return r;
	l->nodes = array;
	if (id == l->nnodes)
		l->nodes[l->nnodes++] = (struct live_node){};
	has = &l->nodes[id];
	if (e->out && (!has->there || has->self != n->self || has->total != n->total)) {
		row(e);
		buf_printf(e->out, "{\"id\":%" PRIu32 ",", id);
		if (!has->there) {
			json_function(f, e->out);
			buf_putc(e->out, ',');
		}
		buf_printf(e->out, "\"self\":%" PRIu64 ",\"total\":%" PRIu64 "}", n->self,
			   n->total);
	}
	*has = (struct live_node){ n->self, n->total, l->sequence, true };
	e->ids[i] = id;
	return 0;
}

static void drop_nodes(struct live *l, struct event *e)
{
	for (uint32_t i = 0; i < l->nnodes; i++) {
		if (!l->nodes[i].there || l->nodes[i].turn == l->sequence)
			continue;
		l->nodes[i].there = false;
		row(e);
		buf_printf(e->out, "{\"id\":%" PRIu32 ",\"gone\":true}", i);
	}
}

static int find_edge(struct live *l, uint32_t source, uint32_t target, struct live_edge **ret)
{
	uint32_t hash = index_hash(source, target), i;
	void *array = l->edges;
	int r;

	for (uint32_t at = index_start(&l->index, hash); index_next(&l->index, hash, &at, &i);) {
		if (l->edges[i].source == source && l->edges[i].target == target) {
			*ret = &l->edges[i];
			return 0;
		}
	}
	r = index_reserve(&l->index, 1);
	if (r == 0)
		r = array_reserve(&array, l->nedges, &l->edges_room, sizeof(*l->edges));
	if (r < 0)
		return r;
	l->edges = array;
	index_add(&l->index, hash, l->nedges);
	*ret = &l->edges[l->nedges++];
	**ret = (struct live_edge){ .source = source, .target = target };
	return 0;
}

static int take_edge(struct live *l, struct event *e, const struct callgraph_edge *edge)
{
	struct live_edge *has;
	int r = find_edge(l, e->ids[edge->source], e->ids[edge->target], &has);

	if (r < 0)
		return r;
	if (e->out && has->count != edge->count) {
		row(e);
		json_edge(has->source, has->target, edge->count, e->out);
	}
	has->count = edge->count;
	has->turn = l->sequence;
	return 0;
}

static void drop_edges(struct live *l, struct event *e)
{
	for (uint32_t i = 0; i < l->nedges; i++) {
		struct live_edge *has = &l->edges[i];

		if (has->count == 0 || has->turn == l->sequence)
			continue;
		has->count = 0;
		row(e);
		json_edge(has->source, has->target, 0, e->out);
	}
}

/* Begins a list of the event. */
static void list(struct event *e, const char *begin)
{
	if (e->out)
		buf_puts(e->out, begin);
	e->comma = "";
}

/* Remembers what the event has, and writes what is other than before. */
static int take(struct live *l, struct event *e)
{
	int r = 0;

	list(e, ",\"processes\":[");
	for (uint32_t i = 0; r == 0 && i < e->profile->nprocesses; i++)
		r = take_process(l, e, i);
	list(e, "],\"nodes\":[");
	for (uint32_t i = 0; r == 0 && i < e->graph->nnodes; i++)
		r = take_node(l, e, i);
	if (r == 0 && e->out)
		drop_nodes(l, e);
	list(e, "],\"edges\":[");
	for (uint32_t i = 0; r == 0 && i < e->graph->nedges; i++)
		r = take_edge(l, e, &e->graph->edges[i]);
	if (r == 0 && e->out)
		drop_edges(l, e);
	list(e, "]");
	return r == 0 ? take_threads(l, e) : r;
}

/* All of it, and what the reader has then. */
static int write_window(struct live *l, struct event *e, struct buf *out)
{
	int r = json_write(e->profile, e->graph, e->totals, &l->sequence, out);

	if (r == 0)
		r = dict_new(&l->dict);
	if (r == 0)
		r = take(l, e);
	l->start_ns = e->profile->start_ns;
	/* Two nodes that are one to the dict would have one id: this reader gets all each time. */
	l->known = r == 0 && l->nnodes == e->graph->nnodes;
	return r;
}

static int write_delta(struct live *l, struct event *e, struct buf *out)
{
	int r;

	buf_puts(out, "{\"type\":\"plop-callgraph-delta\"");
	text_json_head(out, e->profile, e->graph->total, e->graph->states);
	json_merged(e->graph, out);
	buf_printf(out, ",\"sequence\":%" PRIu64, l->sequence);
	e->out = out;
	r = take(l, e);
	buf_putc(out, '}');
	return r < 0 ? r : out->error;
}

static bool is_enough(const struct live *l, const struct profile *p)
{
	return l->known && l->start_ns == p->start_ns && l->nprocesses <= p->nprocesses &&
	       l->nnodes <= LIVE_NODES && l->nedges <= LIVE_EDGES;
}

int live_encode(struct live *l, const struct profile *p, struct buf *out, const char **ret_event)
{
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;
	_cleanup_free_ uint64_t *totals = NULL;
	_cleanup_free_ uint32_t *ids = NULL;
	bool delta = is_enough(l, p);
	struct event e;
	int r;

	if (!delta)
		forget(l);
	l->sequence++;
	r = json_totals(p, &totals);
	if (r == 0)
		r = callgraph_new(p, CALLGRAPH_NODES, &g);
	ids = r == 0 ? calloc((size_t)g->nnodes + 1, sizeof(*ids)) : NULL;
	if (!ids)
		return -ENOMEM;
	e = (struct event){ .profile = p, .graph = g, .totals = totals, .ids = ids };
	r = delta ? write_delta(l, &e, out) : write_window(l, &e, out);
	if (r < 0) {
		l->known = false;
		return r;
	}
	*ret_event = delta ? "delta" : "window";
	return 0;
}
