/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often a comparison of windows is right, by simulation from windows that plopd really saved:
 *
 * 	bench_regressions DIR RUNS SELECTOR	of the windows in a state directory
 *
 * Each run draws WINDOWS windows for each side. A window is put together out of PIECES pieces of
 * those that there are, each of LENGTH that follow one another: at 2 s each as long as one of 30 s.
 * What changes on the new side is made in the stacks: a function that costs more has more samples,
 * one whose code moved has them in a helper that it calls. The same sides are compared in three
 * ways:
 *
 * 	plop	diff_new(): what it calls slower, faster, new or gone
 * 	shares	as a reader of two flame graphs does: by at least as much as plop demands
 * 	samples	the same, with a test that takes each sample for independent, and as many false
 * 		ones as plop allows
 *
 * It fails where plop is wrong more often than it may be. tests/bench/regressions records and runs
 * it; the short form is unit.diff.compare.
 */
#include <math.h>
#include <stdio.h>

#include "diff/diff.h"
#include "diff/fdr.h"
#include "made.h"
#include "store/store.h"
#include "util/array.h"

#define WINDOWS 100
#define PIECES  3
#define LENGTH  5

/* A window that is drawn from: its stacks, as the pool's dict has them. */
struct drawn {
	struct profile_sample *samples;
	uint32_t n;
};

struct pool {
	struct profile *all; /* the stacks of all windows; samples are those of one */
	struct drawn *windows;
	uint32_t n, room;
};

static uint64_t state = 1;

static double uniform(void)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(state >> 11) + 0.5) / (double)(UINT64_C(1) << 53);
}

/* Of n, each with a probability. */
static uint64_t some_of(uint64_t n, double probability)
{
	uint64_t k = 0;

	for (; n > 0; n--)
		k += uniform() < probability;
	return k;
}

/* A profile's window into the pool, whose numbers are its own. */
static int pool_add(const struct profile *p, void *ctx)
{
	struct pool *pool = ctx;
	void *array = pool->windows;
	struct drawn *to;

	if (!p || !p->nsamples)
		return 0;
	must(array_reserve(&array, pool->n, &pool->room, sizeof(*pool->windows)), "pool");
	pool->windows = array;
	profile_clear(pool->all);
	pool->all->hz = p->hz;
	must(profile_merge(pool->all, p), "pool");
	to = &pool->windows[pool->n++];
	to->n = pool->all->nsamples;
	to->samples = calloc(to->n, sizeof(*to->samples));
	must(to->samples ? 0 : -ENOMEM, "pool");
	memcpy(to->samples, pool->all->samples, to->n * sizeof(*to->samples));
	return 0;
}

static void pool_read(struct pool *pool, const char *dir, const char *selector)
{
	_cleanup_(selectors_done) struct selectors s = {};
	struct store_reader *reader;
	char *error = NULL;

	must(profile_new(0, 100, &pool->all), "pool");
	if (store_reader_open(dir, &reader, &error) < 0) {
		fprintf(stderr, "bench_regressions: %s\n", error);
		exit(EXIT_FAILURE);
	}
	must(selectors_add(&s, selector), selector);
	must(store_each_window(reader, 0, UINT64_MAX, &s, pool_add, pool), "read");
	store_reader_close(reader);
}

static void pool_done(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->n; i++)
		free(pool->windows[i].samples);
	free(pool->windows);
	profile_free(pool->all);
}

/* What is done to the new side. */
struct change {
	const char *name;
	uint32_t function; /* UINT32_MAX: nothing */
	double slower;     /* so much more time */
	double moved;      /* so much of its own time goes to a helper */
};

static uint32_t innermost(const struct pool *pool, uint32_t stack)
{
	const struct dict_stack *s = dict_get_stack(pool->all->dict, stack);

	return s->depth ? dict_get_frame(pool->all->dict, s->frames[s->depth - 1])->function :
			  UINT32_MAX;
}

