/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/profile.h"

/*
 * The stacks are those of a tree, which is never made: sorted by their frames, each branch of it is
 * a row of neighbours. So one walk along them, with a sum for each depth, tells what each branch
 * weighs. The first walk adds up what branches of each weight would take, from which the least
 * weight follows that a branch must have; the second cuts off those that have less. A branch weighs
 * no more than what it grows from, so what is left hangs together.
 */

/* Weights are told apart to an eighth. */
#define CLASSES (64 * 8)
/*
 * What a branch may take besides its stack: a function, its name and its file, a frame, a sample.
 */
#define BRANCH_BYTES 200

struct pruning {
	const struct dict *dict;
	uint64_t *weights; /* by stack */
	uint32_t *order;   /* stacks that have any, sorted */
	uint32_t n;
	uint32_t *kept;        /* by place in order: how many frames */
	uint64_t *sums;        /* by depth: of the branch that the walk is in */
	uint32_t *begins;      /* ... and its first place */
	size_t bytes[CLASSES]; /* by weight: what the branches may take */
	unsigned int least;    /* class of weight */
};

static void pruning_done(struct pruning *k)
{
	free(k->weights);
	free(k->order);
	free(k->kept);
	free(k->sums);
	free(k->begins);
}

static unsigned int class_of(uint64_t weight)
{
	unsigned int top = 63 - (unsigned int)__builtin_clzll(weight | 1);

	return top * 8 + (unsigned int)((top >= 3 ? weight >> (top - 3) : weight << (3 - top)) & 7);
}

static int compare_stacks(const void *pa, const void *pb, void *ctx)
{
	const struct dict_stack *a = dict_get_stack(ctx, *(const uint32_t *)pa);
	const struct dict_stack *b = dict_get_stack(ctx, *(const uint32_t *)pb);

	for (uint32_t i = 0; i < MIN(a->depth, b->depth); i++) {
		if (a->frames[i] != b->frames[i])
			return a->frames[i] < b->frames[i] ? -1 : 1;
	}
	return (a->depth > b->depth) - (a->depth < b->depth);
}

static int prepare(struct pruning *k, const struct profile *p)
{
	uint32_t stacks = dict_stacks(p->dict), deepest = 0;

	k->dict = p->dict;
	k->weights = calloc((size_t)stacks + 1, sizeof(*k->weights));
	k->order = calloc((size_t)stacks + 1, sizeof(*k->order));
	k->kept = calloc((size_t)stacks + 1, sizeof(*k->kept));
	if (!k->weights || !k->order || !k->kept)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nsamples; i++)
		k->weights[p->samples[i].stack] += profile_weight(p, &p->samples[i]);
	for (uint32_t i = 0; i < stacks; i++) {
		if (!k->weights[i])
			continue;
		deepest = MAX(deepest, dict_get_stack(p->dict, i)->depth);
		k->order[k->n++] = i;
	}
	qsort_r(k->order, k->n, sizeof(*k->order), compare_stacks, p->dict);
	k->sums = calloc((size_t)deepest + 1, sizeof(*k->sums));
	k->begins = calloc((size_t)deepest + 1, sizeof(*k->begins));
	return k->sums && k->begins ? 0 : -ENOMEM;
}

static uint32_t common(const struct dict_stack *a, const struct dict_stack *b)
{
	uint32_t n = 0;

	while (n < a->depth && n < b->depth && a->frames[n] == b->frames[n])
		n++;
	return n;
}

/* Calls leave() for each branch, by its depth and the place behind its last, deeper ones first. */
static void walk(struct pruning *k, void (*leave)(struct pruning *k, uint32_t depth, uint32_t end))
{
	static const struct dict_stack none;
	const struct dict_stack *before = &none;

	for (uint32_t i = 0; i <= k->n; i++) {
		const struct dict_stack *s = i < k->n ? dict_get_stack(k->dict, k->order[i]) :
							&none;
		uint32_t same = common(before, s);

		for (uint32_t depth = before->depth; depth > same; depth--) {
			leave(k, depth, i);
			k->sums[depth - 1] += k->sums[depth];
		}
		for (uint32_t depth = same + 1; depth <= s->depth; depth++) {
			k->sums[depth] = 0;
			k->begins[depth] = i;
		}
		if (i < k->n)
			k->sums[s->depth] += k->weights[k->order[i]];
		before = s;
	}
}

static void add_up(struct pruning *k, uint32_t depth, uint32_t end)
{
	k->bytes[class_of(k->sums[depth])] += BRANCH_BYTES + depth * sizeof(uint32_t);
}

static void cut(struct pruning *k, uint32_t depth, uint32_t end)
{
	if (class_of(k->sums[depth]) >= k->least)
		return;
	for (uint32_t i = k->begins[depth]; i < end; i++)
		k->kept[i] = depth - 1;
}

/* Finds the lightest branches for which there is room. */
static void find_least(struct pruning *k, size_t bytes)
{
	size_t taken = 0;

	for (k->least = CLASSES; k->least > 0; k->least--) {
		taken += k->bytes[k->least - 1];
		if (taken > bytes)
			return;
	}
}

/* The stack in place of the one at that place, as an id of the profile's dict. */
static int shorten(const struct pruning *k, struct profile *p, uint32_t place, uint32_t other,
		   uint32_t *frames, uint32_t *ret)
{
	const struct dict_stack *s = dict_get_stack(p->dict, k->order[place]);

	if (k->kept[place] >= s->depth) {
		*ret = k->order[place];
		return 0;
	}
	memcpy(frames, s->frames, k->kept[place] * sizeof(*frames));
	frames[k->kept[place]] = other;
	return dict_stack(p->dict, frames, k->kept[place] + 1, ret);
}

/* Gives each sample its shortened stack; the profile's index is wrong from then on. */
static int shorten_all(const struct pruning *k, struct profile *p)
{
	_cleanup_free_ uint32_t *stacks = NULL, *frames = NULL;
	uint32_t other, deepest = 0;
	int r;

	for (uint32_t i = 0; i < k->n; i++)
		deepest = MAX(deepest, k->kept[i]);
	stacks = calloc((size_t)dict_stacks(p->dict) + 1, sizeof(*stacks));
	frames = calloc((size_t)deepest + 1, sizeof(*frames));
	if (!stacks || !frames)
		return -ENOMEM;
	r = dict_synthetic(p->dict, PROFILE_OTHER, &other);
	for (uint32_t i = 0; r == 0 && i < k->n; i++)
		r = shorten(k, p, i, other, frames, &stacks[k->order[i]]);
	for (uint32_t i = 0; r == 0 && i < p->nsamples; i++) {
		/* what weighs nothing stays as it is */
		if (k->weights[p->samples[i].stack])
			p->samples[i].stack = stacks[p->samples[i].stack];
	}
	return r;
}

int profile_prune(struct profile **p, size_t bytes)
{
	_cleanup_(pruning_done) struct pruning k = {};
	_cleanup_(profile_freep) struct profile *whole = NULL;
	int r;

	r = prepare(&k, *p);
	if (r < 0)
		return r;
	walk(&k, add_up);
	find_least(&k, bytes);
	for (uint32_t i = 0; i < k.n; i++)
		k.kept[i] = dict_get_stack(k.dict, k.order[i])->depth;
	k.sums[0] = 0;
	walk(&k, cut);
	r = shorten_all(&k, *p);
	if (r < 0)
		return r;
	whole = *p;
	*p = NULL;
	/* a copy takes no more than what is left */
	return profile_without(whole, NULL, p);
}
