/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/diff.h"

#include <math.h>

#include "diff/match.h"
#include "diff/numbered.h"
#include "diff/rename.h"
#include "util/frame_kind.h"

/* What functions of both sides are matched by, and the number of what each is. */
struct matched {
	struct match_function *functions[SIDES];
	uint32_t *numbers[SIDES];
	uint32_t n;       /* of numbers */
	const char **was; /* by number, see rename_functions() */
};

static void matched_done(struct matched *m)
{
	for (int i = 0; i < SIDES; i++) {
		free(m->functions[i]);
		free(m->numbers[i]);
	}
	free(m->was);
}

/* Functions that were renamed are one. */
static int match_renamed(const struct diff_windows *const windows[SIDES], struct matched *m)
{
	struct rename_side sides[SIDES];
	int r;

	for (int i = 0; i < SIDES; i++)
		sides[i] = (struct rename_side){ m->functions[i], dict_functions(windows[i]->dict),
						 m->numbers[i], &windows[i]->lines };
	r = rename_functions(&sides[BASE_SIDE], &sides[NEW_SIDE], m->n, &m->was);
	if (r < 0)
		return r;
	m->n = (uint32_t)r;
	return 0;
}

static int match(const struct diff_windows *const windows[SIDES], struct matched *m)
{
	uint32_t n[SIDES];
	int r;

	for (int i = 0; i < SIDES; i++) {
		n[i] = dict_functions(windows[i]->dict);
		m->functions[i] = calloc((size_t)n[i] + 1, sizeof(**m->functions));
		m->numbers[i] = calloc((size_t)n[i] + 1, sizeof(**m->numbers));
		if (!m->functions[i] || !m->numbers[i])
			return -ENOMEM;
		for (uint32_t k = 0; k < n[i]; k++) {
			const struct dict_function *f = dict_get_function(windows[i]->dict, k);

			m->functions[i][k] =
				(struct match_function){ f->name, f->file, f->module, f->kind };
		}
	}
	r = match_functions(m->functions[BASE_SIDE], n[BASE_SIDE], m->functions[NEW_SIDE],
			    n[NEW_SIDE], m->numbers[BASE_SIDE], m->numbers[NEW_SIDE]);
	if (r < 0)
		return r;
	m->n = (uint32_t)r;
	return match_renamed(windows, m);
}

static int make_side(const struct diff_windows *w, struct side *side)
{
	for (uint32_t i = 0; i < w->n; i++) {
		int r = side_add(side, w->totals[i], 0);

		if (r < 0)
			return r;
	}
	side_close(side);
	return 0;
}

/* Where the counts of a side go. */
struct filling {
	const struct side *side;
	struct compared *compared;
	int which;
};

static void add_count(uint32_t window, uint32_t number, double self, double total, void *ctx)
{
	const struct filling *f = ctx;
	struct compared *c = &f->compared[number];

	if (self > 0)
		series_add(&c->self[f->which], f->side, window, self);
	series_add(&c->total[f->which], f->side, window, total);
}

static int fill_side(const struct diff_windows *w, const struct matched *m, int which,
		     struct side *side, struct diff *d)
{
	struct filling f = { side, d->compared, which };
	int r = make_side(w, side);

	if (r == 0)
		r = numbered_each(w, m->numbers[which], m->n, add_count, &f);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < dict_functions(w->dict); i++)
		d->functions[m->numbers[which][i]] = dict_get_function(w->dict, i);
	return 0;
}

static void add_file(struct diff *d, uint32_t number, const char *file)
{
	const char **files = d->files[number];

	if (streq(file, d->functions[number]->file))
		return;
	for (int i = 0; i < DIFF_FILES; i++) {
		if (files[i] && !streq(files[i], file))
			continue;
		files[i] = file;
		return;
	}
}

