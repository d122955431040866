/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "clickhouse/rows.h"
#include "profile/profile.h"

/*
 * Reads what the store answered (sql.h). It is another program's, filled by many: texts become
 * UTF-8, numbers that mean nothing are refused. Pure. -EBADMSG: it is not of that form; -ENOMEM.
 */

/* One of fleet_sql_stacks_of(). */
struct fleet_row {
	char *service, *version, *host, *region; /* owned */
	uint64_t process, stack, weight;
	uint32_t state;
};
struct fleet_rows {
	struct fleet_row *items; /* owned */
	uint32_t n, room;
};
int fleet_rows_decode(const struct buf *answer, struct fleet_rows *ret);
void fleet_rows_done(struct fleet_rows *rows);

/* What is known of a process by its id, or of a stack: its number in the dict. */
#define FLEET_UNKNOWN UINT32_MAX
struct fleet_stack {
	uint64_t id;
	uint32_t number;
};
struct fleet_process {
	uint64_t id;
	struct process_info info; /* owned; service and version are "" */
	char *python;             /* owned */
};
struct fleet_ids {
	uint64_t *items; /* in order, each once; owned */
	uint32_t n, room;
};
int fleet_ids_add(struct fleet_ids *ids, uint64_t id);
/* Puts them in order. */
void fleet_ids_sort(struct fleet_ids *ids);
void fleet_ids_done(struct fleet_ids *ids);
/* Where it is, by fleet_ids_sort(); FLEET_UNKNOWN. */
uint32_t fleet_ids_find(const struct fleet_ids *ids, uint64_t id);

/* One of fleet_sql_stacks_by_host(). */
struct fleet_host_row {
	uint64_t stack, weight, samples;
	uint32_t host; /* which of the names */
};
struct fleet_host_rows {
	char **hosts;                /* owned */
	struct fleet_host_row *rows; /* by host; owned */
	uint32_t nhosts, hosts_room, n, rows_room;
};
/* ids: theirs are added. */
int fleet_host_rows_decode(const struct buf *answer, struct fleet_host_rows *ret,
			   struct fleet_ids *ids);
void fleet_host_rows_done(struct fleet_host_rows *rows);

/* Of each row of fleet_sql_samples_by_host(), and of windows. */
typedef int (*fleet_cell_fn)(const char *host, uint32_t begin, const uint64_t values[3], void *ctx);
int fleet_cells_decode(const struct buf *answer, fleet_cell_fn each, void *ctx);

/* Puts the stacks of an answer into the dict; numbers: by place in ids, FLEET_UNKNOWN at first. */
int fleet_stacks_decode(const struct buf *answer, const struct fleet_ids *ids, struct dict *d,
			uint32_t *numbers);
/* The same of processes; those that are not known are all zero. */
int fleet_processes_decode(const struct buf *answer, const struct fleet_ids *ids,
			   struct fleet_process *processes);
void fleet_process_done(struct fleet_process *p);

/* A text of an answer, as UTF-8. NULL: bad, or out of memory: the reader is bad then. */
char *fleet_text(struct rows_reader *r);

/*
 * Makes whole samples of sums of millionths: what is left of one is carried to the next, so that
 * all together are right to half a sample.
 */
struct fleet_carry {
	uint64_t rest;
};
uint64_t fleet_samples(struct fleet_carry *c, uint64_t weight);
