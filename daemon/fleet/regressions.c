/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/outliers.h"

#include "fleet/internal.h"
#include "fleet/memo.h"
#include "fleet/sql_hosts.h"
#include "util/clock.h"

/*
 * What became slower with each deploy, over all hosts. A version is compared with the one before
 * when somebody asks, and what came of it is kept for a while. Hosts are what is compared, for
 * windows of one host are much alike; where too few have had one of the two, the windows of hosts
 * that have had both.
 */

/* Versions that are compared for one answer, the newest; none is begun behind that time. */
#define COMPARISONS 20
#define LOOK_NS     (10 * NSEC_PER_SEC)
/* Of a version's time the first hours; and of the one before as long twice, and that much more. */
#define NEW_NS  (6 * 3600 * NSEC_PER_SEC)
#define BASE_NS (1200 * NSEC_PER_SEC)
/* How long it is kept: that part of the time since the version came, and a minute at least. */
#define KEPT_PART 10
#define KEPT_S    60

struct versions {
	const struct deploy *new, *before;
};

/* An answer: elements of its arrays. */
struct telling {
	struct fleet_read *read;
	struct buf functions, comparisons, others;
	uint64_t until_ns;
};

static int narrow(const struct query *all, const struct deploy *d, uint64_t from_ns, uint64_t to_ns,
		  struct query *ret)
{
	const char *const service[] = { d->service }, *const version[] = { d->version };
	struct query of_service = {}, of_version = {};
	int r = fleet_narrow(all, "service", service, 1, &of_service);

	if (r == 0)
		r = fleet_narrow(&of_service, "version", version, 1, &of_version);
	selectors_done(&of_service.selectors);
	if (r < 0)
		return r;
	*ret = (struct query){ .from_ns = from_ns,
			       .to_ns = MAX(to_ns, from_ns + 1),
			       .selectors = of_version.selectors };
	return 0;
}

static int set_sides(const struct query *all, const struct versions *v, struct query *base,
		     struct query *new)
{
	uint64_t to = MIN(v->new->last_ns, v->new->first_ns + NEW_NS);
	uint64_t length = to > v->new->first_ns ? to - v->new->first_ns : 0;
	/* neighbours in time, so that the load is much the same */
	uint64_t end = MIN(v->before->last_ns, to), back = 2 * length + BASE_NS;
	uint64_t from = MAX(v->before->first_ns, end > back ? end - back : 0);
	int r = narrow(all, v->before, from, end, base);

	return r < 0 ? r : narrow(all, v->new, v->new->first_ns, to, new);
}

static int choose_hosts(struct query *q, char *const *hosts, size_t n)
{
	struct query chosen;
	int r = fleet_narrow(q, "host", (const char *const *)hosts, n, &chosen);

	if (r < 0)
		return r;
	selectors_done(&q->selectors);
	q->selectors = chosen.selectors;
	return 0;
}

/* Only the hosts that have had both, which are few. Returns how many these are. */
static int choose_common(struct fleet_read *f, struct query *base, struct query *new, bool few_new)
{
	struct query *fewer = few_new ? new : base, *more = few_new ? base : new;
	char *names[OUTLIERS_HOSTS_LEAST] = {};
	size_t n = 0;
	int r = fleet_name_hosts(f, fewer, names, ARRAY_SIZE(names), &n);

	if (r == 0 && n)
		r = choose_hosts(more, names, n);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		free(names[i]);
		names[i] = NULL;
	}
	if (r < 0 || !n)
		return r;
	r = fleet_name_hosts(f, more, names, ARRAY_SIZE(names), &n);
	if (r == 0 && n)
		r = choose_hosts(fewer, names, n);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		free(names[i]);
	return r < 0 ? r : (int)n;
}

static void put_side(struct json_writer *w, const char *key, const struct diff_windows *of)
{
	json_put_object(w, key);
	json_put_uint(w, "windows", of->seen);
	json_put_real(w, "samples", of->samples);
	if (of->hosts)
		json_put_uint(w, "hosts", of->hosts);
	json_put_end(w);
}

