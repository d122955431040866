/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/tree.h"

#include "util/array.h"

/*
 * Stacks are put into the order of their functions' names and gone through once. Of the tree there
 * is only the way from the root to where they are: a node is complete when the first stack comes
 * that does not have it, and is kept then, or folded. So memory is that of the different stacks,
 * whatever their depth.
 */

/* A node on that way. */
struct level {
	uint32_t function;
	uint32_t child, last; /* of what is kept of those below it; 0: nothing */
	uint64_t value, self;
	uint64_t folded, folded_value; /* of those below it */
};

struct builder {
	const struct dict *dict;
	struct tree *tree;
	uint64_t *weights; /* by stack */
	uint32_t *ranks;   /* by frame: its function's place in the order of names */
	uint32_t *order;   /* stacks with a weight, or functions */
	uint32_t n;
	uint64_t least; /* what a node must weigh */
	struct level way[TREE_DEPTH + 1];
	uint32_t depth;
};

static void builder_done(struct builder *b)
{
	free(b->weights);
	free(b->ranks);
	free(b->order);
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	free(t->nodes);
	free(t);
}

const struct dict_function *tree_function(const struct profile *p, const struct tree_node *n)
{
	return n->function == TREE_OTHER ? &profile_other_function :
					   dict_get_function(p->dict, n->function);
}

static int compare_functions(const void *pa, const void *pb, void *ctx)
{
	const struct builder *b = ctx;
	const struct dict_function *f = dict_get_function(b->dict, *(const uint32_t *)pa);
	const struct dict_function *g = dict_get_function(b->dict, *(const uint32_t *)pb);
	int r = strcmp(f->name, g->name);

	if (r == 0)
		r = strcmp(f->file, g->file);
	if (r == 0)
		r = strcmp(f->module, g->module);
	if (r == 0)
		r = (f->line > g->line) - (f->line < g->line);
	return r ? r : (f->kind > g->kind) - (f->kind < g->kind);
}

static uint32_t function_at(const struct builder *b, const struct dict_stack *s, uint32_t i)
{
	return dict_get_frame(b->dict, s->frames[i])->function;
}

/* Frames from the root on that two stacks have in common, or fewer. */
#define AT_ONCE 8

static uint32_t same_frames(const struct dict_stack *s, const struct dict_stack *t, uint32_t depth)
{
	uint32_t n = 0;

	while (depth - n >= AT_ONCE &&
	       memcmp(s->frames + n, t->frames + n, AT_ONCE * sizeof(*s->frames)) == 0)
		n += AT_ONCE;
	return n;
}

static int compare_stacks(const void *pa, const void *pb, void *ctx)
{
	const struct builder *b = ctx;
	const struct dict_stack *s = dict_get_stack(b->dict, *(const uint32_t *)pa);
	const struct dict_stack *t = dict_get_stack(b->dict, *(const uint32_t *)pb);
	uint32_t depth = MIN(s->depth, t->depth);

	for (uint32_t i = same_frames(s, t, depth); i < depth; i++) {
		uint32_t f = b->ranks[s->frames[i]], g = b->ranks[t->frames[i]];

		if (f != g)
			return f > g ? 1 : -1;
	}
	return (s->depth > t->depth) - (s->depth < t->depth);
}

/* Ranks of functions, then the order of stacks. */
static int sort(struct builder *b)
{
	uint32_t functions = dict_functions(b->dict), stacks = dict_stacks(b->dict);
	uint32_t frames = dict_frames(b->dict);
	_cleanup_free_ uint32_t *ranks = calloc((size_t)functions + 1, sizeof(*ranks));

	b->order = calloc((size_t)MAX(functions, stacks) + 1, sizeof(*b->order));
	b->ranks = calloc((size_t)frames + 1, sizeof(*b->ranks));
	if (!b->order || !b->ranks || !ranks)
		return -ENOMEM;
	for (uint32_t i = 0; i < functions; i++)
		b->order[i] = i;
	qsort_r(b->order, functions, sizeof(*b->order), compare_functions, b);
	for (uint32_t i = 0; i < functions; i++)
		ranks[b->order[i]] = i;
	for (uint32_t i = 0; i < frames; i++)
		b->ranks[i] = ranks[dict_get_frame(b->dict, i)->function];
	for (uint32_t i = 0; i < stacks; i++) {
		if (b->weights[i])
			b->order[b->n++] = i;
	}
	qsort_r(b->order, b->n, sizeof(*b->order), compare_stacks, b);
	return 0;
}

