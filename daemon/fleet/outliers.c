/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/outliers.h"

#include "fleet/internal.h"
#include "fleet/sql_hosts.h"
#include "util/array.h"
#include "util/clock.h"

/*
 * Hosts that do not run as the others of their service do. Of many hosts those whose stacks are
 * farthest from those of all are compared, and others that a hash takes, so what is in memory has a
 * bound however many there are. What cannot be looked at in time is said.
 */

/* Services of one answer, the heaviest; of those that the store has at most. */
#define SERVICES      20
#define SERVICES_MOST 1000
/* Hosts that are held against each other: the farthest, and about so many others. */
#define FARTHEST 100
#define OTHERS   300
/* Where these have too many stacks: a quarter of them, so often. */
#define QUARTERS 2
/* Hosts that are told of a service, and functions of one. */
#define HOSTS_TOLD     50
#define FUNCTIONS_TOLD 10
/* No more services are looked at behind that time. */
#define LOOK_NS (8 * NSEC_PER_SEC)

struct service {
	char *name; /* owned */
	uint64_t hosts, samples;
};

struct told {
	char *host;           /* owned */
	struct buf functions; /* elements of a JSON array */
	uint64_t samples;
	double least;
	uint32_t left_out; /* functions */
};

/* One service. */
struct looking {
	struct fleet_read *read;
	struct query query; /* borrows all but its selectors */
	struct profile *profile;
	struct fleet_ids stacks;
	uint32_t *numbers; /* of the stacks, by place; owned */
	struct told *told; /* owned */
	uint32_t ntold, told_room, left_out;
	uint64_t compared, few, among;
	const char *why; /* nothing, or not all, is said; NULL */
};

static void told_done(struct told *t)
{
	free(t->host);
	buf_free(&t->functions);
}

static void looking_done(struct looking *l)
{
	for (uint32_t i = 0; i < l->ntold; i++)
		told_done(&l->told[i]);
	free(l->told);
	fleet_ids_done(&l->stacks);
	free(l->numbers);
	profile_free(l->profile);
	selectors_done(&l->query.selectors);
}

/* Names of the farthest hosts, owned. */
struct farthest {
	char *hosts[FARTHEST];
	size_t n;
};

static void farthest_done(struct farthest *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->hosts[i]);
}

static int read_farthest(struct looking *l, const struct service *s, struct farthest *ret)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r;

	fleet_sql_farthest_hosts(&sql, l->read->db, &l->query, s->samples, OUTLIERS_SAMPLES_LEAST,
				 FARTHEST);
	r = fleet_ask(l->read, &sql, &answer);
	reader = rows_of(&answer);
	while (r == 0 && rows_more(&reader) && ret->n < FARTHEST) {
		_cleanup_free_ char *host = fleet_text(&reader);

		if (rows_bad(&reader))
			return -EBADMSG;
		ret->hosts[ret->n++] = TAKE_PTR(host);
	}
	return r;
}

/* -E2BIG: that is too much at once. */
static int read_together(struct looking *l, const char *const *hosts, size_t n, uint64_t one_of,
			 struct fleet_host_rows *t)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	int r;

	fleet_sql_stacks_by_host(&sql, l->read->db, &l->query, hosts, n, one_of);
	r = fleet_ask(l->read, &sql, &answer);
	if (r == 0)
		r = fleet_host_rows_decode(&answer, t, &l->stacks);
	if (r < 0)
		return r;
	if (t->n >= FLEET_SIDE_ROWS)
		return -E2BIG;
	fleet_ids_sort(&l->stacks);
	l->numbers = calloc((size_t)l->stacks.n + 1, sizeof(*l->numbers));
	return l->numbers ? fleet_stacks_read(l->read, &l->query, &l->stacks, l->profile->dict,
					      l->numbers) :
			    -ENOMEM;
}

/*
 * Adds what a host has, the rows [from, to). Within it a stack has the share that its weights say;
 * all together are as many as were counted, which is what chance goes by.
 */
static int add_host(struct looking *l, const struct fleet_host_row *rows, uint32_t n,
		    uint32_t process, struct diff_windows *w, uint64_t *ret_samples)
{
	struct profile *p = l->profile;
	double weight = 0, samples = 0, rest = 0.5;
	int r = 0;

	profile_clear(p);
	for (uint32_t i = 0; i < n; i++) {
		weight += (double)rows[i].weight;
		samples += (double)rows[i].samples;
	}
	*ret_samples = (uint64_t)samples;
	if (!(samples >= OUTLIERS_SAMPLES_LEAST) || !(weight > 0))
		return 0;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		double of = (double)rows[i].weight / weight * samples + rest;
		uint64_t whole = (uint64_t)of;
		uint32_t stack = l->numbers[fleet_ids_find(&l->stacks, rows[i].stack)];

		rest = of - (double)whole;
		if (r == 0 && stack == FLEET_UNKNOWN)
			r = fleet_unknown_stack(p->dict, &stack);
		if (r == 0 && whole)
			r = profile_add(p, process, 0, stack, whole);
	}
	return r < 0 ? r : diff_windows_add(w, p);
}

