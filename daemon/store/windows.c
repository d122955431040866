/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/walk.h"

/* Another element of an array, the window; processes: the elements of its own. */
static void put_window(struct buf *to, const struct head *h, const struct buf *processes)
{
	struct json_writer w = json_elements_on(to);

	json_put_object(&w, NULL);
	head_put(&w, h);
	json_put_elements(&w, "processes", processes);
	json_put_end(&w);
}

static void put_process(struct buf *to, const struct profile_process *p)
{
	struct json_writer w = json_elements_on(to);

	json_put_object(&w, NULL);
	json_put_int(&w, "pid", p->info.pid);
	json_put_real(&w, "start_time", p->info.start_time);
	json_put_string(&w, "comm", p->info.comm);
	json_put_string(&w, "service", p->info.service);
	json_put_string(&w, "python", p->python);
	json_put_uint(&w, "samples", p->samples);
	json_put_end(&w);
}

static bool listed(const struct selectors *s, const struct process_info *p)
{
	return !s || selectors_see(s, p->uid, p->service);
}

/* The list of the processes of one window. */
struct listing {
	const struct selectors *selectors;
	struct buf *to;
	size_t processes;
	uint64_t samples;
};

static int list_process(const struct profile_process *p, void *ctx)
{
	struct listing *l = ctx;

	if (!listed(l->selectors, &p->info))
		return 0;
	l->samples += p->samples;
	put_process(l->to, p);
	l->processes++;
	return 0;
}

/* Rows that were written one after the other, for which the order is not the one that is wanted. */
struct rows {
	struct buf text;
	size_t *ends; /* owned */
	size_t n;
};

static int rows_add(struct rows *rows, const struct buf *row)
{
	size_t *ends;

	/* doubled at each power of two */
	if ((rows->n & (rows->n - 1)) == 0) {
		ends = reallocarray(rows->ends, MAX(2 * rows->n, (size_t)1), sizeof(*ends));
		if (!ends)
			return -ENOMEM;
		rows->ends = ends;
	}
	buf_append(&rows->text, row->data, row->size);
	rows->ends[rows->n++] = rows->text.size;
	return row->error ? row->error : rows->text.error;
}

static void rows_reverse(const struct rows *rows, struct buf *to)
{
	for (size_t i = rows->n; i-- > 0;) {
		size_t begin = i ? rows->ends[i - 1] : 0;

		if (to->size)
			buf_putc(to, ',');
		buf_append(to, rows->text.data + begin, rows->ends[i] - begin);
	}
}

static void rows_done(struct rows *rows)
{
	buf_free(&rows->text);
	free(rows->ends);
}

/* What a listing is written to, and what is reused from window to window. */
struct writing {
	struct window_reader windows;
	struct buf row, processes;
	struct listing listing;
};

static void writing_done(struct writing *k)
{
	window_done(&k->windows);
	buf_free(&k->row);
	buf_free(&k->processes);
}

static int list_one(struct writing *k, const struct store_reader *reader, struct head *h,
		    const struct rollup *rollup, struct rows *to)
{
	const struct selectors *s = k->listing.selectors;
	int r = reader_overdue(reader);

	buf_clear(&k->row);
	buf_clear(&k->processes);
	k->listing.samples = 0;
	window_spare(&k->windows);
	if (r == 0)
		r = window_each_process(&k->windows, h, list_process, &k->listing);
	if (r < 0)
		return r;
	if (s && s->owned)
		head_reduce(h, k->listing.samples);
	/* it stands for all of its windows, as none of them is listed */
	if (rollup)
		h->id = rollup->first;
	put_window(&k->row, h, &k->processes);
	return rows_add(to, &k->row);
}

/* The newest first. */
static int list(const struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		unsigned int max, const struct selectors *s, struct rows *to)
{
	_cleanup_(writing_done) struct writing k = {
		.row.limit = to->text.limit,
		.processes.limit = to->text.limit,
		.listing.selectors = s,
	};
	_cleanup_(walk_done) struct walk walk = {};
	const struct rollup *rollup;
	struct head h;
	int r = walk_begin(&walk, &k.windows, reader, from_ns, to_ns, WALK_FINEST, true);

	k.listing.to = &k.processes;
	while (r == 0 && to->n < max && k.listing.processes < STORE_LISTED_MAX &&
	       (r = walk_next(&walk, &h, &rollup)) > 0)
		r = list_one(&k, reader, &h, rollup, to);
	return MIN(r, 0);
}

int store_windows(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns, unsigned int max,
		  const struct selectors *s, struct buf *to)
{
	_cleanup_(rows_done) struct rows newest_first = { .text.limit = to->limit };
	int r = reader_begin(reader);

	if (r == 0)
		r = list(reader, from_ns, to_ns, max, s, &newest_first);
	reader_end(reader);
	if (r < 0)
		return r;
	rows_reverse(&newest_first, to);
	return to->error;
}

/* What the processes of one window are told to. */
struct telling {
	const struct selectors *selectors;
	struct head head;
	store_process_fn each;
	void *ctx;
};

static int tell_process(const struct profile_process *p, void *ctx)
{
	const struct telling *t = ctx;

	if (t->selectors && !selectors_match_process(t->selectors, p))
		return 0;
	return t->each(p, t->head.start_ns, t->head.end_ns, t->ctx);
}

static int tell_all(const struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		    bool newest_first, struct telling *t)
{
	_cleanup_(window_done) struct window_reader windows = {};
	_cleanup_(walk_done) struct walk walk = {};
	const struct rollup *rollup;
	int r = walk_begin(&walk, &windows, reader, from_ns, to_ns, walk_tier_of(reader->unit_ns),
			   newest_first);

	while (r == 0 && (r = walk_next(&walk, &t->head, &rollup)) > 0) {
		window_spare(&windows);
		r = reader_overdue(reader);
		if (r == 0)
			r = window_each_process(&windows, &t->head, tell_process, t);
	}
	return r;
}

int store_each_process(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		       const struct selectors *s, bool newest_first, store_process_fn each,
		       void *ctx)
{
	struct telling t = { .selectors = s, .each = each, .ctx = ctx };
	int r = reader_begin(reader);

	if (r == 0)
		r = tell_all(reader, from_ns, to_ns, newest_first, &t);
	reader_end(reader);
	return r == STORE_ENOUGH ? 0 : r;
}

static int tell_heads(const struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		      store_head_fn each, void *ctx)
{
	_cleanup_(window_done) struct window_reader windows = {};
	_cleanup_(walk_done) struct walk walk = {};
	const struct rollup *rollup;
	struct head h;
	int r = walk_begin(&walk, &windows, reader, from_ns, to_ns, WALK_FINEST, false);

	while (r == 0 && (r = walk_next(&walk, &h, &rollup)) > 0) {
		r = reader_overdue(reader);
		if (r == 0)
			r = each(&h, ctx);
	}
	return r;
}

int store_each_head(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		    store_head_fn each, void *ctx)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = tell_heads(reader, from_ns, to_ns, each, ctx);
	reader_end(reader);
	return r;
}

int store_window_put(const struct profile *window, const struct selectors *s, struct buf *to)
{
	_cleanup_buf_ struct buf processes = { .limit = to->limit };
	uint64_t samples = 0;
	struct head h;

	head_of_profile(window, &h);
	for (uint32_t i = 0; i < window->nprocesses; i++) {
		const struct profile_process *p = &window->processes[i];

		if (!p->samples || !listed(s, &p->info))
			continue;
		samples += p->samples;
		put_process(&processes, p);
	}
	if (s && s->owned)
		head_reduce(&h, samples);
	put_window(to, &h, &processes);
	return to->error;
}