static void put_versions(struct json_writer *w, const struct versions *v, double now)
{
	json_put_string(w, "service", v->new->service);
	json_put_string(w, "version", v->new->version);
	json_put_string(w, "before", v->before->version);
	json_put_real(w, "time", now);
}

/* Returns how many there are. */
static unsigned int put_slower(struct buf *functions, const struct versions *v,
			       const struct diff *d, double now)
{
	struct json_writer w = json_elements_on(functions);
	unsigned int n = 0;

	for (uint32_t i = 0; i < d->n && n < DIFF_TOLD_FUNCTIONS; i++) {
		const struct compared *c = &d->compared[d->order[i]];

		if (c->verdict != VERDICT_SLOWER || !(c->rise >= DIFF_TOLD_LEAST))
			continue;
		json_put_object(&w, NULL);
		diff_put_at(&w, d, d->order[i]);
		put_versions(&w, v, now);
		json_put_end(&w);
		n++;
	}
	return n;
}

static void put_comparison(struct fleet_memo *m, const struct versions *v, const struct diff *d)
{
	struct json_writer w = json_elements_on(&m->comparison);
	double now = (double)clock_ns(CLOCK_REALTIME) / 1e9;
	unsigned int n = put_slower(&m->functions, v, d, now);

	json_put_object(&w, NULL);
	put_versions(&w, v, now);
	put_side(&w, "base", d->windows[BASE_SIDE]);
	put_side(&w, "new", d->windows[NEW_SIDE]);
	json_put_array(&w, "warnings");
	for (int i = 0; i < d->nwarnings; i++)
		json_put_string(&w, NULL, d->warnings[i]);
	json_put_end(&w);
	json_put_uint(&w, "regressions", n);
	json_put_end(&w);
}

static void put_why(struct fleet_memo *m, const struct versions *v, const char *why)
{
	struct json_writer w = json_elements_on(&m->other);

	json_put_object(&w, NULL);
	json_put_string(&w, "service", v->new->service);
	json_put_string(&w, "version", v->new->version);
	json_put_string(&w, "before", v->before->version);
	json_put_string(&w, "why", why);
	json_put_end(&w);
}

static int compare(struct fleet_read *f, const struct versions *v, struct fleet_memo *m)
{
	const struct diff_windows *sides[SIDES];
	_cleanup_(diff_freep) struct diff *d = NULL;
	int r = 0;

	for (int i = 0; i < SIDES && r == 0; i++)
		r = diff_windows_new(&f->question->sides[i]);
	for (int i = 0; i < SIDES && r == 0; i++) {
		r = fleet_read_side(f, i);
		sides[i] = f->question->sides[i];
	}
	if (r == 0)
		r = diff_new(sides, &compare_defaults, &d);
	if (r == 0)
		put_comparison(m, v, d);
	if (r == -E2BIG)
		put_why(m, v, "its hosts have too many different stacks");
	return r == -E2BIG ? 0 : r;
}

/* Which hosts, and then what they say. */
static int compare_hosts(struct fleet_read *f, struct query *base, struct query *new,
			 const struct versions *v, struct fleet_memo *m)
{
	uint64_t base_hosts, new_hosts;
	char why[96];
	int r = fleet_count_hosts(f, base, &base_hosts);

	if (r == 0)
		r = fleet_count_hosts(f, new, &new_hosts);
	if (r < 0)
		return r;
	f->by_host = MIN(base_hosts, new_hosts) >= OUTLIERS_HOSTS_LEAST;
	if (!f->by_host) {
		r = choose_common(f, base, new, new_hosts <= base_hosts);
		if (r < 0)
			return r;
		if (r == 0) {
			snprintf(why, sizeof(why),
				 "not enough hosts: %" PRIu64 " before, %" PRIu64
				 " after, and none of both",
				 base_hosts, new_hosts);
			put_why(m, v, why);
			return 0;
		}
	}
	return compare(f, v, m);
}

