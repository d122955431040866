/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/by_line.h"

#include "profile/heaviest.h"
#include "util/array.h"
#include "util/index.h"

/* A line of a function, which is a frame, calls a function. */
struct call {
	uint32_t source, target; /* a frame, a function */
	uint32_t stamp;          /* the stack + 1 that last counted it */
	uint64_t count;
};

/* What a function or a frame counts; "once per stack" is told by a stamp, as in callgraph.c. */
struct count {
	uint64_t self, total;
	uint32_t stamp;
	uint32_t node; /* of a function: its node + 1; 0: none yet */
};

struct builder {
	const struct dict *dict;
	uint64_t *weights;               /* by stack */
	struct count *functions, *lines; /* by function, by frame */
	bool *asked;                     /* by function */
	bool *has;                       /* by stack: a function that is asked for */
	struct call *calls;
	uint32_t ncalls, calls_room;
	struct index index; /* of calls */
};

static void builder_done(struct builder *b)
{
	free(b->weights);
	free(b->functions);
	free(b->lines);
	free(b->asked);
	free(b->has);
	free(b->calls);
	index_done(&b->index);
}

static void count_once(struct count *c, uint32_t stamp, uint64_t weight)
{
	if (c->stamp == stamp)
		return;
	c->stamp = stamp;
	c->total += weight;
}

static int find_call(struct builder *b, uint32_t source, uint32_t target, struct call **ret)
{
	uint32_t hash = index_hash(source, target), i;
	void *array = b->calls;
	int r;

	for (uint32_t at = index_start(&b->index, hash); index_next(&b->index, hash, &at, &i);) {
		if (b->calls[i].source == source && b->calls[i].target == target) {
			*ret = &b->calls[i];
			return 0;
		}
	}
	r = index_reserve(&b->index, 1);
	if (r == 0)
		r = array_reserve(&array, b->ncalls, &b->calls_room, sizeof(*b->calls));
	if (r < 0)
		return r;
	b->calls = array;
	index_add(&b->index, hash, b->ncalls);
	*ret = &b->calls[b->ncalls++];
	**ret = (struct call){ .source = source, .target = target };
	return 0;
}

static int count_call(struct builder *b, uint32_t source, uint32_t target, uint32_t stamp,
		      uint64_t weight)
{
	struct call *c;
	int r = find_call(b, source, target, &c);

	if (r < 0 || c->stamp == stamp)
		return r;
	c->stamp = stamp;
	c->count += weight;
	return 0;
}

static int count_stack(struct builder *b, uint32_t id)
{
	const struct dict_stack *s = dict_get_stack(b->dict, id);
	uint64_t weight = b->weights[id];
	uint32_t function = 0, caller;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < s->depth; i++) {
		caller = function;
		function = dict_get_frame(b->dict, s->frames[i])->function;
		count_once(&b->functions[function], id + 1, weight);
		count_once(&b->lines[s->frames[i]], id + 1, weight);
		b->has[id] |= b->asked[function];
		if (i && (b->asked[caller] || b->asked[function]))
			r = count_call(b, s->frames[i - 1], function, id + 1, weight);
	}
	if (s->depth) {
		b->functions[function].self += weight;
		b->lines[s->frames[s->depth - 1]].self += weight;
	}
	return r;
}

static int prepare(struct builder *b, const struct profile *p, struct by_line *l)
{
	b->dict = p->dict;
	b->weights = calloc((size_t)dict_stacks(p->dict) + 1, sizeof(*b->weights));
	b->functions = calloc((size_t)dict_functions(p->dict) + 1, sizeof(*b->functions));
	b->lines = calloc((size_t)dict_frames(p->dict) + 1, sizeof(*b->lines));
	b->asked = calloc((size_t)dict_functions(p->dict) + 1, sizeof(*b->asked));
	b->has = calloc((size_t)dict_stacks(p->dict) + 1, sizeof(*b->has));
	if (!b->weights || !b->functions || !b->lines || !b->asked || !b->has)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nsamples; i++) {
		uint64_t weight = profile_weight(p, &p->samples[i]);

		b->weights[p->samples[i].stack] += weight;
		l->states[p->samples[i].state] += weight;
		l->total += weight;
	}
	return 0;
}

static uint32_t add_node(struct builder *b, struct by_line *l, uint32_t function)
{
	struct count *c = &b->functions[function];

	if (!c->node) {
		l->nodes[l->nnodes++] = (struct callgraph_node){ function, c->self, c->total };
		c->node = l->nnodes;
	}
	return c->node - 1;
}

/* The functions that are asked for, heaviest first. */
static int choose_functions(struct builder *b, struct by_line *l)
{
	uint32_t n = dict_functions(b->dict);

	l->nodes = calloc((size_t)n + 1, sizeof(*l->nodes));
	if (!l->nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (b->asked[i] && b->functions[i].total)
			add_node(b, l, i);
	}
	qsort_r(l->nodes, l->nnodes, sizeof(*l->nodes), heaviest_by_self, (void *)b->dict);
	for (uint32_t i = 0; i < l->nnodes; i++)
		b->functions[l->nodes[i].function].node = i < BY_LINE_FUNCTIONS ? i + 1 : 0;
	l->nasked = MIN(l->nnodes, (uint32_t)BY_LINE_FUNCTIONS);
	l->functions_left_out = l->nnodes - l->nasked;
	l->nnodes = l->nasked;
	return 0;
}

