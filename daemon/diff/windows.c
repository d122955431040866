/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/windows.h"

#include "diff/rename.h"
#include "util/array.h"

/* An array that grows to hold a number, with zeros. */
struct table {
	void *items;
	uint32_t n;
};

/* What windows are added with. */
struct diff_adding {
	/* Of the dict and the processes of the window before, as long as they are the same: */
	const struct dict *from;
	struct table functions; /* uint32_t by its function: ours + 1; 0: not looked for yet */
	struct table parts;     /* uint32_t by its process: the part + 1 */
	struct table stacks;    /* double by its stack: samples that are not in calls yet */
	/* Of diff_windows_sums(): the functions by their number there, and by it ours + 1 */
	struct dict *all;
	struct table ours;
	/* Of one window: */
	struct table counts;  /* double by its stack */
	struct table touched; /* uint32_t: which of these are not 0 */
	uint32_t ntouched;
	struct table sums; /* struct sum_of by our function */
	struct table met;  /* uint32_t: which of these are not 0 */
	uint32_t nmet, stamp;

	uint32_t each, pending; /* windows that become one, and how many of the last are there */
	uint32_t begin;         /* in counts, of the last */
	uint32_t counts_room, parts_room;
};

struct sum_of {
	uint32_t stamp; /* the stack that was added last */
	bool met;
	double self, total;
};

static int table_hold(struct table *t, uint32_t n, size_t size)
{
	uint32_t want = MAX(t->n, 64u);
	void *items;

	if (n <= t->n)
		return 0;
	while (want < n)
		want *= 2;
	items = reallocarray(t->items, want, size);
	if (!items)
		return -ENOMEM;
	memset((char *)items + t->n * size, 0, (want - t->n) * size);
	t->items = items;
	t->n = want;
	return 0;
}

static void table_clear(struct table *t, size_t size)
{
	if (t->n)
		memset(t->items, 0, t->n * size);
}

int diff_windows_new(struct diff_windows **ret)
{
	_cleanup_(diff_windows_freep) struct diff_windows *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->adding = calloc(1, sizeof(*w->adding));
	w->totals = calloc(DIFF_WINDOWS, sizeof(*w->totals));
	if (!w->adding || !w->totals)
		return -ENOMEM;
	w->adding->each = 1;
	r = dict_new(&w->dict);
	if (r == 0)
		*ret = TAKE_PTR(w);
	return r;
}

void diff_windows_free(struct diff_windows *w)
{
	struct diff_adding *a;

	if (!w)
		return;
	a = w->adding;
	if (a) {
		dict_free(a->all);
		free(a->ours.items);
		free(a->functions.items);
		free(a->parts.items);
		free(a->stacks.items);
		free(a->counts.items);
		free(a->touched.items);
		free(a->sums.items);
		free(a->met.items);
		free(a);
	}
	pairs_done(&w->calls);
	pairs_done(&w->lines);
	free(w->counts);
	free(w->totals);
	free(w->parts);
	dict_free(w->dict);
	free(w);
}

size_t diff_windows_bytes(const struct diff_windows *w)
{
	const struct diff_adding *a = w->adding;

	return dict_bytes(w->dict) + (a->all ? dict_bytes(a->all) : 0) +
	       a->counts_room * sizeof(*w->counts) + pairs_bytes(&w->calls) +
	       pairs_bytes(&w->lines) +
	       (a->functions.n + a->ours.n + a->parts.n + a->touched.n + a->met.n) *
		       sizeof(uint32_t) +
	       (a->stacks.n + a->counts.n) * sizeof(double) + a->sums.n * sizeof(struct sum_of);
}

/* Our number of a function of the window's. */
static int function_of(struct diff_windows *w, const struct profile *window, uint32_t function,
		       uint32_t *ret)
{
	uint32_t *known = (uint32_t *)w->adding->functions.items + function;

	if (!*known) {
		struct dict_function f = *dict_get_function(window->dict, function);
		int r;

		f.line = 0;
		r = dict_function(w->dict, &f, known);
		if (r < 0)
			return r;
		++*known;
	}
	*ret = *known - 1;
	return 0;
}

/* One frame of a stack, and the one that called it. */
static int add_frame(struct diff_windows *w, const struct dict *from, uint32_t caller,
		     const struct dict_frame *f, double samples)
{
	const uint32_t *functions = w->adding->functions.items;
	uint32_t callee = functions[f->function];
	int first = dict_get_function(from, f->function)->line;
	int r = pairs_add(&w->lines, callee - 1, rename_line(first, f->line), samples);

	if (r == 0 && caller && caller != callee)
		r = pairs_add(&w->calls, caller - 1, callee - 1, samples);
	return r;
}

