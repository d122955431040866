/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "query/query.h"
#include "util/buf.h"

/*
 * What the store of a fleet is asked, as SQL that 18.16 and 26.9 both take, over the tables of
 * clickhouse/schema.c. All reads are FINAL, of the days that the query is of; what somebody named
 * is a clickhouse_literal(). Sums are weighted: of millionths, FLEET_UNIT is one sample. Pure.
 *
 * What each answers is said beside it, a row in the order of its columns; decode.h reads them.
 */
#define FLEET_UNIT 1000000
/* Windows that begin in one of these of the clock are listed as one. */
#define FLEET_WINDOW_S 30
/* What is added up at once. */
#define FLEET_HOUR_S 3600
/* Rows of stacks that one answer is made of, the heaviest; the rest is one, [other]. */
#define FLEET_ROWS 20000
/* Groups of windows that a side of a comparison has at most; of fewer each is by itself. */
#define FLEET_REPLICATES 480
#define FLEET_SIDE_ROWS  400000

/* An hour: windows that there are, and what of it is added up. */
struct fleet_hour {
	uint32_t begin; /* seconds since 1970, a multiple of 3600 */
	uint64_t windows;
	uint64_t generation, rolled; /* the last one, and windows that it has; 0: there is none */
};
/* By begin, each once. */
struct fleet_hours {
	struct fleet_hour *items; /* owned */
	uint32_t n, room;
};
/*
 * What of a query's time is read otherwise than by FINAL, which is in all of the rest: hours that
 * are added up, with all their windows; and times of which each row of samples is there once. By
 * time, in seconds since 1970; none is in two.
 */
struct fleet_part {
	uint32_t from, to;
	uint64_t generation; /* of an hour; 0: of samples; FLEET_NOTHING: no window is in it */
};
#define FLEET_NOTHING UINT64_MAX
struct fleet_cover {
	struct fleet_part *items; /* owned */
	uint32_t n, room;
};

/* -EINVAL: it asks for what the store does not have; *ret_why says what, static. */
int fleet_sql_check(const struct query *q, const char **ret_why);
/* Whether sums over hosts tell what it asks for: it is of no host and of no process. */
bool fleet_sql_adds_up(const struct query *q);
/* Whether it chooses by what a thread did, of which sums by service know nothing. */
bool fleet_sql_of_states(const struct query *q);
/* Whether it asks for what only the table of processes has. */
bool fleet_sql_of_processes(const struct query *q);

/* FROM and WHERE of the samples that a query chooses; more conditions may follow. */
void fleet_sql_from_samples(struct buf *b, const char *db, const struct query *q);

/* WHERE of windows: what they say of their host is of all its processes. */
void fleet_sql_where_windows(struct buf *b, const struct query *q);
/* "... AS begin": of the step that a row is in; 0: all is one. */
void fleet_sql_begin(struct buf *b, uint32_t step_s);
/* ", SELF, TOTAL": sums of a function's samples; "": 0 both. */
void fleet_sql_self_and_total(struct buf *b, const char *db, const struct query *q,
			      const char *function);

/*
 * service, version, host, region String, process_id, stack_id UInt64, state UInt8, sum UInt64, the
 * heaviest first. host and region are "", and process_id is 0, where the query needs none.
 */
void fleet_sql_stacks_of(struct buf *b, const char *db, const struct query *q,
			 const struct fleet_cover *cover);
/* The same of all stacks together, so that what is beyond the bound is known. */
void fleet_sql_totals(struct buf *b, const char *db, const struct query *q,
		      const struct fleet_cover *cover);
/* UInt64: windows of hosts that have samples of it. */
void fleet_sql_windows(struct buf *b, const char *db, const struct query *q);
/*
 * replicate UInt64, begin, windows UInt32 (how many it is of), service String, stack_id, sum
 * UInt64, those of one replicate together, by begin. A replicate is a window of a host, or, of so
 * many groups, those that a hash puts into one; 0: each is by itself. by_host: all windows of a
 * host are one.
 */
void fleet_sql_side(struct buf *b, const char *db, const struct query *q, unsigned int groups,
		    bool by_host);
/* stack_id UInt64 and the columns of stacks. */
void fleet_sql_stacks(struct buf *b, const char *db, const struct query *q, const uint64_t *ids,
		      size_t n);
/* process_id, pid, start_time, uid, python, comm, exe, cmdline, cgroup, unit, container. */
void fleet_sql_processes(struct buf *b, const char *db, const struct query *q, const uint64_t *ids,
			 size_t n);
/*
 * begin UInt32, of so many seconds (0: all is one); start_ns, end_ns, hz, ticks, python, other,
 * truncated, samples, mean length of a window in ns UInt64. By begin.
 */
void fleet_sql_heads(struct buf *b, const char *db, const struct query *q, uint32_t step_s);
/* begin UInt32, cause String, sum UInt64. By begin. */
void fleet_sql_lost(struct buf *b, const char *db, const struct query *q, uint32_t step_s);
/* begin UInt32, service, version String, sum UInt64. By begin. */
void fleet_sql_services(struct buf *b, const char *db, const struct query *q, uint32_t step_s,
			const struct fleet_cover *cover);
/* value String, sum UInt64. key: of a process, as selectors have it. */
void fleet_sql_label(struct buf *b, const char *db, const struct query *q, const char *key,
		     const struct fleet_cover *cover);
/* service, version String, first, last UInt32, sum UInt64. */
void fleet_sql_deploys(struct buf *b, const char *db, const struct query *q,
		       const struct fleet_cover *cover);
/* begin UInt32, all, self, total UInt64: of the function; "": of none. By begin. */
void fleet_sql_series(struct buf *b, const char *db, const struct query *q, uint32_t step_s,
		      const char *function, const struct fleet_cover *cover);
/*
 * begin UInt32, generation, windows UInt64, of the hours that are added up; and begin UInt32,
 * windows UInt64, of those that have any. Both by begin, of [from, to) in seconds since 1970.
 */
void fleet_sql_rolled(struct buf *b, const char *db, uint32_t from, uint32_t to);
void fleet_sql_hours(struct buf *b, const char *db, uint32_t from, uint32_t to);
/*
 * Of the time that is in no part: begin UInt32, rows UInt64, by begin, as many as samples has and
 * as many as its windows were sent with. Where both are the same each row is there once.
 */
void fleet_sql_rows(struct buf *b, const char *db, const struct query *q,
		    const struct fleet_cover *cover, uint32_t step_s);
void fleet_sql_rows_sent(struct buf *b, const char *db, const struct query *q,
			 const struct fleet_cover *cover, uint32_t step_s);
/* Add an hour up, by stack and by service; rows of another generation stay. */
void fleet_sql_roll_stacks(struct buf *b, const char *db, uint32_t hour, uint64_t generation);
void fleet_sql_roll_services(struct buf *b, const char *db, uint32_t hour, uint64_t generation);
/* hosts, windows UInt64, oldest, newest UInt32. */
void fleet_sql_facts(struct buf *b, const char *db);
