/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/internal.h"

#include "diff/outliers.h"
#include "fleet/sql_hosts.h"
#include "util/array.h"

/* The sides of a comparison. */

/* A row of fleet_sql_side(). */
struct side_row {
	uint64_t replicate, stack, weight;
	uint32_t begin, windows;
	uint32_t process;
};

static int decode_side(const struct buf *answer, struct profile *p, struct side_row **ret,
		       uint32_t *ret_n, struct fleet_ids *ids)
{
	_cleanup_free_ struct side_row *rows = NULL;
	struct rows_reader reader = rows_of(answer);
	uint32_t n = 0, room = 0;
	int r = 0;

	while (r == 0 && rows_more(&reader)) {
		void *array = rows;
		_cleanup_free_ char *service = NULL;

		if (array_reserve(&array, n, &room, sizeof(*rows)) < 0)
			return -ENOMEM;
		rows = array;
		rows[n].replicate = rows_u64(&reader);
		rows[n].begin = rows_u32(&reader);
		rows[n].windows = rows_u32(&reader);
		service = fleet_text(&reader);
		rows[n].stack = rows_u64(&reader);
		rows[n].weight = rows_u64(&reader);
		if (rows_bad(&reader))
			return -EBADMSG;
		r = fleet_add_service(p, service, "", &rows[n].process);
		if (r == 0)
			r = fleet_ids_add(ids, rows[n++].stack);
	}
	*ret = TAKE_PTR(rows);
	*ret_n = n;
	return r;
}

/* Adds one replicate: the rows [from, to). */
static int add_replicate(struct fleet_read *f, int side, struct profile *p,
			 const struct side_row *rows, uint32_t n, const struct fleet_ids *ids,
			 const uint32_t *numbers, uint64_t length_ns)
{
	struct fleet_carry carry = { FLEET_UNIT / 2 };
	uint32_t unknown;
	int r = fleet_unknown_stack(p->dict, &unknown);

	profile_clear(p);
	p->start_ns = rows->begin * NSEC_PER_SEC;
	p->end_ns = p->start_ns + (uint64_t)rows->windows * length_ns;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		uint32_t stack = numbers[fleet_ids_find(ids, rows[i].stack)];
		uint64_t samples = fleet_samples(&carry, rows[i].weight);

		if (samples)
			r = profile_add(p, rows[i].process, 0,
					stack == FLEET_UNKNOWN ? unknown : stack, samples);
	}
	return r == 0 ? question_add_to_side(f->question, side, p) : r;
}

static int ask_side(struct fleet_read *f, const struct query *q, struct buf *answer)
{
	_cleanup_buf_ struct buf sql = {};
	uint64_t windows;
	int r;

	if (f->by_host)
		fleet_sql_count_hosts(&sql, f->db, q);
	else
		fleet_sql_windows(&sql, f->db, q);
	r = fleet_ask_number(f, &sql, &windows);
	if (r < 0)
		return r;
	fleet_sql_side(&sql, f->db, q, windows > FLEET_REPLICATES ? FLEET_REPLICATES : 0,
		       f->by_host);
	return fleet_ask(f, &sql, answer);
}

int fleet_read_side(struct fleet_read *f, int side)
{
	const struct query *q = question_side(f->question, side);
	struct diff_windows *windows = f->question->sides[side];
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(fleet_ids_done) struct fleet_ids ids = {};
	_cleanup_free_ struct side_row *rows = NULL;
	_cleanup_free_ uint32_t *numbers = NULL;
	_cleanup_buf_ struct buf answer = {};
	uint64_t length_ns = 0;
	uint32_t n = 0, to, all = 0;
	int r = fleet_begin_profile(f, q, &p, &length_ns);

	if (r == 0)
		r = ask_side(f, q, &answer);
	if (r == 0)
		r = decode_side(&answer, p, &rows, &n, &ids);
	if (r < 0)
		return r;
	if (n >= FLEET_SIDE_ROWS)
		return -E2BIG;
	buf_free(&answer);
	fleet_ids_sort(&ids);
	numbers = calloc((size_t)ids.n + 1, sizeof(*numbers));
	r = numbers ? fleet_stacks_read(f, q, &ids, p->dict, numbers) : -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < n; i = to) {
		for (to = i; to < n && rows[to].replicate == rows[i].replicate; to++)
			;
		r = add_replicate(f, side, p, &rows[i], to - i, &ids, numbers, length_ns);
		all += rows[i].windows;
	}
	if (f->by_host) {
		/* it is told of how many windows that is, and of how many hosts */
		windows->hosts = windows->seen;
		windows->seen = all;
		windows->longest_ns = length_ns;
	}
	windows->to_ns = MIN(windows->to_ns, q->to_ns);
	return r == 0 ? question_add_to_side(f->question, side, NULL) : r;
}

int fleet_read_sides(struct fleet_read *f)
{
	uint64_t hosts, fewest = UINT64_MAX;
	int r = 0;

	for (int i = 0; i < SIDES && r == 0; i++) {
		r = fleet_count_hosts(f, question_side(f->question, i), &hosts);
		fewest = MIN(fewest, hosts);
	}
	/* windows of one host are much alike, and say less than they are many */
	f->by_host = fewest >= OUTLIERS_HOSTS_LEAST;
	for (int i = 0; i < SIDES && r == 0; i++)
		r = fleet_read_side(f, i);
	return r;
}