/*
 * What was called, and on which lines, in the stacks of the windows before, whose numbers are about
 * to change.
 */
static int add_frames(struct diff_windows *w, const struct dict *from)
{
	struct diff_adding *a = w->adding;
	const uint32_t *functions = a->functions.items;
	double *counts = a->stacks.items;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < a->stacks.n; i++) {
		const struct dict_stack *s;

		if (!(counts[i] > 0))
			continue;
		s = dict_get_stack(from, i);
		for (uint32_t k = 0, caller = 0; r == 0 && k < s->depth; k++) {
			const struct dict_frame *f = dict_get_frame(from, s->frames[k]);

			r = add_frame(w, from, caller, f, counts[i]);
			caller = functions[f->function];
		}
		counts[i] = 0;
	}
	return r;
}

static int hold_all(struct diff_adding *a, const struct profile *window)
{
	int r = table_hold(&a->functions, dict_functions(window->dict), sizeof(uint32_t));

	if (r == 0)
		r = table_hold(&a->parts, window->nprocesses, sizeof(uint32_t));
	if (r == 0)
		r = table_hold(&a->stacks, dict_stacks(window->dict), sizeof(double));
	if (r == 0)
		r = table_hold(&a->counts, dict_stacks(window->dict), sizeof(double));
	if (r == 0)
		r = table_hold(&a->touched, window->nsamples, sizeof(uint32_t));
	return r;
}

static int part_of(struct diff_windows *w, const struct profile_process *p, uint32_t *ret)
{
	const char *name = *p->info.service ? p->info.service : p->info.comm;
	void *array = w->parts;
	uint32_t text;
	int r = dict_text(w->dict, name, &text);

	if (r < 0)
		return r;
	for (*ret = 0; *ret < w->nparts; ++*ret)
		if (w->parts[*ret].name == text)
			return 0;
	if (w->nparts == DIFF_PARTS) {
		*ret = DIFF_PARTS - 1;
		return 0;
	}
	r = array_reserve(&array, w->nparts, &w->adding->parts_room, sizeof(*w->parts));
	if (r < 0)
		return r;
	w->parts = array;
	w->parts[w->nparts++] = (struct diff_part){ .name = text };
	return 0;
}

/* Adds the samples up by stack and by part. */
static int add_samples(struct diff_windows *w, const struct profile *window, double *ret_total)
{
	struct diff_adding *a = w->adding;
	uint32_t *parts = a->parts.items, *touched = a->touched.items;
	double *counts = a->counts.items, sum = 0;
	int r;

	a->ntouched = 0;
	for (uint32_t i = 0; i < window->nsamples; i++) {
		const struct profile_sample *s = &window->samples[i];
		double samples = (double)profile_weight(window, s);
		uint32_t part;

		if (!(samples > 0) || dict_get_stack(window->dict, s->stack)->depth == 0)
			continue;
		if (!parts[s->process]) {
			r = part_of(w, &window->processes[s->process], &part);
			if (r < 0)
				return r;
			parts[s->process] = part + 1;
		}
		w->parts[parts[s->process] - 1].samples += samples;
		if (!(counts[s->stack] > 0))
			touched[a->ntouched++] = s->stack;
		counts[s->stack] += samples;
		sum += samples;
	}
	*ret_total = sum;
	return 0;
}

/* One that has frames. */
static int add_stack(struct diff_windows *w, const struct profile *window, uint32_t stack,
		     double samples)
{
	const struct dict_stack *s = dict_get_stack(window->dict, stack);
	struct diff_adding *a = w->adding;
	uint32_t f = 0;
	struct sum_of *sum;
	int r;

	a->stamp++;
	for (uint32_t i = 0; i < s->depth; i++) {
		r = function_of(w, window, dict_get_frame(window->dict, s->frames[i])->function,
				&f);
		if (r == 0)
			r = table_hold(&a->sums, f + 1, sizeof(struct sum_of));
		if (r == 0)
			r = table_hold(&a->met, a->nmet + 1, sizeof(uint32_t));
		if (r < 0)
			return r;
		sum = (struct sum_of *)a->sums.items + f;
		if (!sum->met)
			((uint32_t *)a->met.items)[a->nmet++] = f;
		sum->met = true;
		if (sum->stamp == a->stamp)
			continue;
		sum->stamp = a->stamp;
		sum->total += samples;
	}
	((struct sum_of *)a->sums.items)[f].self += samples;
	return 0;
}

