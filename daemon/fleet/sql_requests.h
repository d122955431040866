/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fleet/sql.h"

/* What the store is asked of requests for recordings (clickhouse/schema.c); the rules of sql.h. */

/* UInt64: how many were made since then, seconds since 1970. */
void fleet_sql_requests_made(struct buf *b, const char *db, uint64_t since_s);
/* UInt64: hosts that have samples of it. */
void fleet_sql_hosts_seen(struct buf *b, const char *db, const struct query *q);
/* host_id UInt64, host String: so many of them, by a hash with that seed. */
void fleet_sql_hosts_drawn(struct buf *b, const char *db, const struct query *q, uint64_t seed,
			   unsigned int most);
/* from_s, to_s UInt32, selectors String, hosts Array(UInt64): of q->request. */
void fleet_sql_request(struct buf *b, const char *db, const struct query *q);
/*
 * host_id UInt64, host String, windows, length, covered UInt64: what each of its hosts has sent
 * that overlaps the query's time, how long that is, and how much of the time, in ns; of all that
 * the store saw within two hours before.
 */
void fleet_sql_request_sent(struct buf *b, const char *db, const struct query *q);
