/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fleet/sql.h"

/* What the store is asked of hosts; the rules are those of sql.h. */

/*
 * service String, hosts, samples UInt64: those that have a name, the heaviest first, so many.
 * samples: as they were counted, without weights.
 */
void fleet_sql_services_of_hosts(struct buf *b, const char *db, const struct query *q,
				 unsigned int most);
/*
 * host String: those whose stacks are farthest from those of all of the query, which has so many
 * samples, by chi-square: the sum of squared distances, without what chance makes of them. Hosts
 * with fewer samples than least are left out.
 */
void fleet_sql_farthest_hosts(struct buf *b, const char *db, const struct query *q,
			      uint64_t samples, unsigned int least, unsigned int most);
/*
 * host String, stack_id, sum, samples UInt64, those of one host together: of these hosts, and of
 * one out of so many of the others, by a hash.
 */
void fleet_sql_stacks_by_host(struct buf *b, const char *db, const struct query *q,
			      const char *const *hosts, size_t n, uint64_t one_of);

/* Hosts that are told by themselves, and processes. */
#define FLEET_HOSTS     60
#define FLEET_PROCESSES 500

/* host, region String, sum UInt64: the heaviest first, FLEET_HOSTS of them. */
void fleet_sql_heaviest_hosts(struct buf *b, const char *db, const struct query *q);
/* hosts, sum UInt64: of all. */
void fleet_sql_count_hosts(struct buf *b, const char *db, const struct query *q);
/*
 * host String, begin UInt32, and three UInt64, of these hosts; n is 0: of all as one, whose name is
 * "". Of samples: all, self and total of a function, as fleet_sql_series(). Of windows: how long
 * they are, in ms by their weight, their rate, and 0.
 */
void fleet_sql_samples_by_host(struct buf *b, const char *db, const struct query *q,
			       const char *const *hosts, size_t n, uint32_t step_s,
			       const char *function);
void fleet_sql_windows_by_host(struct buf *b, const char *db, const struct query *q,
			       const char *const *hosts, size_t n, uint32_t step_s);
/* As fleet_sql_stacks_of(), of processes, without stacks: FLEET_PROCESSES of them. */
void fleet_sql_busiest_processes(struct buf *b, const char *db, const struct query *q);
