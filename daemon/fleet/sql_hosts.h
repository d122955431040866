/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fleet/sql.h"

/* What the store is asked of hosts; the rules are those of sql.h. */

/* service String, hosts, sum UInt64: those that have a name, the heaviest first, so many. */
void fleet_sql_services_of_hosts(struct buf *b, const char *db, const struct query *q,
				 unsigned int most);
/*
 * host String, stack_id, sum, samples UInt64, those of one host together: of the hosts that a hash
 * puts into that one of so many groups. samples: as they were counted, without weights.
 */
void fleet_sql_stacks_by_host(struct buf *b, const char *db, const struct query *q,
			      unsigned int group, unsigned int groups);