static int make(struct fleet_read *of, const struct versions *v, struct fleet_memo *m)
{
	struct question one = { .memory = of->question->memory };
	struct fleet_read f = *of;
	int r = set_sides(&of->question->query, v, &one.query, &one.new_query);

	f.question = &one;
	if (r == 0)
		r = compare_hosts(&f, &one.query, &one.new_query, v, m);
	question_clear(&one);
	return r;
}

/* What was asked for tells two answers apart, too. */
static int key_of(const struct query *q, const struct versions *v, struct buf *key)
{
	buf_printf(key, "%s\n%s\n%s", v->new->service, v->new->version, v->before->version);
	for (size_t i = 0; i < q->selectors.n; i++)
		buf_printf(key, "\n%s=%s", q->selectors.items[i].key, q->selectors.items[i].value);
	return key->error;
}

static void tell_memo(struct telling *t, const struct fleet_memo *m)
{
	fleet_memo_append(&t->functions, &m->functions);
	fleet_memo_append(&t->comparisons, &m->comparison);
	fleet_memo_append(&t->others, &m->other);
}

static int tell(struct telling *t, struct fleet_memos *memos, const struct versions *v)
{
	_cleanup_(fleet_memo_done) struct fleet_memo made = {};
	_cleanup_buf_ struct buf key = {};
	_cleanup_free_ char *text = NULL;
	uint64_t now = clock_ns(CLOCK_REALTIME), age;
	const struct fleet_memo *known;
	int r = key_of(&t->read->question->query, v, &key);

	text = r == 0 ? buf_string(&key) : NULL;
	if (!text)
		return -ENOMEM;
	known = fleet_memos_find(memos, text, clock_ns(CLOCK_MONOTONIC));
	if (known) {
		tell_memo(t, known);
		return 0;
	}
	if (clock_ns(CLOCK_MONOTONIC) > t->until_ns) {
		put_why(&made, v, "there was no time for it yet: ask again");
		tell_memo(t, &made);
		return 0;
	}
	r = make(t->read, v, &made);
	if (r < 0)
		return r;
	tell_memo(t, &made);
	age = now > v->new->first_ns ? now - v->new->first_ns : 0;
	made.until_ns = clock_ns(CLOCK_MONOTONIC) + MAX(age / KEPT_PART, KEPT_S * NSEC_PER_SEC);
	return fleet_memos_keep(memos, &text, &made);
}

static const struct deploy *before_of(const struct deploys *d, const struct deploy *of)
{
	for (uint32_t i = 0; of->before && i < d->n; i++)
		if (streq(d->items[i].service, of->service) &&
		    streq(d->items[i].version, of->before))
			return &d->items[i];
	return NULL;
}

int fleet_read_regressions(struct fleet_read *f, struct fleet_memos *memos)
{
	struct deploys *d = &f->question->deploys;
	struct telling t = { .read = f, .until_ns = clock_ns(CLOCK_MONOTONIC) + LOOK_NS };
	struct json_writer w = json_writer_on(&f->question->answer);
	int r = fleet_read_deploys(f), n = 0;

	if (r == 0)
		deploys_order(d);
	for (uint32_t i = 0; r == 0 && i < d->n && n < COMPARISONS; i++) {
		const struct versions v = { &d->items[i], before_of(d, &d->items[i]) };

		if (v.before) {
			r = tell(&t, memos, &v);
			n++;
		}
	}
	json_put_object(&w, NULL);
	json_put_elements(&w, "regressions", &t.functions);
	json_put_elements(&w, "comparisons", &t.comparisons);
	json_put_elements(&w, "not_compared", &t.others);
	json_put_end(&w);
	buf_free(&t.functions);
	buf_free(&t.comparisons);
	buf_free(&t.others);
	return r < 0 ? r : json_writer_done(&w);
}