/* The stack with a helper at its end. */
static uint32_t helped(struct pool *pool, uint32_t stack)
{
	const struct dict_stack *s = dict_get_stack(pool->all->dict, stack);
	uint32_t frames[1024], function, id, depth = MIN(s->depth, 1023u);

	memcpy(frames, s->frames, depth * sizeof(*frames));
	must(dict_python(pool->all->dict, "new_helper", "/srv/helper.py", 1, &function), "helper");
	must(dict_frame(pool->all->dict, function, 1, &frames[depth]), "helper");
	must(dict_stack(pool->all->dict, frames, depth + 1, &id), "helper");
	return id;
}

static void put(struct pool *pool, const struct profile_sample *s, uint32_t stack, uint64_t count)
{
	if (count)
		must(profile_add(pool->all, s->process, s->thread, stack, count), "add");
}

/* Adds a window of the pool to its profile, changed. */
static void add_window(struct pool *pool, const struct drawn *w, const struct change *c)
{
	for (uint32_t i = 0; i < w->n; i++) {
		const struct profile_sample *s = &w->samples[i];
		uint64_t count = s->count, moved = 0;

		if (c && innermost(pool, s->stack) == c->function) {
			count += some_of(count, c->slower);
			moved = some_of(count, c->moved);
		}
		put(pool, s, s->stack, count - moved);
		if (moved)
			put(pool, s, helped(pool, s->stack), moved);
	}
}

static struct diff_windows *make_side(struct pool *pool, const struct change *c)
{
	struct diff_windows *w;

	must(diff_windows_new(&w), "side");
	for (uint32_t i = 0; i < WINDOWS; i++) {
		profile_clear(pool->all);
		for (uint32_t k = 0; k < PIECES; k++) {
			uint32_t from = (uint32_t)(uniform() * (pool->n - LENGTH + 1));

			for (uint32_t j = 0; j < LENGTH; j++)
				add_window(pool, &pool->windows[from + j], c);
		}
		pool->all->end_ns = pool->all->start_ns + MADE_LENGTH;
		must(diff_windows_add(w, pool->all), "side");
		pool->all->start_ns = pool->all->end_ns;
	}
	must(diff_windows_close(w), "side");
	return w;
}

enum way {
	BY_PLOP,
	BY_SHARES,
	BY_SAMPLES,
	WAYS,
};

/* Of so many runs: those that called the function that changed, and those that called another. */
struct outcome {
	uint32_t runs, found[WAYS], others[WAYS];
};

static bool is_large(const struct compared *c)
{
	double delta = fabs(c->new_self - c->base_self);

	return delta >= compare_defaults.least_share &&
	       delta >= compare_defaults.least_relative * c->base_self;
}

/* Of two shares of independent samples. */
static double p_of_samples(const struct diff *d, const struct compared *c)
{
	double n = d->windows[BASE_SIDE]->samples, m = d->windows[NEW_SIDE]->samples;
	double share = (c->base_self * n + c->new_self * m) / (n + m);
	double deviation = sqrt(share * (1 - share) * (1 / n + 1 / m));

	return deviation > 0 ? erfc(fabs(c->new_self - c->base_self) / deviation / M_SQRT2) : 1;
}

static bool is_called(const struct compared *c)
{
	return c->verdict == VERDICT_SLOWER || c->verdict == VERDICT_FASTER ||
	       c->verdict == VERDICT_NEW || c->verdict == VERDICT_GONE;
}

static void count(const struct diff *d, const char *name, struct outcome *o)
{
	_cleanup_free_ double *p = calloc((size_t)d->n + 1, sizeof(*p));
	bool found[WAYS] = {}, others[WAYS] = {};

	must(p ? 0 : -ENOMEM, "count");
	for (uint32_t i = 0; i < d->n; i++)
		p[i] = p_of_samples(d, &d->compared[i]);
	must(fdr_adjust(p, d->n), "count");
	for (uint32_t i = 0; i < d->n; i++) {
		const struct compared *c = &d->compared[i];
		bool large = is_large(c), is_it = name && streq(d->functions[i]->name, name);
		bool calls[WAYS] = { is_called(c), large,
				     large && p[i] <= compare_defaults.false_share };

		for (int way = 0; way < WAYS; way++)
			*(is_it ? &found[way] : &others[way]) |= calls[way];
	}
	o->runs++;
	for (int way = 0; way < WAYS; way++) {
		o->found[way] += found[way];
		o->others[way] += others[way];
	}
}