static int by_least(const void *pa, const void *pb)
{
	const struct told *a = pa, *b = pb;

	if (a->least > b->least || a->least < b->least)
		return a->least > b->least ? -1 : 1;
	return strcmp(a->host, b->host);
}

/* Those that differ most. */
static void keep_most(struct looking *l)
{
	if (l->ntold)
		qsort(l->told, l->ntold, sizeof(*l->told), by_least);
	for (; l->ntold > HOSTS_TOLD; l->left_out++)
		told_done(&l->told[--l->ntold]);
}

static int begin_told(struct looking *l, const char *host, uint64_t samples, struct told **ret)
{
	void *array = l->told;
	int r;

	if (l->ntold == 2 * HOSTS_TOLD)
		keep_most(l);
	r = array_reserve(&array, l->ntold, &l->told_room, sizeof(*l->told));
	if (r < 0)
		return r;
	l->told = array;
	*ret = &l->told[l->ntold];
	**ret = (struct told){ .host = strdup(host), .samples = samples };
	if (!(*ret)->host)
		return -ENOMEM;
	l->ntold++;
	return 0;
}

static int put_function(struct told *t, const struct diff_windows *w, const struct outlier *o)
{
	static const char *const files[DIFF_FILES];
	struct json_writer json = json_elements_on(&t->functions);

	json_put_object(&json, NULL);
	diff_put_function(&json, dict_get_function(w->dict, o->function), NULL, files,
			  &o->compared);
	json_put_end(&json);
	return t->functions.error;
}

/* hosts: by window, which of the names it is. */
static int take(struct looking *l, const struct fleet_host_rows *t, const struct diff_windows *w,
		const uint32_t *hosts, const struct outliers *found)
{
	struct told *told = NULL;
	int r = 0;

	for (uint32_t i = 0, of = 0; i < found->n && r == 0; i++) {
		const struct outlier *o = &found->items[i];

		if (i == 0 || o->window != found->items[i - 1].window) {
			r = begin_told(l, t->hosts[hosts[o->window]],
				       (uint64_t)w->totals[o->window], &told);
			of = 0;
		}
		if (r < 0)
			break;
		/* they are in that order */
		if (of == 0)
			told->least = outlier_least(o);
		if (of++ < FUNCTIONS_TOLD)
			r = put_function(told, w, o);
		else
			told->left_out++;
	}
	return r;
}

static int compare(struct looking *l, const struct fleet_host_rows *t)
{
	_cleanup_(diff_windows_freep) struct diff_windows *w = NULL;
	_cleanup_free_ uint32_t *hosts = calloc((size_t)t->nhosts + 1, sizeof(*hosts));
	_cleanup_(outliers_done) struct outliers found = {};
	uint32_t process, to;
	int r = hosts ? diff_windows_new(&w) : -ENOMEM;

	if (r == 0)
		r = fleet_add_service(l->profile, "", "", &process);
	if (r < 0)
		return r;
	w->apart = true;
	for (uint32_t i = 0; r == 0 && i < t->n; i = to) {
		uint32_t before = w->n;
		uint64_t samples;

		for (to = i; to < t->n && t->rows[to].host == t->rows[i].host; to++)
			;
		r = add_host(l, &t->rows[i], to - i, process, w, &samples);
		if (w->n > before)
			hosts[w->n - 1] = t->rows[i].host;
		else
			l->few++;
	}
	if (r == 0)
		r = diff_windows_close(w);
	if (r == 0 &&
	    diff_windows_bytes(w) + dict_bytes(l->profile->dict) > l->read->question->memory)
		r = -E2BIG;
	if (r == 0)
		r = outliers_find(w, (uint32_t)l->among, &found);
	if (r < 0)
		return r;
	/* those of too few are held against nobody */
	l->compared += w->n;
	return take(l, t, w, hosts, &found);
}

/* Begins anew. */
static int begin_look(struct looking *l)
{
	struct profile *p = NULL;
	int r = profile_new(l->query.from_ns, 0, &p);

	if (r < 0)
		return r;
	p->end_ns = l->query.to_ns;
	profile_free(l->profile);
	l->profile = p;
	fleet_ids_done(&l->stacks);
	free(l->numbers);
	l->numbers = NULL;
	return 0;
}

