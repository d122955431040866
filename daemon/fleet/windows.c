/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/internal.h"

#include "util/array.h"

/* Lists over time: windows of all hosts that began together are one. */

void fleet_heads_done(struct fleet_heads *h)
{
	free(h->items);
	*h = (struct fleet_heads){};
}

/* Heads are not as many as samples: each number is rounded by itself. */
static uint64_t whole(uint64_t weight)
{
	return (weight + FLEET_UNIT / 2) / FLEET_UNIT;
}

static int decode_heads(const struct buf *answer, struct fleet_heads *heads)
{
	struct rows_reader r = rows_of(answer);

	while (rows_more(&r)) {
		void *array = heads->items;
		struct fleet_head *h;

		if (array_reserve(&array, heads->n, &heads->room, sizeof(*heads->items)) < 0)
			return -ENOMEM;
		heads->items = array;
		h = &heads->items[heads->n++];
		*h = (struct fleet_head){ .begin = rows_u32(&r) };
		h->head.start_ns = rows_u64(&r);
		h->head.end_ns = rows_u64(&r);
		h->head.hz = (uint32_t)rows_u64(&r);
		h->head.tally.ticks = whole(rows_u64(&r));
		h->head.tally.python = whole(rows_u64(&r));
		h->head.tally.other = whole(rows_u64(&r));
		h->head.tally.truncated = whole(rows_u64(&r));
		h->head.samples = whole(rows_u64(&r));
		h->length_ns = rows_u64(&r);
		if (rows_bad(&r) || h->head.end_ns < h->head.start_ns)
			return -EBADMSG;
	}
	return 0;
}

/* Of causes that this plop does not know, the last one that it does is the most general. */
static unsigned int cause_of(const char *name)
{
	unsigned int i = 0;

	while (i + 1 < PLOP_LOST_CAUSES && !streq(tally_lost_name(i), name))
		i++;
	return i;
}

static int decode_lost(const struct buf *answer, struct fleet_heads *heads)
{
	struct rows_reader r = rows_of(answer);
	uint32_t at = 0;

	while (rows_more(&r)) {
		uint32_t begin = rows_u32(&r);
		_cleanup_free_ char *cause = fleet_text(&r);
		uint64_t lost = whole(rows_u64(&r));

		if (rows_bad(&r))
			return -EBADMSG;
		while (at < heads->n && heads->items[at].begin < begin)
			at++;
		if (at < heads->n && heads->items[at].begin == begin)
			heads->items[at].head.tally.lost[cause_of(cause)] += lost;
	}
	return 0;
}

int fleet_heads_read(struct fleet_read *f, const struct query *q, uint32_t step_s,
		     struct fleet_heads *ret)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	int r;

	fleet_sql_heads(&sql, f->db, q, step_s);
	r = fleet_ask(f, &sql, &answer);
	if (r == 0)
		r = decode_heads(&answer, ret);
	if (r < 0)
		return r;
	fleet_sql_lost(&sql, f->db, q, step_s);
	r = fleet_ask(f, &sql, &answer);
	if (r == 0)
		r = decode_lost(&answer, ret);
	/* each was rounded: their sum is what it says */
	for (uint32_t i = 0; r == 0 && i < ret->n; i++) {
		struct tally *t = &ret->items[i].head.tally;

		t->ticks = t->python + t->other + tally_lost(t);
	}
	return r;
}

typedef int (*service_fn)(const struct profile_process *p, uint32_t begin, void *ctx);

/* What each service's version had in each step, by time. */
static int each_service(struct fleet_read *f, uint32_t step_s, service_fn each, void *ctx)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r;

	fleet_sql_services(&sql, f->db, &f->question->query, step_s, &f->cover);
	r = fleet_ask(f, &sql, &answer);
	reader = rows_of(&answer);
	while (r == 0 && rows_more(&reader)) {
		uint32_t begin = rows_u32(&reader);
		_cleanup_free_ char *service = fleet_text(&reader), *version = fleet_text(&reader);
		struct profile_process p = { .info = process_info_of(0), .python = (char *)"" };

		p.samples = whole(rows_u64(&reader));
		if (rows_bad(&reader))
			return -EBADMSG;
		p.info.service = service;
		p.info.version = version;
		r = each(&p, begin, ctx);
	}
	return r;
}

/* Windows that are listed, of which the processes come behind their heads. */
struct listing {
	struct question *question;
	const struct fleet_heads *heads;
	uint32_t at;
	struct profile *window; /* that of at; NULL: it has nothing yet */
};

static int open_window(struct listing *l)
{
	const struct head *h = &l->heads->items[l->at].head;
	int r = l->window ? 0 : profile_new(h->start_ns, (uint32_t)h->hz, &l->window);

	if (r == 0)
		head_to_profile(h, l->window);
	return r;
}

/* Lists what begins before. */
static int list_until(struct listing *l, uint64_t begin)
{
	int r = 0;

	for (; r == 0 && l->at < l->heads->n && l->heads->items[l->at].begin < begin; l->at++) {
		r = open_window(l);
		if (r < 0)
			return r;
		l->window->samples_total = l->heads->items[l->at].head.samples;
		r = store_window_put(l->window, NULL, &l->question->windows);
		profile_free(l->window);
		l->window = NULL;
	}
	return r;
}

static int list_service(const struct profile_process *p, uint32_t begin, void *ctx)
{
	struct listing *l = ctx;
	uint32_t process;
	int r = list_until(l, begin);

	/* samples whose window has no head yet are on their way */
	if (r < 0 || l->at == l->heads->n || l->heads->items[l->at].begin != begin)
		return r;
	r = open_window(l);
	if (r == 0)
		r = fleet_add_service(l->window, p->info.service, p->info.version, &process);
	if (r == 0)
		l->window->processes[process].samples += p->samples;
	return r;
}

