/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/answer.h"

#include "store/walk.h"

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

static int query_add(struct query *q, const struct store_reader *reader, const struct head *h)
{
	int r;

	window_spare(&q->windows);
	r = reader_overdue(reader);
	if (r == 0)
		r = window_add(&q->windows, &q->a, h);
	if (r == 0 && q->prune && is_large(q))
		r = query_prune(q);
	return r;
}

static int query_run(struct query *q, const struct store_reader *reader, uint64_t from_ns,
		     uint64_t to_ns)
{
	_cleanup_(walk_done) struct walk walk = {};
	const struct rollup *rollup;
	struct head all = {}, h;
	int r = walk_begin(&walk, &q->windows, reader, from_ns, to_ns,
			   reader->functions ? WALK_COARSEST : WALK_LINES, false);

	while (r == 0 && (r = walk_next(&walk, &h, &rollup)) > 0) {
		head_add(&all, &h);
		head_to_profile(&all, q->a.p);
		r = query_add(q, reader, &h);
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
	static const struct selectors none;
	_cleanup_(
		query_done) struct query q = { .a = { .selectors = s,
						      .limit = reader->limit,
						      .threads_alike = reader->threads_alike,
						      .processes_alike = reader->processes_alike },
					       .prune = reader->prune };
	int r;

	r = profile_new(from_ns, 0, &q.a.p);
	if (r < 0)
		return r;
	q.a.p->end_ns = MAX(from_ns, to_ns);
	r = query_run(&q, reader, from_ns, to_ns);
	/* what is in it was selected already, by threads that it may not have any more */
	if (r == 0 && any_without_samples(q.a.p))
		return profile_select(q.a.p, &none, ret);
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

static int query_each(struct query *q, const struct store_reader *reader, struct walk *walk,
		      store_window_fn each, void *ctx)
{
	const struct rollup *rollup;
	struct head h;
	int r = 0;

	while (r == 0 && (r = walk_next(walk, &h, &rollup)) > 0) {
		profile_clear(q->a.p);
		head_to_profile(&h, q->a.p);
		r = query_add(q, reader, &h);
		if (r == 0)
			r = each(q->a.p, ctx);
		if (r == 0 && q->a.limit && is_large(q)) {
			r = each(NULL, ctx);
			if (r == 0)
				r = query_renew(q);
		}
	}
	return r < 0 ? r : each(NULL, ctx);
}

static int query_windows(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
			 const struct selectors *s, store_window_fn each, void *ctx)
{
	_cleanup_(query_done) struct query q = { .a = { .selectors = s,
							.limit = reader->limit,
							.threads_alike = reader->threads_alike,
							.processes_alike =
								reader->processes_alike } };
	_cleanup_(walk_done) struct walk walk = {};
	int r = profile_new(0, 0, &q.a.p);

	if (r == 0)
		r = walk_begin(&walk, &q.windows, reader, from_ns, to_ns, WALK_FINEST, false);
	return r < 0 ? r : query_each(&q, reader, &walk, each, ctx);
}

/* All of one window, or roll-up. */
static int query_one(struct store_reader *reader, const struct head *h, struct profile **ret)
{
	static const struct selectors none;
	_cleanup_(query_done) struct query q = { .a.selectors = &none };
	int r = profile_new(0, 0, &q.a.p);

	if (r == 0)
		r = window_prepare(&q.windows, reader, NULL);
	if (r < 0)
		return r;
	head_to_profile(h, q.a.p);
	r = window_add(&q.windows, &q.a, h);
	if (r == 0)
		*ret = TAKE_PTR(q.a.p);
	return r;
}

/* The only row of a statement that selects by id. -ENOENT: there is none. */
static int find_one(struct store_reader *reader, const char *sql, int64_t id, sqlite3_stmt **ret)
{
	int r = sql ? db_prepare(reader->db, sql, ret) : -ENOMEM;

	if (r < 0)
		return r;
	sqlite3_bind_int64(*ret, 1, id);
	r = db_step(*ret);
	return r == 0 ? -ENOENT : MIN(r, 0);
}

int reader_window(struct store_reader *reader, int64_t id, struct profile **ret,
		  int64_t *ret_life_ns)
{
	_cleanup_free_ char *sql = NULL;
	sqlite3_stmt *st = NULL;
	struct head h;
	int r = reader_begin(reader);

	if (r == 0) {
		sql = head_select(reader->version, "", "windows WHERE id = ?1");
		r = find_one(reader, sql, id, &st);
	}
	if (r == 0) {
		head_read(st, &h);
		r = query_one(reader, &h, ret);
	}
	if (r == 0)
		*ret_life_ns = h.life_ns;
	sqlite3_finalize(st);
	reader_end(reader);
	return r;
}

int reader_rollup(struct store_reader *reader, int64_t id, struct profile **ret,
		  struct rollup *ret_rollup)
{
	_cleanup_free_ char *sql = rollup_select("WHERE id = ?1");
	sqlite3_stmt *st = NULL;
	struct rollup found;
	int r = reader_begin(reader);

	if (r == 0)
		r = find_one(reader, sql, id, &st);
	if (r == 0) {
		rollup_read(st, &found);
		r = query_one(reader, &found.head, ret);
	}
	if (r == 0)
		*ret_rollup = found;
	sqlite3_finalize(st);
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
