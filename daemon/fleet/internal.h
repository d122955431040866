/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fleet/decode.h"
#include "fleet/source.h"
#include "fleet/sql.h"

/* Private to the room: one question while it is read. */
struct fleet_read {
	struct clickhouse *clickhouse;
	const char *db;
	struct fleet_source *source;
	struct question *question;
	bool by_host;             /* of a comparison: each host is one window */
	struct fleet_cover cover; /* of the question's time */
};

/* Bytes that the store may answer at once. */
#define FLEET_ANSWER (24u << 20)

/*
 * Asks the store, and empties both: the answer is in RowBinary. Errors as of clickhouse_ask(), and
 * the source's trouble says why.
 */
int fleet_ask(struct fleet_read *f, struct buf *sql, struct buf *answer);
/* The same of one number, the first that is answered. */
int fleet_ask_number(struct fleet_read *f, struct buf *sql, uint64_t *ret);
/* ... of what answers nothing, and takes as long as the connection lets it. */
int fleet_tell(struct fleet_read *f, struct buf *sql);

/* Hours in [from, to) that have windows or are added up. Empties *ret first. */
int fleet_hours_read(struct fleet_read *f, uint32_t from, uint32_t to, struct fleet_hours *ret);
void fleet_hours_done(struct fleet_hours *h);
/* What of a query's time need not be read by FINAL. hours: whether sums of hours tell it. */
int fleet_cover_read(struct fleet_read *f, const struct query *q, bool hours,
		     struct fleet_cover *ret);
void fleet_cover_done(struct fleet_cover *c);

/* Drops what nobody reads any more, and days that are not kept, of the node that is asked. */
int fleet_tidy(struct fleet_read *f, uint32_t now_s, uint64_t keep_s);

/* What windows add up to, over all hosts: a step, or all of a time. */
struct fleet_head {
	uint32_t begin;
	uint64_t length_ns; /* of a window, in the mean */
	struct head head;
};
struct fleet_heads {
	struct fleet_head *items; /* owned */
	uint32_t n, room;
};
int fleet_heads_read(struct fleet_read *f, const struct query *q, uint32_t step_s,
		     struct fleet_heads *ret);
void fleet_heads_done(struct fleet_heads *h);

/* The stacks with those ids, by their place: FLEET_UNKNOWN where the store has none. */
int fleet_stacks_read(struct fleet_read *f, const struct query *q, const struct fleet_ids *ids,
		      struct dict *d, uint32_t *numbers);

/*
 * A query of these values of a key alone. It borrows all of the other but its selectors, which are
 * the caller's: selectors_done().
 */
int fleet_narrow(const struct query *q, const char *key, const char *const *values, size_t n,
		 struct query *ret);

int fleet_count_hosts(struct fleet_read *f, const struct query *q, uint64_t *ret);
/* Those with most samples, most of them; the names are the caller's. */
int fleet_name_hosts(struct fleet_read *f, const struct query *q, char **names, size_t most,
		     size_t *ret_n);

/* A stack that its samples came without. */
int fleet_unknown_stack(struct dict *d, uint32_t *ret);

/* A profile with what is known of its windows alone; and how long one is, in the mean. */
int fleet_begin_profile(struct fleet_read *f, const struct query *q, struct profile **ret,
			uint64_t *ret_length_ns);

/* What is of no process is of one that has its service and version alone. -ENOMEM. */
int fleet_add_service(struct profile *p, const char *service, const char *version, uint32_t *ret);

/* Fill in what the question is about. */
int fleet_read_profile(struct fleet_read *f);
int fleet_read_side(struct fleet_read *f, int side);
/* Both, by host where both have enough of these. */
int fleet_read_sides(struct fleet_read *f);
int fleet_read_windows(struct fleet_read *f);
int fleet_read_steps(struct fleet_read *f);
int fleet_read_labels(struct fleet_read *f);
int fleet_read_deploys(struct fleet_read *f);
int fleet_read_series(struct fleet_read *f);
int fleet_read_facts(struct fleet_read *f);
/* Write the answer. */
int fleet_read_outliers(struct fleet_read *f);
int fleet_read_hosts(struct fleet_read *f);
int fleet_read_processes(struct fleet_read *f);
struct fleet_memos;
int fleet_read_regressions(struct fleet_read *f, struct fleet_memos *memos);

/* POST /v1/fleet/record: draws hosts that have what the query selects, and writes a request. */
int fleet_make_request(struct fleet_read *f);
/* GET /v1/fleet/record/ID: what has arrived of it. */
int fleet_read_request(struct fleet_read *f);
/*
 * The query gets the time of its request. ret_selectors, which may be NULL: by which its hosts were
 * chosen, the caller's. -ENOENT: there is none.
 */
int fleet_request_time(struct fleet_read *f, char **ret_selectors, uint64_t *ret_hosts);
