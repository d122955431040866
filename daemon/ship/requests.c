/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/requests.h"

#include <inttypes.h>

#include "clickhouse/rows.h"
#include "ship/any.h"

#define HOUR_S 3600u
/* They may begin so much after they were made, and take so long. */
#define DAYS_S (2 * HOUR_S + REQUESTS_LONGEST_S)

void requests_question(const char *database, uint64_t host_id, uint64_t now_s, struct buf *sql)
{
	uint64_t since_s = now_s - MIN(now_s, (uint64_t)HOUR_S);

	buf_printf(sql,
		   "SELECT request, from_s, to_s FROM %s.requests WHERE day >= "
		   "toDate(toDateTime(%" PRIu64 ")) AND to_s > %" PRIu64
		   " AND has(hosts, toUInt64(%" PRIu64
		   ")) ORDER BY to_s, request LIMIT 1 BY request LIMIT %u FORMAT RowBinary",
		   database, now_s - MIN(now_s, (uint64_t)DAYS_S), since_s, host_id, REQUESTS_MOST);
}

bool requests_answer(struct requests *r, const struct buf *answer)
{
	struct rows_reader rows = rows_of(answer);
	struct requests got = { .next_ns = r->next_ns };

	while (rows_more(&rows)) {
		struct requests_item one = { .id = rows_u64(&rows) };

		one.from_s = rows_u32(&rows);
		one.to_s = rows_u32(&rows);
		if (rows_bad(&rows))
			return false;
		if (one.from_s >= one.to_s || got.n == REQUESTS_MOST)
			continue;
		one.to_s = MIN(one.to_s - one.from_s, (uint32_t)REQUESTS_LONGEST_S) + one.from_s;
		got.items[got.n++] = one;
	}
	*r = got;
	return true;
}

bool requests_due(struct requests *r, uint64_t poll_ns)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (!poll_ns || now < r->next_ns)
		return false;
	r->next_ns = now + poll_ns / 2 + any_below(poll_ns / 2);
	return true;
}

bool requests_want(const struct requests *r, uint64_t start_ns, uint64_t end_ns)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (end_ns > r->items[i].from_s * NSEC_PER_SEC &&
		    start_ns < r->items[i].to_s * NSEC_PER_SEC)
			return true;
	return false;
}