static int look_at(struct looking *l, const struct farthest *farthest, size_t n, uint64_t one_of)
{
	_cleanup_(fleet_host_rows_done) struct fleet_host_rows t = {};
	int r = begin_look(l);

	if (r == 0)
		r = read_together(l, (const char *const *)farthest->hosts, n, one_of, &t);
	return r == 0 ? compare(l, &t) : r;
}

static int look(struct looking *l, const struct service *s)
{
	bool many = s->hosts > FARTHEST + OTHERS;
	_cleanup_(farthest_done) struct farthest farthest = {};
	uint64_t one_of = many ? (s->hosts + OTHERS - 1) / OTHERS : 1;
	int r = many ? read_farthest(l, s, &farthest) : 0;
	size_t n = farthest.n;

	if (r == 0)
		r = look_at(l, &farthest, n, one_of);
	for (int i = 0; r == -E2BIG && i < QUARTERS; i++) {
		one_of *= 4;
		n /= 4;
		r = look_at(l, &farthest, n, one_of);
	}
	if (r == -E2BIG)
		l->why = "its hosts have too many different stacks: ask for a shorter time";
	else if (r == 0 && l->compared < OUTLIERS_HOSTS_LEAST)
		l->why = "too few hosts have enough samples";
	keep_most(l);
	return r == -E2BIG ? 0 : r;
}

static void put_told(struct json_writer *w, struct told *t)
{
	json_put_object(w, NULL);
	json_put_string(w, "host", t->host);
	json_put_uint(w, "samples", t->samples);
	json_put_elements(w, "functions", &t->functions);
	json_put_uint(w, "left_out", t->left_out);
	json_put_end(w);
}

static void put_service(struct json_writer *w, const struct service *s, struct looking *l)
{
	json_put_object(w, NULL);
	json_put_string(w, "service", s->name);
	json_put_uint(w, "hosts", s->hosts);
	json_put_uint(w, "compared", l->compared);
	json_put_uint(w, "few_samples", l->few);
	json_put_string(w, "why", l->why);
	json_put_array(w, "outliers");
	for (uint32_t i = 0; i < l->ntold; i++)
		put_told(w, &l->told[i]);
	json_put_end(w);
	json_put_uint(w, "left_out", l->left_out);
	json_put_end(w);
}

static int look_at_service(struct fleet_read *f, const struct service *s, uint64_t among,
			   uint64_t until_ns, struct json_writer *w)
{
	_cleanup_(looking_done) struct looking l = { .read = f, .among = among };
	char why[64];
	int r;

	if (s->hosts < OUTLIERS_HOSTS_LEAST) {
		snprintf(why, sizeof(why), "not enough hosts: %" PRIu64, s->hosts);
		l.why = why;
	} else if (clock_ns(CLOCK_MONOTONIC) > until_ns) {
		l.why = "not all services were looked at in time: choose one";
	} else {
		r = fleet_narrow(&f->question->query, "service", (const char *const[]){ s->name },
				 1, &l.query);
		if (r == 0)
			r = look(&l, s);
		if (r < 0)
			return r;
	}
	put_service(w, s, &l);
	return w->out->error;
}

struct services {
	struct service items[SERVICES];
	uint32_t n;
	uint64_t left_out;
};

static void services_done(struct services *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		free(s->items[i].name);
}

static int read_services(struct fleet_read *f, struct services *services)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r;

	fleet_sql_services_of_hosts(&sql, f->db, &f->question->query, SERVICES_MOST);
	r = fleet_ask(f, &sql, &answer);
	reader = rows_of(&answer);
	while (r == 0 && rows_more(&reader)) {
		_cleanup_free_ char *name = fleet_text(&reader);
		uint64_t hosts = rows_u64(&reader), samples = rows_u64(&reader);

		if (rows_bad(&reader))
			return -EBADMSG;
		if (services->n == SERVICES)
			services->left_out++;
		else
			services->items[services->n++] =
				(struct service){ TAKE_PTR(name), hosts, samples };
	}
	return r;
}

int fleet_read_outliers(struct fleet_read *f)
{
	_cleanup_(services_done) struct services services = {};
	struct json_writer w = json_writer_on(&f->question->answer);
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + LOOK_NS, among = 0;
	int r = read_services(f, &services);

	for (uint32_t i = 0; i < services.n; i++)
		if (services.items[i].hosts >= OUTLIERS_HOSTS_LEAST)
			among += services.items[i].hosts;
	among = MIN(among, (uint64_t)UINT32_MAX);
	json_put_object(&w, NULL);
	json_put_array(&w, "services");
	for (uint32_t i = 0; r == 0 && i < services.n; i++)
		r = look_at_service(f, &services.items[i], among, until_ns, &w);
	json_put_end(&w);
	json_put_uint(&w, "left_out", services.left_out);
	json_put_end(&w);
	return r < 0 ? r : json_writer_done(&w);
}