static struct outcome simulate(struct pool *pool, const struct change *c, unsigned int runs)
{
	const char *name = c ? c->name : NULL;
	struct outcome o = {};

	for (unsigned int i = 0; i < runs; i++) {
		struct diff_windows *base = make_side(pool, NULL), *new = make_side(pool, c);
		const struct diff_windows *const sides[SIDES] = { base, new };
		struct diff *d;

		must(diff_new(sides, &compare_defaults, &d), "compare");
		count(d, name, &o);
		diff_free(d);
		diff_windows_free(base);
		diff_windows_free(new);
	}
	return o;
}

/* The function whose own time is nearest to a share of all. */
static uint32_t find_function(struct pool *pool, double share, double *ret_share)
{
	uint32_t n = dict_functions(pool->all->dict), best = 0;
	_cleanup_free_ double *self = calloc((size_t)n + 1, sizeof(*self));
	double all = 0;

	must(self ? 0 : -ENOMEM, "find");
	for (uint32_t w = 0; w < pool->n; w++) {
		for (uint32_t i = 0; i < pool->windows[w].n; i++) {
			const struct profile_sample *s = &pool->windows[w].samples[i];
			uint32_t f = innermost(pool, s->stack);

			all += (double)s->count;
			if (f < n)
				self[f] += (double)s->count;
		}
	}
	for (uint32_t i = 1; i < n; i++)
		if (fabs(self[i] / all - share) < fabs(self[best] / all - share))
			best = i;
	*ret_share = self[best] / all;
	return best;
}

static void print(const char *what, const struct outcome *o, const uint32_t *of)
{
	printf("%-52s", what);
	for (int way = 0; way < WAYS; way++)
		printf(" %9.1f %%", 100.0 * of[way] / o->runs);
	printf("\n");
	fflush(stdout);
}

static bool simulate_all(struct pool *pool, unsigned int runs)
{
	struct outcome same, slower, moved;
	double share;
	struct change c = { .slower = 0.1 };
	char what[128];

	printf("%u windows to draw from, %u runs of %d windows a side\n%-52s %11s %11s %11s\n",
	       pool->n, runs, WINDOWS, "", "plop", "shares", "samples");
	same = simulate(pool, NULL, runs);
	print("the same code: anything is called", &same, same.others);
	c.function = find_function(pool, 0.02, &share);
	c.name = dict_get_function(pool->all->dict, c.function)->name;
	slower = simulate(pool, &c, runs);
	snprintf(what, sizeof(what), "10 %% slower, of %.1f %% of the time: it is called",
		 100 * share);
	print(what, &slower, slower.found);
	print("  ... another is called", &slower, slower.others);
	c = (struct change){ .function = find_function(pool, 0.05, &share), .moved = 0.6 };
	moved = simulate(pool, &c, runs);
	snprintf(what, sizeof(what), "moved to a helper, 60 %% of %.1f %%: anything is called",
		 100 * share);
	print(what, &moved, moved.others);
	/* 5 % and 90 %, and what chance adds to that in so many runs */
	return same.others[BY_PLOP] <= 0.05 * runs + 2 * sqrt(0.0475 * runs) &&
	       slower.found[BY_PLOP] >= 0.9 * runs - 2 * sqrt(0.09 * runs) &&
	       moved.others[BY_PLOP] <= 0.05 * runs + 2 * sqrt(0.0475 * runs);
}

int main(int argc, char *argv[])
{
	struct pool pool = {};
	unsigned int runs;
	bool good;

	if (argc != 4) {
		fprintf(stderr, "bench_regressions: DIR RUNS SELECTOR\n");
		return EXIT_FAILURE;
	}
	runs = (unsigned int)atoi(argv[2]);
	pool_read(&pool, argv[1], argv[3]);
	if (pool.n < LENGTH || runs == 0) {
		fprintf(stderr, "bench_regressions: there are %u windows, fewer than %d\n", pool.n,
			LENGTH);
		return EXIT_FAILURE;
	}
	good = simulate_all(&pool, runs);
	pool_done(&pool);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