static void find_files(const struct matched *m, struct diff *d)
{
	for (int side = 0; side < SIDES; side++) {
		const struct dict *dict = d->windows[side]->dict;

		for (uint32_t i = 0; i < dict_functions(dict); i++)
			add_file(d, m->numbers[side][i], dict_get_function(dict, i)->file);
	}
}

/* Who called each in most of its samples, on both sides. */
static int find_callers(const struct matched *m, struct diff *d)
{
	_cleanup_(pairs_done) struct pairs calls = {};
	_cleanup_free_ uint32_t *callers = calloc((size_t)m->n + 1, sizeof(*callers));
	int r = callers ? 0 : -ENOMEM;

	for (int side = 0; side < SIDES && r == 0; side++)
		r = numbered_calls(d->windows[side], m->numbers[side], &calls);
	if (r == 0)
		r = numbered_callers(&calls, m->n, callers);
	for (uint32_t i = 0; i < m->n && r == 0; i++)
		d->compared[i].caller = callers[i];
	return r;
}

static uint32_t rank_of(const struct diff *d, uint32_t number)
{
	switch (d->compared[number].verdict) {
	case VERDICT_SLOWER:
	case VERDICT_NEW:
		return 0;
	case VERDICT_FASTER:
	case VERDICT_GONE:
		return 1;
	case VERDICT_MOVED:
		return 2;
	default:
		return d->was[number] ? 2 : 3;
	}
}

static double heaviest_of(const struct compared *c)
{
	return fmax(fmax(c->base_total, c->new_total), 0);
}

/* What somebody is told of, slower ones first, by how much; then all others by their time. */
static int by_change(const void *pa, const void *pb, void *ctx)
{
	const struct diff *d = ctx;
	uint32_t i = *(const uint32_t *)pa, k = *(const uint32_t *)pb;
	const struct compared *a = &d->compared[i], *b = &d->compared[k];
	uint32_t one = rank_of(d, i), two = rank_of(d, k);
	double x = heaviest_of(a), y = heaviest_of(b);

	if (one != two)
		return one < two ? -1 : 1;
	if (one < 3) {
		x = fabs(a->rise);
		y = fabs(b->rise);
	}
	if (x != y)
		return x > y ? -1 : 1;
	x = fmax(a->base_self, a->new_self);
	y = fmax(b->base_self, b->new_self);
	if (x > y || x < y)
		return x > y ? -1 : 1;
	return (i > k) - (i < k);
}

static int fill(struct diff *d, const struct compare_options *o)
{
	_cleanup_(side_done) struct side base = {};
	_cleanup_(side_done) struct side new = {};
	_cleanup_(matched_done) struct matched m = {};
	struct side sides[SIDES];
	int r = match(d->windows, &m);

	if (r < 0)
		return r;
	d->n = m.n;
	d->was = TAKE_PTR(m.was);
	d->functions = calloc((size_t)m.n + 1, sizeof(*d->functions));
	d->compared = calloc((size_t)m.n + 1, sizeof(*d->compared));
	d->order = calloc((size_t)m.n + 1, sizeof(*d->order));
	d->files = calloc((size_t)m.n + 1, sizeof(*d->files));
	if (!d->functions || !d->compared || !d->order || !d->files)
		return -ENOMEM;
	r = fill_side(d->windows[BASE_SIDE], &m, BASE_SIDE, &base, d);
	if (r == 0)
		r = fill_side(d->windows[NEW_SIDE], &m, NEW_SIDE, &new, d);
	if (r == 0)
		r = find_callers(&m, d);
	if (r == 0)
		find_files(&m, d);
	if (r < 0)
		return r;
	sides[BASE_SIDE] = base;
	sides[NEW_SIDE] = new;
	return compare_sides(sides, d->compared, d->n, o, &d->comparison);
}