static int compare_place(const void *pa, const void *pb)
{
	const struct by_line_at *x = pa, *y = pb;

	if (x->function != y->function)
		return x->function > y->function ? 1 : -1;
	return (x->line > y->line) - (x->line < y->line);
}

static int compare_weight(const void *pa, const void *pb)
{
	const struct by_line_at *x = pa, *y = pb;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return x->self != y->self ? (x->self > y->self ? -1 : 1) : compare_place(pa, pb);
}

static int choose_lines(struct builder *b, struct by_line *l)
{
	uint32_t n = dict_frames(b->dict);

	l->lines = calloc((size_t)n + 1, sizeof(*l->lines));
	if (!l->lines)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct dict_frame *f = dict_get_frame(b->dict, i);
		const struct count *c = &b->lines[i];

		if (c->total && b->functions[f->function].node)
			l->lines[l->nlines++] =
				(struct by_line_at){ b->functions[f->function].node - 1, f->line,
						     c->self, c->total };
	}
	if (l->nlines > BY_LINE_LINES) {
		qsort(l->lines, l->nlines, sizeof(*l->lines), compare_weight);
		l->lines_left_out = l->nlines - BY_LINE_LINES;
		l->nlines = BY_LINE_LINES;
	}
	qsort(l->lines, l->nlines, sizeof(*l->lines), compare_place);
	return 0;
}

/* Heaviest first; what is as heavy by what it is, whatever its numbers are. */
static int compare_calls(const void *pa, const void *pb, void *ctx)
{
	const struct call *x = pa, *y = pb;
	const struct dict *d = ctx;
	const struct dict_frame *f = dict_get_frame(d, x->source),
				*g = dict_get_frame(d, y->source);
	const struct callgraph_node from[] = { { f->function, 0, 0 }, { g->function, 0, 0 } },
				    to[] = { { x->target, 0, 0 }, { y->target, 0, 0 } };
	int r = 0;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	if (f->function != g->function)
		r = heaviest_by_self(&from[0], &from[1], ctx);
	if (!r && f->line != g->line)
		r = f->line > g->line ? 1 : -1;
	return r || x->target == y->target ? r : heaviest_by_self(&to[0], &to[1], ctx);
}

static int choose_calls(struct builder *b, struct by_line *l)
{
	uint32_t n = 0;

	/* those of functions that are left out are so, too */
	for (uint32_t i = 0; i < b->ncalls; i++) {
		uint32_t from = dict_get_frame(b->dict, b->calls[i].source)->function;

		if (b->functions[from].node || b->functions[b->calls[i].target].node)
			b->calls[n++] = b->calls[i];
	}
	if (n)
		qsort_r(b->calls, n, sizeof(*b->calls), compare_calls, (void *)b->dict);
	l->calls_left_out = n > BY_LINE_CALLS ? n - BY_LINE_CALLS : 0;
	n -= l->calls_left_out;
	l->calls = calloc((size_t)n + 1, sizeof(*l->calls));
	if (!l->calls)
		return -ENOMEM;
	for (; l->ncalls < n; l->ncalls++) {
		const struct call *c = &b->calls[l->ncalls];
		const struct dict_frame *f = dict_get_frame(b->dict, c->source);

		l->calls[l->ncalls] = (struct by_line_call){ .source = add_node(b, l, f->function),
							     .target = add_node(b, l, c->target),
							     .line = f->line,
							     .count = c->count };
	}
	return 0;
}

static int compare_processes(const void *pa, const void *pb)
{
	const struct by_line_process *x = pa, *y = pb;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return (x->process > y->process) - (x->process < y->process);
}

static int choose_processes(struct builder *b, const struct profile *p, struct by_line *l)
{
	l->processes = calloc((size_t)p->nprocesses + 1, sizeof(*l->processes));
	if (!l->processes)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nprocesses; i++)
		l->processes[i].process = i;
	for (uint32_t i = 0; i < p->nsamples; i++) {
		if (b->has[p->samples[i].stack])
			l->processes[p->samples[i].process].total +=
				profile_weight(p, &p->samples[i]);
	}
	qsort(l->processes, p->nprocesses, sizeof(*l->processes), compare_processes);
	while (l->nprocesses < MIN(p->nprocesses, (uint32_t)BY_LINE_PROCESSES) &&
	       l->processes[l->nprocesses].total)
		l->nprocesses++;
	return 0;
}

int by_line_new(const struct profile *p, const char *name, const char *file, struct by_line **ret)
{
	_cleanup_(builder_done) struct builder b = {};
	_cleanup_(by_line_freep) struct by_line *l = calloc(1, sizeof(*l));
	int r = l ? prepare(&b, p, l) : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < dict_functions(p->dict); i++) {
		const struct dict_function *f = dict_get_function(p->dict, i);

		b.asked[i] = (!name || streq(f->name, name)) && (!file || streq(f->file, file));
	}
	for (uint32_t i = 0; r == 0 && i < dict_stacks(p->dict); i++)
		r = b.weights[i] ? count_stack(&b, i) : 0;
	if (r == 0)
		r = choose_functions(&b, l);
	if (r == 0)
		r = choose_lines(&b, l);
	if (r == 0)
		r = choose_calls(&b, l);
	if (r == 0)
		r = choose_processes(&b, p, l);
	if (r == 0)
		*ret = TAKE_PTR(l);
	return r;
}

void by_line_free(struct by_line *l)
{
	if (!l)
		return;
	free(l->nodes);
	free(l->lines);
	free(l->calls);
	free(l->processes);
	free(l);
}