/* Puts the sums of a window, or of several that are one, at the end of counts. */
static int end_window(struct diff_windows *w)
{
	struct diff_adding *a = w->adding;
	struct sum_of *sums = a->sums.items;

	for (uint32_t i = 0; i < a->nmet; i++) {
		uint32_t f = ((uint32_t *)a->met.items)[i];
		void *array = w->counts;
		int r = array_reserve(&array, w->ncounts, &a->counts_room, sizeof(*w->counts));

		if (r < 0)
			return r;
		w->counts = array;
		w->counts[w->ncounts++] = (struct diff_count){ w->n - 1, f, (float)sums[f].self,
							       (float)sums[f].total };
		sums[f] = (struct sum_of){};
	}
	a->nmet = 0;
	return 0;
}

static void add_sum(struct diff_adding *a, const struct diff_count *c)
{
	struct sum_of *sum = (struct sum_of *)a->sums.items + c->function;

	if (!sum->met)
		((uint32_t *)a->met.items)[a->nmet++] = c->function;
	sum->met = true;
	sum->self += c->self;
	sum->total += c->total;
}

/* Makes one of each two windows. No more is written than was read. */
static int halve(struct diff_windows *w)
{
	struct diff_adding *a = w->adding;
	uint32_t ncounts = w->ncounts, n = w->n, at = 0;
	int r = table_hold(&a->met, dict_functions(w->dict), sizeof(uint32_t));

	w->ncounts = 0;
	w->n = 0;
	for (uint32_t i = 0; r == 0 && i < n; i += 2) {
		for (; at < ncounts && w->counts[at].window <= i + 1; at++)
			add_sum(a, &w->counts[at]);
		w->totals[w->n++] = w->totals[i] + (i + 1 < n ? w->totals[i + 1] : 0);
		r = end_window(w);
	}
	a->each *= 2;
	return r;
}

/* Where the samples of the next window go. */
static int begin_window(struct diff_windows *w)
{
	struct diff_adding *a = w->adding;
	int r = 0;

	if (w->apart && w->n == DIFF_WINDOWS)
		return -E2BIG;
	if (a->pending == 0 && !w->apart &&
	    (w->n == DIFF_WINDOWS || (w->ncounts > DIFF_COUNTS && w->n >= DIFF_WINDOWS_FEW)))
		r = halve(w);
	if (r == 0 && a->pending == 0) {
		a->begin = w->ncounts;
		w->totals[w->n++] = 0;
	}
	return r;
}

/* What is said of a window beside its counts. */
struct about {
	uint64_t start_ns, end_ns;
	uint32_t hz;
	bool off_cpu;
};

static void describe(struct diff_windows *w, const struct about *window, double total)
{
	w->seen++;
	w->samples += total;
	w->seconds += (double)(window->end_ns - window->start_ns) / NSEC_PER_SEC;
	w->longest_ns = MAX(w->longest_ns, window->end_ns - window->start_ns);
	if (!w->from_ns)
		w->from_ns = window->start_ns;
	w->to_ns = MAX(w->to_ns, window->end_ns);
	w->off_cpu |= window->off_cpu;
	if (!window->hz)
		return;
	w->hz_least = w->hz_least ? MIN(w->hz_least, window->hz) : window->hz;
	w->hz_most = MAX(w->hz_most, window->hz);
}

/* Of the stacks that were touched. */
static int add_stacks(struct diff_windows *w, const struct profile *window)
{
	struct diff_adding *a = w->adding;
	double *counts = a->counts.items, *stacks = a->stacks.items;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < a->ntouched; i++) {
		uint32_t stack = ((uint32_t *)a->touched.items)[i];

		r = add_stack(w, window, stack, counts[stack]);
		stacks[stack] += counts[stack];
		counts[stack] = 0;
	}
	return r;
}

/* Each function is in the last window once from here on. */
static int join_counts(struct diff_windows *w)
{
	struct diff_adding *a = w->adding;
	uint32_t n = w->ncounts;
	int r = table_hold(&a->met, dict_functions(w->dict), sizeof(uint32_t));

	if (r < 0)
		return r;
	for (uint32_t i = a->begin; i < n; i++)
		add_sum(a, &w->counts[i]);
	w->ncounts = a->begin;
	return end_window(w);
}

