/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/sql_hosts.h"

#include <inttypes.h>

#include "clickhouse/literal.h"

#define SUM "sum(samples * weight)"

/* Stacks that are one where hosts are only to be told from others. */
#define BUCKETS 512

void fleet_sql_services_of_hosts(struct buf *b, const char *db, const struct query *q,
				 unsigned int most)
{
	buf_puts(b, "SELECT toString(service), toUInt64(uniqExact(host)), sum(samples) AS n");
	fleet_sql_from_samples(b, db, q);
	buf_printf(b,
		   " AND service != '' AND weight > 0 GROUP BY service ORDER BY n DESC, service "
		   "LIMIT %u",
		   most);
}

/* The samples of each bucket, under that name; of each host where it has a column of them. */
static void put_buckets(struct buf *b, const char *db, const struct query *q, const char *host,
			const char *name)
{
	buf_printf(b, "(SELECT %sstack_id %% %d AS bucket, toFloat64(sum(samples)) AS %s", host,
		   BUCKETS, name);
	fleet_sql_from_samples(b, db, q);
	buf_printf(b, " AND weight > 0 GROUP BY %sbucket)", host);
}

void fleet_sql_farthest_hosts(struct buf *b, const char *db, const struct query *q,
			      uint64_t samples, unsigned int least, unsigned int most)
{
	buf_puts(b, "SELECT toString(host) FROM ");
	put_buckets(b, db, q, "host, ", "y");
	buf_puts(b, " AS each GLOBAL ANY LEFT JOIN ");
	put_buckets(b, db, q, "", "t");
	buf_printf(b,
		   " AS whole USING bucket GROUP BY host HAVING sum(y) >= %u ORDER BY %" PRIu64
		   " * sum(y * y / t) / (sum(y) * sum(y)) - count() / sum(y) DESC, host LIMIT %u",
		   least, samples, most);
}

static void put_names(struct buf *b, const char *const *hosts, size_t n)
{
	buf_puts(b, "host IN (");
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, i ? ", " : "");
		clickhouse_literal(b, hosts[i]);
	}
	buf_putc(b, ')');
}

void fleet_sql_stacks_by_host(struct buf *b, const char *db, const struct query *q,
			      const char *const *hosts, size_t n, uint64_t one_of)
{
	buf_puts(b, "SELECT toString(host), stack_id, " SUM ", sum(samples)");
	fleet_sql_from_samples(b, db, q);
	buf_puts(b, " AND weight > 0");
	if (one_of > 1) {
		buf_printf(b, " AND (sipHash64(toString(host)) %% %" PRIu64 " = 0", one_of);
		if (n) {
			buf_puts(b, " OR ");
			put_names(b, hosts, n);
		}
		buf_putc(b, ')');
	}
	buf_printf(b, " GROUP BY host, stack_id ORDER BY host, stack_id LIMIT %d", FLEET_SIDE_ROWS);
}

void fleet_sql_heaviest_hosts(struct buf *b, const char *db, const struct query *q)
{
	buf_puts(b, "SELECT toString(host), toString(any(region)), " SUM " AS w");
	fleet_sql_from_samples(b, db, q);
	buf_printf(b, " GROUP BY host ORDER BY w DESC, host LIMIT %d", FLEET_HOSTS);
}

void fleet_sql_count_hosts(struct buf *b, const char *db, const struct query *q)
{
	buf_puts(b, "SELECT toUInt64(uniqExact(host)), " SUM);
	fleet_sql_from_samples(b, db, q);
}

static void put_host(struct buf *b, size_t n)
{
	buf_puts(b, n ? "SELECT toString(host), " : "SELECT '', ");
}

static void put_hosts(struct buf *b, const char *const *hosts, size_t n)
{
	if (n) {
		buf_puts(b, " AND ");
		put_names(b, hosts, n);
	}
	buf_puts(b, n ? " GROUP BY host, begin" : " GROUP BY begin");
}

void fleet_sql_samples_by_host(struct buf *b, const char *db, const struct query *q,
			       const char *const *hosts, size_t n, uint32_t step_s,
			       const char *function)
{
	put_host(b, n);
	fleet_sql_begin(b, step_s);
	buf_puts(b, ", " SUM);
	fleet_sql_self_and_total(b, db, q, function);
	fleet_sql_from_samples(b, db, q);
	put_hosts(b, hosts, n);
}

void fleet_sql_windows_by_host(struct buf *b, const char *db, const struct query *q,
			       const char *const *hosts, size_t n, uint32_t step_s)
{
	put_host(b, n);
	fleet_sql_begin(b, step_s);
	buf_printf(b,
		   ", sum(intDiv(end_ns - start_ns, 1000000) * weight), toUInt64(max(hz)), "
		   "toUInt64(0) FROM %s.windows FINAL",
		   db);
	fleet_sql_where_windows(b, q);
	put_hosts(b, hosts, n);
}

void fleet_sql_busiest_processes(struct buf *b, const char *db, const struct query *q)
{
	buf_puts(b, "SELECT toString(service), toString(version), toString(host), "
		    "toString(region), process_id, toUInt64(0), toUInt8(0), " SUM " AS w");
	fleet_sql_from_samples(b, db, q);
	buf_printf(b,
		   " GROUP BY service, version, host, region, process_id ORDER BY w DESC, "
		   "process_id LIMIT %d",
		   FLEET_PROCESSES);
}
