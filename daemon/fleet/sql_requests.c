/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/sql_requests.h"

#include <inttypes.h>

#define DAY_S    86400
#define BEFORE_S 7200

/* A day is in the rows, by which less is read. */
static uint64_t seconds(uint64_t ns)
{
	return ns / NSEC_PER_SEC;
}

void fleet_sql_requests_made(struct buf *b, const char *db, uint64_t since_s)
{
	buf_printf(
		b,
		"SELECT uniqExact(request) FROM %s.requests WHERE day >= toDate(toDateTime(%" PRIu64
		")) AND made > toDateTime(%" PRIu64 ")",
		db, since_s - MIN(since_s, (uint64_t)DAY_S), since_s);
}

void fleet_sql_hosts_seen(struct buf *b, const char *db, const struct query *q)
{
	buf_puts(b, "SELECT uniqExact(host_id)");
	fleet_sql_from_samples(b, db, q);
}

void fleet_sql_hosts_drawn(struct buf *b, const char *db, const struct query *q, uint64_t seed,
			   unsigned int most)
{
	buf_puts(b, "SELECT host_id, toString(any(host))");
	fleet_sql_from_samples(b, db, q);
	buf_printf(b,
		   " GROUP BY host_id ORDER BY sipHash64(bitXor(host_id, toUInt64(%" PRIu64
		   "))), host_id LIMIT %u",
		   seed, most);
}

void fleet_sql_request(struct buf *b, const char *db, const struct query *q)
{
	buf_printf(b,
		   "SELECT from_s, to_s, selectors, hosts FROM %s.requests WHERE request = "
		   "toUInt64(%" PRIu64 ") LIMIT 1",
		   db, q->request);
}

void fleet_sql_request_sent(struct buf *b, const char *db, const struct query *q)
{
	uint64_t from = seconds(q->from_ns), to = seconds(q->to_ns),
		 since = from - MIN(from, (uint64_t)BEFORE_S);
	_cleanup_buf_ struct buf within = {};
	_cleanup_free_ char *overlaps = NULL;

	buf_printf(&within, "start_ns < %" PRIu64 " AND end_ns > %" PRIu64, q->to_ns, q->from_ns);
	overlaps = buf_string(&within);
	if (!overlaps) {
		b->error = -ENOMEM;
		return;
	}
	buf_printf(b,
		   "SELECT host_id, toString(any(host)), toUInt64(countIf(%s)), "
		   "toUInt64(sumIf(end_ns - start_ns, %s)), toUInt64(sumIf(least(end_ns, "
		   "toUInt64(%" PRIu64 ")) - greatest(start_ns, toUInt64(%" PRIu64
		   ")), %s)) FROM %s.windows FINAL "
		   "WHERE day >= toDate(toDateTime(%" PRIu64
		   ")) AND day <= toDate(toDateTime(%" PRIu64 ")) AND start > toDateTime(%" PRIu64
		   ") AND start < toDateTime(%" PRIu64
		   ") AND host_id GLOBAL IN (SELECT arrayJoin(hosts) FROM %s.requests WHERE "
		   "request = toUInt64(%" PRIu64 ")) GROUP BY host_id ORDER BY host_id",
		   overlaps, overlaps, q->to_ns, q->from_ns, overlaps, db, since, to, since, to, db,
		   q->request);
}