int diff_new(const struct diff_windows *const windows[SIDES], const struct compare_options *o,
	     struct diff **ret)
{
	_cleanup_(diff_freep) struct diff *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->windows[BASE_SIDE] = windows[BASE_SIDE];
	d->windows[NEW_SIDE] = windows[NEW_SIDE];
	r = fill(d, o);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < d->n; i++)
		d->order[i] = i;
	qsort_r(d->order, d->n, sizeof(*d->order), by_change, d);
	d->nwarnings = warn_of_sides(windows, d->warnings);
	if (d->nwarnings < 0)
		return d->nwarnings;
	*ret = TAKE_PTR(d);
	return 0;
}

void diff_free(struct diff *d)
{
	if (!d)
		return;
	for (int i = 0; i < d->nwarnings; i++)
		free(d->warnings[i]);
	free(d->functions);
	free(d->was);
	free(d->files);
	free(d->compared);
	free(d->order);
	free(d);
}

static void put_side(struct json_writer *w, const char *key, const struct diff_windows *of)
{
	json_put_object(w, key);
	json_put_uint(w, "windows", of->seen);
	if (of->hosts)
		json_put_uint(w, "hosts", of->hosts);
	json_put_real(w, "window_s", (double)of->longest_ns / NSEC_PER_SEC);
	json_put_real(w, "samples", of->samples);
	json_put_real(w, "seconds", of->seconds);
	json_put_uint(w, "hz", of->hz_most);
	if (of->from_ns) {
		json_put_seconds(w, "from", (int64_t)of->from_ns);
		json_put_seconds(w, "to", (int64_t)of->to_ns);
	} else {
		json_put_null(w, "from");
		json_put_null(w, "to");
	}
	json_put_end(w);
}

static void put_compared(struct json_writer *w, const struct compared *c)
{
	json_put_real(w, "base_self", c->base_self);
	json_put_real(w, "new_self", c->new_self);
	json_put_real(w, "base_total", c->base_total);
	json_put_real(w, "new_total", c->new_total);
	json_put_real(w, "delta", c->delta);
	json_put_real(w, "low", c->low);
	json_put_real(w, "high", c->high);
	json_put_real(w, "rise", c->rise);
	json_put_real(w, "rise_low", c->rise_low);
	json_put_real(w, "rise_high", c->rise_high);
	json_put_real(w, "relative", c->relative);
	json_put_real(w, "q", c->q);
	json_put_string(w, "verdict", verdict_name(c->verdict));
}

void diff_put_function(struct json_writer *w, const struct dict_function *f, const char *was,
		       const char *const files[DIFF_FILES], const struct compared *c)
{
	json_put_string(w, "name", f->name);
	json_put_string(w, "was", was);
	json_put_string(w, "file", f->file);
	json_put_array(w, "files");
	for (int i = 0; i < DIFF_FILES && files[i]; i++)
		json_put_string(w, NULL, files[i]);
	json_put_end(w);
	json_put_string(w, "module", f->module);
	json_put_string(w, "kind", frame_kind_name(f->kind));
	put_compared(w, c);
}

void diff_put_at(struct json_writer *w, const struct diff *d, uint32_t number)
{
	diff_put_function(w, d->functions[number], d->was[number], d->files[number],
			  &d->compared[number]);
}

void diff_put(const struct diff *d, struct json_writer *w)
{
	uint32_t n = MIN(d->n, (uint32_t)DIFF_FUNCTIONS);

	put_side(w, "base", d->windows[BASE_SIDE]);
	put_side(w, "new", d->windows[NEW_SIDE]);
	json_put_real(w, "scale", d->comparison.scale);
	json_put_array(w, "warnings");
	for (int i = 0; i < d->nwarnings; i++)
		json_put_string(w, NULL, d->warnings[i]);
	json_put_end(w);
	json_put_array(w, "functions");
	for (uint32_t i = 0; i < n; i++) {
		json_put_object(w, NULL);
		diff_put_at(w, d, d->order[i]);
		json_put_end(w);
	}
	json_put_end(w);
	json_put_uint(w, "left_out", d->n - n);
}