/* The window whose counts were put at the end is complete. */
static int complete(struct diff_windows *w, const struct about *window, double total)
{
	struct diff_adding *a = w->adding;

	w->totals[w->n - 1] += total;
	describe(w, window, total);
	if (++a->pending < a->each)
		return w->ncounts - a->begin > DIFF_COUNTS / 4 ? join_counts(w) : 0;
	a->pending = 0;
	return join_counts(w);
}

int diff_windows_add(struct diff_windows *w, const struct profile *window)
{
	struct diff_adding *a = w->adding;
	double total;
	int r = hold_all(a, window);

	if (r < 0)
		return r;
	a->from = window->dict;
	r = add_samples(w, window, &total);
	if (r < 0 || !(total > 0))
		return r;
	r = begin_window(w);
	if (r == 0)
		r = add_stacks(w, window);
	if (r == 0)
		r = end_window(w);
	return r < 0 ? r :
		       complete(w,
				&(struct about){ window->start_ns, window->end_ns, window->hz,
						 window->off_cpu },
				total);
}

/* Most of these functions may have no samples on this side. */
static int number_of(const struct dict_function *f, void *ctx, uint32_t *ret)
{
	struct diff_windows *w = ctx;
	struct dict_function without_line = *f;
	int r = w->adding->all ? 0 : dict_new(&w->adding->all);

	without_line.line = 0;
	return r < 0 ? r : dict_function(w->adding->all, &without_line, ret);
}

/* Our number of a function that has samples. */
static int met_function(struct diff_windows *w, uint32_t number, uint32_t *ret)
{
	struct diff_adding *a = w->adding;
	int r = table_hold(&a->ours, number + 1, sizeof(uint32_t));
	uint32_t *ours;

	if (r < 0)
		return r;
	ours = (uint32_t *)a->ours.items + number;
	if (!*ours) {
		r = dict_function(w->dict, dict_get_function(a->all, number), ours);
		if (r < 0)
			return r;
		++*ours;
	}
	*ret = *ours - 1;
	return 0;
}

static int add_process(const struct profile_process *p, uint64_t samples, void *ctx)
{
	struct diff_windows *w = ctx;
	uint32_t part;
	int r = part_of(w, p, &part);

	if (r == 0)
		w->parts[part].samples += (double)samples;
	return r;
}

static int add_call(uint32_t caller, uint32_t callee, uint64_t samples, void *ctx)
{
	struct diff_windows *w = ctx;
	int r = met_function(w, caller, &caller);

	if (r == 0)
		r = met_function(w, callee, &callee);
	return r < 0 ? r : pairs_add(&w->calls, caller, callee, (double)samples);
}

static int add_line(uint32_t number, int first, int line, uint64_t samples, void *ctx)
{
	struct diff_windows *w = ctx;
	int r = met_function(w, number, &number);

	return r < 0 ? r : pairs_add(&w->lines, number, rename_line(first, line), (double)samples);
}

struct sums_of diff_windows_sums(struct diff_windows *w)
{
	return (struct sums_of){ .number = number_of,
				 .process = add_process,
				 .call = add_call,
				 .line = add_line,
				 .ctx = w };
}

/* Of one function, which has samples. */
static int add_function(struct diff_windows *w, uint32_t number, const struct sum *of)
{
	struct diff_adding *a = w->adding;
	uint32_t f;
	int r = met_function(w, number, &f);

	if (r == 0)
		r = table_hold(&a->sums, f + 1, sizeof(struct sum_of));
	if (r == 0)
		r = table_hold(&a->met, a->nmet + 1, sizeof(uint32_t));
	if (r == 0)
		add_sum(a, &(struct diff_count){ 0, f, (float)of->self, (float)of->total });
	return r;
}

int diff_windows_add_sums(struct diff_windows *w, const struct sums *s)
{
	int r = 0;

	if (!s->samples)
		return 0;
	r = begin_window(w);
	for (uint32_t i = 0; r == 0 && i < s->n; i++) {
		if (s->functions[i].total)
			r = add_function(w, i, &s->functions[i]);
	}
	if (r == 0)
		r = end_window(w);
	return r < 0 ? r :
		       complete(w, &(struct about){ s->start_ns, s->end_ns, s->hz, false },
				(double)s->samples);
}

int diff_windows_close(struct diff_windows *w)
{
	struct diff_adding *a = w->adding;
	int r = a->from ? add_frames(w, a->from) : 0;

	a->from = NULL;
	table_clear(&a->functions, sizeof(uint32_t));
	table_clear(&a->parts, sizeof(uint32_t));
	return r;
}
