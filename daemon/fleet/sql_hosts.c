/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/sql_hosts.h"

#include <inttypes.h>

#include "clickhouse/literal.h"

#define SUM "sum(samples * weight)"

void fleet_sql_services_of_hosts(struct buf *b, const char *db, const struct query *q,
				 unsigned int most)
{
	buf_puts(b, "SELECT toString(service), toUInt64(uniqExact(host)), " SUM " AS w");
	fleet_sql_from_samples(b, db, q);
	buf_printf(b,
		   " AND service != '' GROUP BY service ORDER BY w DESC, service "
		   "LIMIT %u",
		   most);
}

void fleet_sql_stacks_by_host(struct buf *b, const char *db, const struct query *q,
			      unsigned int group, unsigned int groups)
{
	buf_puts(b, "SELECT toString(host), stack_id, " SUM ", sum(samples)");
	fleet_sql_from_samples(b, db, q);
	if (groups > 1)
		buf_printf(b, " AND sipHash64(toString(host)) %% %u = %u", groups, group);
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
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, i ? ", " : " AND host IN (");
		clickhouse_literal(b, hosts[i]);
	}
	buf_puts(b, n ? ") GROUP BY host, begin" : " GROUP BY begin");
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
