/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/answer.h"

#include "store/window.h"

struct query {
	struct answer a;
	bool prune;
	struct window_reader windows;
};

static void query_done(struct query *q)
{
	window_done(&q->windows);
	profile_free(q->a.p);
}

/* Windows in time; and one window. */
#define IN_TIME "WHERE end_ns > ?1 AND start_ns < ?2 ORDER BY end_ns"
#define BY_ID   "WHERE id = ?1"

/* All ids of the profile are others afterwards. */
static int query_prune(struct query *q)
{
	window_forget(&q->windows);
	return profile_prune(&q->a.p, q->a.limit / 6);
}

/* What can be cut off takes too much of the memory. */
static bool is_large(const struct query *q)
{
	return profile_bytes(q->a.p) + older_bytes(&q->windows.older) > q->a.limit / 3;
}

static void query_bind(struct query *q, uint64_t from_ns, uint64_t to_ns)
{
	sqlite3_bind_int64(q->windows.heads, 1, (int64_t)MIN(from_ns, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(q->windows.heads, 2, (int64_t)MIN(to_ns, (uint64_t)INT64_MAX));
}

static int query_run(struct query *q, const struct store_reader *reader, uint64_t from_ns,
		     uint64_t to_ns)
{
	struct head all = {}, h;
	int r;

	query_bind(q, from_ns, to_ns);
	while ((r = db_step(q->windows.heads)) > 0) {
		head_read(q->windows.heads, &h);
		if (reader_passes_over(reader, h.start_ns))
			continue;
		head_add(&all, &h);
		head_to_profile(&all, q->a.p);
		window_spare(&q->windows);
		r = reader_overdue(reader);
		if (r == 0)
			r = window_add(&q->windows, &q->a, &h);
		if (r == 0 && q->prune && is_large(q))
			r = query_prune(q);
		if (r < 0)
			return r;
	}
	return r;
}

/* Whether a process was met whose threads the selectors leave out, all of them. */
static bool any_without_samples(const struct profile *p)
{
	for (uint32_t i = 0; i < p->nprocesses; i++)
		if (!p->processes[i].samples)
			return true;
	return false;
}

static int query_all(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		     const struct selectors *s, struct profile **ret)
{
	_cleanup_(query_done) struct query q = { .a = { .selectors = s, .limit = reader->limit },
						 .prune = reader->prune };
	int r;

	r = profile_new(from_ns, 0, &q.a.p);
	if (r < 0)
		return r;
	q.a.p->end_ns = MAX(from_ns, to_ns);
	r = window_prepare(&q.windows, reader, IN_TIME);
	if (r == 0)
		r = query_run(&q, reader, from_ns, to_ns);
	if (r == 0 && any_without_samples(q.a.p))
		return profile_select(q.a.p, s, ret);
	if (r == 0)
		*ret = TAKE_PTR(q.a.p);
	return r;
}

/* Begins another profile: all ids are others afterwards. */
static int query_renew(struct query *q)
{
	window_forget(&q->windows);
	profile_free(q->a.p);
	q->a.p = NULL;
	return profile_new(0, 0, &q->a.p);
}

static int query_each(struct query *q, const struct store_reader *reader, store_window_fn each,
		      void *ctx)
{
	struct head h;
	int r;

	while ((r = db_step(q->windows.heads)) > 0) {
		head_read(q->windows.heads, &h);
		if (reader_passes_over(reader, h.start_ns))
			continue;
		profile_clear(q->a.p);
		head_to_profile(&h, q->a.p);
		window_spare(&q->windows);
		r = reader_overdue(reader);
		if (r == 0)
			r = window_add(&q->windows, &q->a, &h);
		if (r == 0)
			r = each(q->a.p, ctx);
		if (r == 0 && q->a.limit && is_large(q)) {
			r = each(NULL, ctx);
			if (r == 0)
				r = query_renew(q);
		}
		if (r < 0)
			return r;
	}
	return r < 0 ? r : each(NULL, ctx);
}

static int query_windows(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
			 const struct selectors *s, store_window_fn each, void *ctx)
{
	_cleanup_(query_done) struct query q = { .a = { .selectors = s, .limit = reader->limit } };
	int r = profile_new(0, 0, &q.a.p);

	if (r == 0)
		r = window_prepare(&q.windows, reader, IN_TIME);
	if (r < 0)
		return r;
	query_bind(&q, from_ns, to_ns);
	return query_each(&q, reader, each, ctx);
}

static int query_window(struct store_reader *reader, int64_t id, struct profile **ret,
			int64_t *ret_life_ns)
{
	static const struct selectors none;
	_cleanup_(query_done) struct query q = { .a.selectors = &none };
	int r = profile_new(0, 0, &q.a.p);
	struct head h;

	if (r == 0)
		r = window_prepare(&q.windows, reader, BY_ID);
	if (r < 0)
		return r;
	sqlite3_bind_int64(q.windows.heads, 1, id);
	r = db_step(q.windows.heads);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	head_read(q.windows.heads, &h);
	head_to_profile(&h, q.a.p);
	r = window_add(&q.windows, &q.a, &h);
	if (r < 0)
		return r;
	*ret_life_ns = h.life_ns;
	*ret = TAKE_PTR(q.a.p);
	return 0;
}

int reader_window(struct store_reader *reader, int64_t id, struct profile **ret,
		  int64_t *ret_life_ns)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = query_window(reader, id, ret, ret_life_ns);
	reader_end(reader);
	return r;
}

int store_profile(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		  const struct selectors *s, struct profile **ret)
{
	static const struct selectors none;
	int r = reader_begin(reader);

	if (r == 0)
		r = query_all(reader, from_ns, to_ns, s ? s : &none, ret);
	reader_end(reader);
	return r;
}

int store_each_window(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		      const struct selectors *s, store_window_fn each, void *ctx)
{
	static const struct selectors none;
	int r = reader_begin(reader);

	if (r == 0)
		r = query_windows(reader, from_ns, to_ns, s ? s : &none, each, ctx);
	reader_end(reader);
	return r;
}
