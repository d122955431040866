/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/internal.h"
#include "fleet/sql_part.h"
#include "util/array.h"

/* Which hours are added up, and whether all that there is of them is. */

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

int fleet_rolled_read(struct fleet_read *f, const struct query *q, struct fleet_hours *ret)
{
	struct fleet_span s = fleet_sql_span(q);
	uint64_t from = ((uint64_t)s.from + FLEET_HOUR_S - 1) / FLEET_HOUR_S * FLEET_HOUR_S;
	uint32_t to = s.to / FLEET_HOUR_S * FLEET_HOUR_S, n = 0;
	int r = 0;

	ret->n = 0;
	if (fleet_sql_adds_up(q) && from < to)
		r = fleet_hours_read(f, (uint32_t)from, to, ret);
	for (uint32_t i = 0; r == 0 && i < ret->n; i++)
		if (ret->items[i].generation && ret->items[i].rolled == ret->items[i].windows)
			ret->items[n++] = ret->items[i];
	ret->n = n;
	return r;
}