/* One more child of a level. */
static int put_child(struct builder *b, struct level *l, const struct tree_node *n)
{
	struct tree *t = b->tree;
	void *array = t->nodes;
	int r = array_reserve(&array, t->nnodes, &t->room, sizeof(*t->nodes));

	if (r < 0)
		return r;
	t->nodes = array;
	t->nodes[t->nnodes] = *n;
	if (l->last)
		t->nodes[l->last].next = t->nnodes;
	else
		l->child = t->nnodes;
	l->last = t->nnodes++;
	return 0;
}

/* What was folded of those below a level that is kept becomes its last child. */
static int put_other(struct builder *b, struct level *l)
{
	const struct tree_node other = { .function = TREE_OTHER,
					 .value = l->folded_value,
					 .self = l->folded_value };

	if (!l->folded_value)
		return 0;
	b->tree->folded += l->folded;
	b->tree->folded_value += l->folded_value;
	return put_child(b, l, &other);
}

/* The innermost node of the way is complete. */
static int close_level(struct builder *b)
{
	struct level *l = &b->way[b->depth--], *up = &b->way[b->depth];
	int r;

	up->value += l->value;
	if (l->value < b->least) {
		up->folded += 1 + l->folded;
		up->folded_value += l->value;
		return 0;
	}
	r = put_other(b, l);
	if (r < 0)
		return r;
	return put_child(b, up,
			 &(struct tree_node){ .function = l->function,
					      .child = l->child,
					      .value = l->value,
					      .self = l->self });
}

/* How many nodes of the way a stack has as well. */
static uint32_t in_common(const struct builder *b, const struct dict_stack *s, uint32_t depth)
{
	uint32_t n = 0;

	while (n < depth && n < b->depth && b->way[n + 1].function == function_at(b, s, n))
		n++;
	return n;
}

static int add_stack(struct builder *b, uint32_t id)
{
	const struct dict_stack *s = dict_get_stack(b->dict, id);
	uint32_t depth = MIN(s->depth, (uint32_t)TREE_DEPTH), common = in_common(b, s, depth);
	struct level *l;
	int r = 0;

	while (r == 0 && b->depth > common)
		r = close_level(b);
	if (r < 0)
		return r;
	while (b->depth < depth) {
		uint32_t function = function_at(b, s, b->depth);

		b->way[++b->depth] = (struct level){ .function = function };
	}
	l = &b->way[b->depth];
	l->value += b->weights[id];
	if (s->depth > depth) {
		l->folded++;
		l->folded_value += b->weights[id];
	} else {
		l->self += b->weights[id];
	}
	return 0;
}

static int build(struct builder *b)
{
	struct tree *t = b->tree;
	struct level *root = &b->way[0];
	int r;

	t->nnodes = 0;
	t->folded = t->folded_value = 0;
	b->depth = 0;
	*root = (struct level){};
	/* the root's place */
	r = put_child(b, root, &(struct tree_node){});
	*root = (struct level){};
	for (uint32_t i = 0; r == 0 && i < b->n && t->nnodes <= TREE_NODES; i++)
		r = add_stack(b, b->order[i]);
	while (r == 0 && b->depth)
		r = close_level(b);
	if (r == 0)
		r = put_other(b, root);
	if (r == 0)
		t->nodes[0] = (struct tree_node){ .child = root->child,
						  .value = root->value,
						  .self = root->self };
	return r;
}

static int add_weights(struct builder *b, const struct profile *p, uint64_t *ret_total)
{
	*ret_total = 0;
	b->weights = calloc((size_t)dict_stacks(p->dict) + 1, sizeof(*b->weights));
	if (!b->weights)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nsamples; i++) {
		uint64_t weight = profile_weight(p, &p->samples[i]);

		b->weights[p->samples[i].stack] += weight;
		b->tree->states[p->samples[i].state] += weight;
		*ret_total += weight;
	}
	return 0;
}

int tree_new(const struct profile *p, struct tree **ret)
{
	_cleanup_(tree_freep) struct tree *t = calloc(1, sizeof(*t));
	_cleanup_(builder_done) struct builder b = { .dict = p->dict, .tree = t };
	uint64_t total;
	int r;

	if (!t)
		return -ENOMEM;
	r = add_weights(&b, p, &total);
	if (r == 0)
		r = sort(&b);
	b.least = MAX(total / TREE_WIDTH, UINT64_C(1));
	if (r == 0)
		r = build(&b);
	while (r == 0 && t->nnodes > TREE_NODES) {
		b.least *= 2;
		r = build(&b);
	}
	if (r == 0)
		*ret = TAKE_PTR(t);
	return r;
}
