/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/internal.h"
#include "fleet/sql_part.h"
#include "util/array.h"

/* What is read of the tables of sums, and what of samples without FINAL. */

/* Steps of a time, at most: what is asked then names half as many times. */
#define STEPS 1000

void fleet_hours_done(struct fleet_hours *h)
{
	free(h->items);
	*h = (struct fleet_hours){};
}

/* The hour's place; those before it stay. NULL: out of memory. */
static struct fleet_hour *hour_at(struct fleet_hours *h, uint32_t *at, uint32_t begin)
{
	void *array = h->items;

	while (*at < h->n && h->items[*at].begin < begin)
		(*at)++;
	if (*at < h->n && h->items[*at].begin == begin)
		return &h->items[*at];
	if (array_reserve(&array, h->n, &h->room, sizeof(*h->items)) < 0)
		return NULL;
	h->items = array;
	memmove(&h->items[*at + 1], &h->items[*at], (h->n - *at) * sizeof(*h->items));
	h->n++;
	h->items[*at] = (struct fleet_hour){ .begin = begin };
	return &h->items[*at];
}

/* An answer by begin. sums: of hours that are added up; otherwise of those that have windows. */
static int decode(const struct buf *answer, bool sums, struct fleet_hours *ret)
{
	struct rows_reader r = rows_of(answer);
	uint32_t at = 0;

	while (rows_more(&r)) {
		struct fleet_hour *h = hour_at(ret, &at, rows_u32(&r));

		if (!h)
			return -ENOMEM;
		if (sums)
			h->generation = rows_u64(&r);
		*(sums ? &h->rolled : &h->windows) = rows_u64(&r);
		if (rows_bad(&r) || h->begin % FLEET_HOUR_S)
			return -EBADMSG;
	}
	return 0;
}

int fleet_hours_read(struct fleet_read *f, uint32_t from, uint32_t to, struct fleet_hours *ret)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	int r;

	ret->n = 0;
	fleet_sql_rolled(&sql, f->db, from, to);
	r = fleet_ask(f, &sql, &answer);
	if (r == 0)
		r = decode(&answer, true, ret);
	if (r < 0)
		return r;
	fleet_sql_hours(&sql, f->db, from, to);
	r = fleet_ask(f, &sql, &answer);
	return r == 0 ? decode(&answer, false, ret) : r;
}

void fleet_cover_done(struct fleet_cover *c)
{
	free(c->items);
	*c = (struct fleet_cover){};
}

/* What follows on another part of the same kind is one with it. -ENOMEM. */
static int add(struct fleet_cover *c, uint32_t from, uint32_t to, uint64_t generation)
{
	void *array = c->items;

	if (!generation && c->n && !c->items[c->n - 1].generation &&
	    c->items[c->n - 1].to == from) {
		c->items[c->n - 1].to = to;
		return 0;
	}
	if (array_reserve(&array, c->n, &c->room, sizeof(*c->items)) < 0)
		return -ENOMEM;
	c->items = array;
	c->items[c->n++] = (struct fleet_part){ from, to, generation };
	return 0;
}

/* Hours that lie within the time, and of which all windows are added up. */
static int add_hours(struct fleet_read *f, const struct query *q, struct fleet_cover *c)
{
	struct fleet_span s = fleet_sql_span(q);
	uint64_t from = ((uint64_t)s.from + FLEET_HOUR_S - 1) / FLEET_HOUR_S * FLEET_HOUR_S;
	uint32_t to = s.to / FLEET_HOUR_S * FLEET_HOUR_S;
	struct fleet_hours hours = {};
	int r = from < to ? fleet_hours_read(f, (uint32_t)from, to, &hours) : 0;

	for (uint32_t i = 0; r == 0 && i < hours.n; i++) {
		const struct fleet_hour *h = &hours.items[i];

		if (h->generation && h->rolled == h->windows)
			r = add(c, h->begin, h->begin + FLEET_HOUR_S, h->generation);
	}
	fleet_hours_done(&hours);
	return r;
}

/* Rows of samples in a step, that there are and that were sent. */
struct rows_of_step {
	uint32_t begin;
	uint64_t rows;
};
struct rows_of_steps {
	struct rows_of_step *items; /* by begin; owned */
	uint32_t n, room;
};

static int read_steps(struct fleet_read *f, struct buf *sql, struct rows_of_steps *ret)
{
	_cleanup_buf_ struct buf answer = {};
	struct rows_reader r;
	int e = fleet_ask(f, sql, &answer);

	r = rows_of(&answer);
	while (e == 0 && rows_more(&r)) {
		void *array = ret->items;

		if (array_reserve(&array, ret->n, &ret->room, sizeof(*ret->items)) < 0)
			return -ENOMEM;
		ret->items = array;
		ret->items[ret->n].begin = rows_u32(&r);
		ret->items[ret->n++].rows = rows_u64(&r);
		if (rows_bad(&r))
			return -EBADMSG;
	}
	return e;
}

/* Adds the parts of [from, to) that no hour is in. */
static int add_once(struct fleet_cover *c, const struct fleet_cover *hours, uint32_t from,
		    uint32_t to)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < hours->n; i++) {
		const struct fleet_part *h = &hours->items[i];

		if (h->to <= from || h->from >= to)
			continue;
		if (h->from > from)
			r = add(c, from, h->from, 0);
		from = h->to;
	}
	return r == 0 && from < to ? add(c, from, to, 0) : r;
}

static int compare_parts(const void *a, const void *b)
{
	const struct fleet_part *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

/*
 * A step of which samples has as many rows as its windows were sent with has none twice. One whose
 * windows are on their way has more; so has one that was sent twice, until the store has merged it.
 * Where no window is at all, which costs little to ask, samples are not looked through.
 */
static int add_steps(struct fleet_read *f, const struct query *q, struct fleet_cover *c)
{
	struct fleet_span s = fleet_sql_span(q);
	uint32_t step_s = ((s.to - s.from) / STEPS / FLEET_WINDOW_S + 1) * FLEET_WINDOW_S, j = 0;
	struct rows_of_steps there = {}, sent = {};
	struct fleet_cover parts = {};
	_cleanup_buf_ struct buf sql = {};
	int r;

	fleet_sql_rows_sent(&sql, f->db, q, c, step_s);
	r = read_steps(f, &sql, &sent);
	if (r == 0 && sent.n) {
		fleet_sql_rows(&sql, f->db, q, c, step_s);
		r = read_steps(f, &sql, &there);
	} else if (r == 0) {
		r = add_once(&parts, c, s.from, s.to);
	}
	for (uint32_t i = 0; r == 0 && i < there.n; i++) {
		const struct rows_of_step *t = &there.items[i];

		while (j < sent.n && sent.items[j].begin < t->begin)
			j++;
		if (j < sent.n && sent.items[j].begin == t->begin && sent.items[j].rows == t->rows)
			r = add_once(&parts, c, MAX(t->begin, s.from),
				     MIN(t->begin + step_s, s.to));
	}
	for (uint32_t i = 0; r == 0 && i < parts.n; i++)
		r = add(c, parts.items[i].from, parts.items[i].to, sent.n ? 0 : FLEET_NOTHING);
	if (c->n)
		qsort(c->items, c->n, sizeof(*c->items), compare_parts);
	fleet_cover_done(&parts);
	free(there.items);
	free(sent.items);
	return r;
}

int fleet_cover_read(struct fleet_read *f, const struct query *q, bool hours,
		     struct fleet_cover *ret)
{
	int r = hours ? add_hours(f, q, ret) : 0;

	return r == 0 && fleet_sql_any_gap(q, ret) ? add_steps(f, q, ret) : r;
}