int fleet_read_windows(struct fleet_read *f)
{
	_cleanup_(fleet_heads_done) struct fleet_heads heads = {};
	struct listing l = { .question = f->question, .heads = &heads };
	int r = fleet_heads_read(f, &f->question->query, FLEET_WINDOW_S, &heads);

	if (r == 0 && heads.n > QUESTION_WINDOWS_MAX)
		l.at = heads.n - QUESTION_WINDOWS_MAX;
	if (r == 0)
		r = each_service(f, FLEET_WINDOW_S, list_service, &l);
	if (r == 0)
		r = list_until(&l, UINT64_MAX);
	profile_free(l.window);
	return r;
}

static int add_step(const struct profile_process *p, uint32_t begin, void *ctx)
{
	return question_add_step(ctx, p, begin * NSEC_PER_SEC);
}

int fleet_read_steps(struct fleet_read *f)
{
	struct question *k = f->question;
	_cleanup_(fleet_heads_done) struct fleet_heads heads = {};
	uint32_t step_s = (uint32_t)(k->query.step_ns / NSEC_PER_SEC);
	int r = fleet_heads_read(f, &k->query, MIN(step_s, (uint32_t)FLEET_WINDOW_S), &heads);

	for (uint32_t i = 0; r == 0 && i < heads.n; i++)
		r = steps_add_head(k->steps, &heads.items[i].head);
	return r == 0 ? each_service(f, step_s, add_step, k) : r;
}

int fleet_read_labels(struct fleet_read *f)
{
	struct question *k = f->question;
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r;

	fleet_sql_label(&sql, f->db, &k->query, k->values.key, &f->cover);
	r = fleet_ask(f, &sql, &answer);
	reader = rows_of(&answer);
	while (r == 0 && rows_more(&reader)) {
		_cleanup_free_ char *value = fleet_text(&reader);
		uint64_t samples = whole(rows_u64(&reader));

		if (rows_bad(&reader))
			return -EBADMSG;
		r = values_add_text(&k->values, value, samples);
	}
	return r;
}

int fleet_read_deploys(struct fleet_read *f)
{
	struct question *k = f->question;
	_cleanup_(fleet_heads_done) struct fleet_heads heads = {};
	_cleanup_buf_ struct buf sql = {}, answer = {};
	uint64_t length;
	struct rows_reader reader;
	int r = fleet_heads_read(f, &k->query, 0, &heads);

	fleet_sql_deploys(&sql, f->db, &k->query, &f->cover);
	if (r == 0)
		r = fleet_ask(f, &sql, &answer);
	reader = rows_of(&answer);
	length = heads.n ? heads.items[0].length_ns : 0;
	while (r == 0 && rows_more(&reader)) {
		_cleanup_free_ char *service = fleet_text(&reader), *version = fleet_text(&reader);
		uint64_t first = rows_u32(&reader) * NSEC_PER_SEC;
		uint64_t last = rows_u32(&reader) * NSEC_PER_SEC;
		struct profile_process p = { .info = process_info_of(0) };

		p.samples = whole(rows_u64(&reader));
		if (rows_bad(&reader))
			return -EBADMSG;
		p.info.service = service;
		p.info.version = version;
		r = deploys_add(&k->deploys, &p, first, last + length);
	}
	return r;
}

int fleet_read_series(struct fleet_read *f)
{
	struct question *k = f->question;
	_cleanup_(fleet_heads_done) struct fleet_heads heads = {};
	_cleanup_buf_ struct buf sql = {}, answer = {};
	uint64_t unit_ns = timeline_unit(k->query.to_ns - k->query.from_ns);
	uint32_t step_s = unit_ns ? (uint32_t)(unit_ns / NSEC_PER_SEC) : FLEET_WINDOW_S, at = 0;
	struct rows_reader reader;
	int r;

	/* stacks are added up by the hour, where all are not read */
	if (k->timeline.function && unit_ns)
		step_s = MAX(step_s, (uint32_t)FLEET_HOUR_S);
	r = fleet_heads_read(f, &k->query, step_s, &heads);
	fleet_sql_series(&sql, f->db, &k->query, step_s,
			 k->timeline.function ? k->timeline.function : "", &f->cover);
	if (r == 0)
		r = fleet_ask(f, &sql, &answer);
	reader = rows_of(&answer);
	while (r == 0 && rows_more(&reader)) {
		struct sum functions[SUMS_NAMED + 1] = {};
		struct sums point = { .functions = functions, .n = SUMS_NAMED + 1 };
		uint32_t begin = rows_u32(&reader);

		point.samples = whole(rows_u64(&reader));
		functions[SUMS_NAMED].self = whole(rows_u64(&reader));
		functions[SUMS_NAMED].total = whole(rows_u64(&reader));
		if (rows_bad(&reader))
			return -EBADMSG;
		while (at < heads.n && heads.items[at].begin < begin)
			at++;
		if (at == heads.n || heads.items[at].begin != begin)
			continue;
		sums_note(&point, heads.items[at].head.start_ns, heads.items[at].head.end_ns,
			  (uint32_t)heads.items[at].head.hz);
		r = timeline_add(&k->timeline, &point);
	}
	return r;
}

int fleet_read_facts(struct fleet_read *f)
{
	struct fleet_facts *facts = &f->source->facts;
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r;

	fleet_sql_facts(&sql, f->db);
	r = fleet_ask(f, &sql, &answer);
	if (r < 0)
		return r;
	reader = rows_of(&answer);
	facts->hosts = rows_u64(&reader);
	facts->windows = rows_u64(&reader);
	facts->oldest_s = rows_u32(&reader);
	facts->newest_s = rows_u32(&reader);
	return rows_bad(&reader) ? -EBADMSG : 0;
}
