/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/sql_hosts.h"

#define SUM "sum(samples * weight)"

void fleet_sql_services_of_hosts(struct buf *b, const char *db, const struct query *q,
				 unsigned int most)
{
	buf_puts(b, "SELECT toString(service), toUInt64(uniqExact(host)), " SUM " AS w");
	fleet_sql_from_samples(b, db, q);
	buf_printf(b,
		   " AND service != '' AND weight > 0 GROUP BY service ORDER BY w DESC, service "
		   "LIMIT %u",
		   most);
}

void fleet_sql_stacks_by_host(struct buf *b, const char *db, const struct query *q,
			      unsigned int group, unsigned int groups)
{
	buf_puts(b, "SELECT toString(host), stack_id, " SUM ", sum(samples)");
	fleet_sql_from_samples(b, db, q);
	buf_puts(b, " AND weight > 0");
	if (groups > 1)
		buf_printf(b, " AND sipHash64(toString(host)) %% %u = %u", groups, group);
	buf_printf(b, " GROUP BY host, stack_id ORDER BY host, stack_id LIMIT %d", FLEET_SIDE_ROWS);
}
