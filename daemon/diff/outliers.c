/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/outliers.h"

#include <math.h>

#include "diff/match.h"
#include "diff/numbered.h"
#include "util/array.h"

/* What a host has of a number. */
struct cell {
	uint32_t window, number;
	double self, total;
};

/* All hosts of a service, and what they have by number. */
struct looking {
	const struct diff_windows *windows;
	uint32_t *numbers;   /* of the dict's functions; owned */
	uint32_t *functions; /* by number, one of them; owned */
	uint32_t *callers;   /* by number; owned */
	uint32_t n;
	struct side side;
	struct series *self, *total; /* by number, over all; owned */
	struct cell *cells;          /* by window; owned */
	uint32_t ncells, cells_room;
	struct compared *compared; /* by number: of the host that is looked at; owned */
	int r;                     /* of adding cells */
};

static void looking_done(struct looking *l)
{
	free(l->numbers);
	free(l->functions);
	free(l->callers);
	side_done(&l->side);
	free(l->self);
	free(l->total);
	free(l->cells);
	free(l->compared);
}

void outliers_done(struct outliers *o)
{
	free(o->items);
	*o = (struct outliers){};
}

double outlier_least(const struct outlier *o)
{
	return o->compared.rise > 0 ? o->compared.rise_low : -o->compared.rise_high;
}

/* Hosts may have one program in different places, and of different versions. */
static int number_functions(struct looking *l)
{
	const struct dict *d = l->windows->dict;
	uint32_t n = dict_functions(d);
	_cleanup_free_ struct match_function *functions = calloc((size_t)n + 1, sizeof(*functions));
	int r;

	l->numbers = calloc((size_t)n + 1, sizeof(*l->numbers));
	if (!functions || !l->numbers)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct dict_function *f = dict_get_function(d, i);

		functions[i] = (struct match_function){ f->name, f->file, f->module, f->kind };
	}
	r = match_alike(functions, n, l->numbers);
	if (r < 0)
		return r;
	l->n = (uint32_t)r;
	l->functions = calloc((size_t)l->n + 1, sizeof(*l->functions));
	if (!l->functions)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		l->functions[l->numbers[i]] = i;
	return 0;
}

static int find_callers(struct looking *l)
{
	_cleanup_(pairs_done) struct pairs calls = {};
	int r = numbered_calls(l->windows, l->numbers, &calls);

	return r < 0 ? r : numbered_callers(&calls, l->n, l->callers);
}

static void add_cell(uint32_t window, uint32_t number, double self, double total, void *ctx)
{
	struct looking *l = ctx;
	void *array = l->cells;

	if (l->r == 0)
		l->r = array_reserve(&array, l->ncells, &l->cells_room, sizeof(*l->cells));
	if (l->r < 0)
		return;
	l->cells = array;
	l->cells[l->ncells++] = (struct cell){ window, number, self, total };
	if (self > 0)
		series_add(&l->self[number], &l->side, window, self);
	series_add(&l->total[number], &l->side, window, total);
}

static int add_all(struct looking *l)
{
	const struct diff_windows *w = l->windows;
	int r = 0;

	l->callers = calloc((size_t)l->n + 1, sizeof(*l->callers));
	l->self = calloc((size_t)l->n + 1, sizeof(*l->self));
	l->total = calloc((size_t)l->n + 1, sizeof(*l->total));
	l->compared = calloc((size_t)l->n + 1, sizeof(*l->compared));
	if (!l->callers || !l->self || !l->total || !l->compared)
		return -ENOMEM;
	/* no host is followed by another: each is a run of its own */
	for (uint32_t i = 0; i < w->n && r == 0; i++)
		r = side_add(&l->side, w->totals[i], i);
	if (r < 0)
		return r;
	side_close(&l->side);
	r = numbered_each(w, l->numbers, l->n, add_cell, l);
	if (r == 0)
		r = l->r;
	return r < 0 ? r : find_callers(l);
}

/* The sides of all functions: the host's cells begin at from. Returns where they end. */
static uint32_t set_sides(struct looking *l, uint32_t window, uint32_t from,
			  struct side sides[SIDES])
{
	double all = l->side.windows[window].total;
	uint32_t at = from;

	sides[BASE_SIDE] = side_without(&l->side, all);
	sides[NEW_SIDE] = side_of_one(all);
	for (uint32_t i = 0; i < l->n; i++)
		l->compared[i] = (struct compared){ .caller = l->callers[i],
						    .self = { l->self[i] },
						    .total = { l->total[i] } };
	for (; at < l->ncells && l->cells[at].window == window; at++) {
		const struct cell *c = &l->cells[at];
		struct compared *f = &l->compared[c->number];

		series_take(&f->self[BASE_SIDE], all, c->self);
		series_take(&f->total[BASE_SIDE], all, c->total);
		f->self[NEW_SIDE] = series_of_one(all, c->self);
		f->total[NEW_SIDE] = series_of_one(all, c->total);
	}
	return at;
}

static bool is_called(enum verdict v)
{
	return v == VERDICT_SLOWER || v == VERDICT_FASTER || v == VERDICT_NEW || v == VERDICT_GONE;
}

static int keep(const struct looking *l, uint32_t window, uint32_t number, struct outliers *to)
{
	void *array = to->items;
	int r = array_reserve(&array, to->n, &to->room, sizeof(*to->items));

	if (r < 0)
		return r;
	to->items = array;
	to->items[to->n] = (struct outlier){ window, l->functions[number], l->compared[number] };
	to->items[to->n++].compared.caller = COMPARED_NO_CALLER;
	return 0;
}

static int by_least(const void *pa, const void *pb)
{
	const struct outlier *a = pa, *b = pb;
	double one = outlier_least(a), two = outlier_least(b);

	if (a->window != b->window)
		return a->window < b->window ? -1 : 1;
	if (one > two || one < two)
		return one > two ? -1 : 1;
	return (a->function > b->function) - (a->function < b->function);
}

static int look(struct looking *l, uint32_t among, struct outliers *to)
{
	const struct compare_options options = {
		.least_share = OUTLIERS_SHARE,
		.least_relative = OUTLIERS_RELATIVE,
		.alone = OUTLIERS_ALONE,
		.one_of_others = true,
		.false_share = compare_defaults.false_share,
		.among = among,
	};
	uint32_t at = 0;
	int r = 0;

	for (uint32_t window = 0; window < l->side.n && r == 0; window++) {
		struct side sides[SIDES];
		struct comparison c;

		at = set_sides(l, window, at, sides);
		r = compare_sides(sides, l->compared, l->n, &options, &c);
		for (uint32_t i = 0; i < l->n && r == 0; i++)
			if (is_called(l->compared[i].verdict))
				r = keep(l, window, i, to);
	}
	return r;
}

int outliers_find(const struct diff_windows *w, uint32_t among, struct outliers *ret)
{
	_cleanup_(looking_done) struct looking l = { .windows = w };
	_cleanup_(outliers_done) struct outliers found = {};
	int r = w->n < OUTLIERS_HOSTS_LEAST ? 0 : number_functions(&l);

	if (r == 0 && w->n >= OUTLIERS_HOSTS_LEAST) {
		r = add_all(&l);
		if (r == 0)
			r = look(&l, among, &found);
	}
	if (r < 0)
		return r;
	if (found.n)
		qsort(found.items, found.n, sizeof(*found.items), by_least);
	*ret = found;
	found = (struct outliers){};
	return 0;
}
