/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/sql_part.h"

#include <inttypes.h>

#include "clickhouse/literal.h"
#include "util/parse.h"

/* How a key's values are compared with a column. */
enum form {
	FORM_TEXT,
	FORM_PATH, /* or what lies below */
	FORM_NUMBER,
	FORM_STATE,
	FORM_GIL,
};

/* The keys of selectors that the store knows. */
static const struct key {
	const char *name;
	enum form form;
	bool of_process; /* only the table of processes has it */
	bool of_window;  /* the table of windows has it as well */
} keys[] = {
	{ "service", FORM_TEXT, false, false }, { "version", FORM_TEXT, false, false },
	{ "host", FORM_TEXT, false, true },     { "region", FORM_TEXT, false, true },
	{ "state", FORM_STATE, false, false },  { "gil", FORM_GIL, false, false },
	{ "pid", FORM_NUMBER, true, false },    { "comm", FORM_TEXT, true, false },
	{ "exe", FORM_PATH, true, false },      { "cgroup", FORM_PATH, true, false },
	{ "unit", FORM_TEXT, true, false },     { "container", FORM_TEXT, true, false },
};

static const struct key *key_find(const char *name, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == size && memcmp(keys[i].name, name, size) == 0)
			return &keys[i];
	return NULL;
}

/* The next of "KEY,KEY"; NULL: there is none, or it is not known. */
static const struct key *next_group(const char **at, bool *ret_end)
{
	size_t n = strcspn(*at, ",");
	const struct key *k = key_find(*at, n);

	*ret_end = !(*at)[n];
	*at += n + !*ret_end;
	return k;
}

int fleet_sql_check(const struct query *q, const char **ret_why)
{
	const char *at = q->group_by;
	bool known = true, end = !at;

	for (size_t i = 0; i < q->selectors.n && known; i++)
		known = key_find(q->selectors.items[i].key, strlen(q->selectors.items[i].key));
	while (known && !end)
		known = next_group(&at, &end);
	if (!known)
		*ret_why = "the store of a fleet has no threads and no labels of recordings";
	else if (q->recording)
		*ret_why = "the store of a fleet has no recordings";
	else
		return 0;
	return -EINVAL;
}

bool fleet_sql_groups_by(const struct query *q, const char *name)
{
	const char *at = q->group_by;
	bool end = !at;

	while (!end) {
		const struct key *k = next_group(&at, &end);

		if (k && streq(k->name, name))
			return true;
	}
	return false;
}

bool fleet_sql_of_processes(const struct query *q)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!keys[i].of_process)
			continue;
		if (fleet_sql_groups_by(q, keys[i].name))
			return true;
		for (size_t j = 0; j < q->selectors.n; j++)
			if (streq(q->selectors.items[j].key, keys[i].name))
				return true;
	}
	return false;
}

static uint32_t clamp(uint64_t v)
{
	return (uint32_t)MIN(v, (uint64_t)UINT32_MAX);
}

struct fleet_span fleet_sql_span(const struct query *q)
{
	uint64_t from = q->from_ns / NSEC_PER_SEC;
	uint64_t to = q->to_ns / NSEC_PER_SEC + (q->to_ns % NSEC_PER_SEC != 0);
	struct fleet_span s = {
		.from = clamp(from >= FLEET_WINDOW_S ? from - FLEET_WINDOW_S + 1 : 0),
		.to = clamp(to),
	};

	s.first_day = s.from / 86400;
	s.last_day = s.to / 86400;
	return s;
}

void fleet_sql_days(struct buf *b, const struct query *q)
{
	struct fleet_span s = fleet_sql_span(q);

	buf_printf(b, "day >= toDate(%" PRIu32 ") AND day <= toDate(%" PRIu32 ")", s.first_day,
		   s.last_day);
}

static void put_state(struct buf *b, const struct key *k, const char *value)
{
	const char *comma = "";

	buf_puts(b, "state IN (");
	for (uint32_t i = 0; i < SAMPLE_STATES; i++) {
		if (!streq(value, k->form == FORM_STATE ? sample_doing(i) : sample_gil(i)))
			continue;
		buf_printf(b, "%s%" PRIu32, comma, i);
		comma = ", ";
	}
	/* no state has that number */
	buf_puts(b, *comma ? ")" : "255)");
}

static void put_item(struct buf *b, const struct key *k, const char *value)
{
	_cleanup_free_ char *below = NULL;
	size_t size = strlen(value);
	uint64_t number = 0;

	switch (k->form) {
	case FORM_STATE:
	case FORM_GIL:
		put_state(b, k, value);
		return;
	case FORM_NUMBER:
		(void)parse_u64(value, 0, UINT32_MAX, &number);
		buf_printf(b, "%s = %" PRIu64, k->name, number);
		return;
	case FORM_TEXT:
	case FORM_PATH:
		break;
	}
	buf_printf(b, "%s = ", k->name);
	clickhouse_literal(b, value);
	if (k->form == FORM_TEXT || !size)
		return;
	while (size && value[size - 1] == '/')
		size--;
	if (asprintf(&below, "%.*s/", (int)size, value) < 0) {
		below = NULL;
		b->error = -ENOMEM;
		return;
	}
	buf_printf(b, " OR startsWith(toString(%s), ", k->name);
	clickhouse_literal(b, below);
	buf_putc(b, ')');
}

/* " AND (key = ... OR key = ...)", where the query chooses by it. */
static void put_key(struct buf *b, const struct query *q, const struct key *k)
{
	const char *between = " AND (";

	for (size_t i = 0; i < q->selectors.n; i++) {
		if (!streq(q->selectors.items[i].key, k->name))
			continue;
		buf_puts(b, between);
		put_item(b, k, q->selectors.items[i].value);
		between = " OR ";
	}
	if (between[1] == 'O')
		buf_putc(b, ')');
}

static bool chooses_processes(const struct query *q)
{
	for (size_t i = 0; i < q->selectors.n; i++) {
		const char *name = q->selectors.items[i].key;
		const struct key *k = key_find(name, strlen(name));

		if (k && k->of_process)
			return true;
	}
	return false;
}

static void put_range(struct buf *b, uint32_t from, uint32_t to)
{
	buf_printf(b, "start >= toDateTime(%" PRIu32 ") AND start < toDateTime(%" PRIu32 ")", from,
		   to);
}

/* The next time that is in none of the parts, from *at on: [*ret, *at). False: there is none. */
static bool next_gap(const struct fleet_cover *cover, uint32_t to, uint32_t *i, uint32_t *at,
		     uint32_t *ret)
{
	for (; *i < cover->n && cover->items[*i].from == *at; (*i)++)
		*at = cover->items[*i].to;
	*ret = *at;
	*at = *i < cover->n ? cover->items[*i].from : to;
	return *ret < *at;
}

bool fleet_sql_any_gap(const struct query *q, const struct fleet_cover *cover)
{
	struct fleet_span s = fleet_sql_span(q);
	uint32_t at = s.from, i = 0, from;

	return next_gap(cover, s.to, &i, &at, &from);
}

void fleet_sql_gaps(struct buf *b, const struct query *q, const struct fleet_cover *cover)
{
	struct fleet_span s = fleet_sql_span(q);
	uint32_t at = s.from, i = 0, from;
	const char *between = "";

	buf_putc(b, '(');
	while (next_gap(cover, s.to, &i, &at, &from)) {
		buf_puts(b, between);
		put_range(b, from, at);
		between = " OR ";
	}
	buf_puts(b, *between ? ")" : "0)");
}

static void put_once(struct buf *b, const struct fleet_cover *cover)
{
	const char *between = "";

	buf_putc(b, '(');
	for (uint32_t i = 0; i < cover->n; i++) {
		if (cover->items[i].generation)
			continue;
		buf_puts(b, between);
		put_range(b, cover->items[i].from, cover->items[i].to);
		between = " OR ";
	}
	buf_puts(b, *between ? ")" : "0)");
}

void fleet_sql_where(struct buf *b, const struct query *q)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!keys[i].of_process)
			put_key(b, q, &keys[i]);
}

/* What is read of a request: each sample is for itself, whatever the plan would have it weigh. */
static const struct of_request {
	const char *table, *columns;
	bool by_window; /* it has no times of windows */
} samples = { "samples",
	      "start, service, version, region, host, host_id, window, process_id, stack_id, "
	      "state, samples",
	      true },
  windows = { "windows",
	      "day, start, start_ns, end_ns, host_id, host, region, window, hz, ticks, python, "
	      "other, truncated, lost_causes, lost_counts, samples",
	      false };

static void put_from(struct buf *b, const char *db, const struct query *q,
		     const struct of_request *of)
{
	struct fleet_span s = fleet_sql_span(q);

	if (!q->request) {
		buf_printf(b, " FROM %s.%s FINAL", db, of->table);
		return;
	}
	buf_printf(b, " FROM (SELECT %s, toUInt64(%d) AS weight FROM %s.%s FINAL WHERE ",
		   of->columns, FLEET_UNIT, db, of->table);
	put_range(b, s.from, s.to);
	if (of->by_window) {
		buf_printf(b, " AND window GLOBAL IN (SELECT window FROM %s.windows WHERE ", db);
		put_range(b, s.from, s.to);
	}
	buf_printf(b,
		   " AND start_ns < %" PRIu64 " AND end_ns > %" PRIu64
		   " AND host_id GLOBAL IN (SELECT arrayJoin(hosts) FROM %s.requests WHERE request "
		   "= toUInt64(%" PRIu64 "))%s)",
		   q->to_ns, q->from_ns, db, q->request, of->by_window ? ")" : "");
}

/* What a query chooses by, behind the time. */
static void put_conditions(struct buf *b, const char *db, const struct query *q)
{
	/* what the plan left out, and was sent because it was asked for */
	buf_puts(b, " AND weight > 0");
	fleet_sql_where(b, q);
	if (!chooses_processes(q))
		return;
	buf_printf(b, " AND process_id GLOBAL IN (SELECT process_id FROM %s.processes WHERE ", db);
	fleet_sql_days(b, q);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].of_process)
			put_key(b, q, &keys[i]);
	buf_putc(b, ')');
}

void fleet_sql_from_gaps(struct buf *b, const char *db, const struct query *q,
			 const struct fleet_cover *cover)
{
	put_from(b, db, q, &samples);
	buf_puts(b, " WHERE ");
	fleet_sql_gaps(b, q, cover);
	put_conditions(b, db, q);
}

void fleet_sql_from_once(struct buf *b, const char *db, const struct query *q,
			 const struct fleet_cover *cover)
{
	buf_printf(b, " FROM %s.samples WHERE ", db);
	put_once(b, cover);
	put_conditions(b, db, q);
}

void fleet_sql_from_samples(struct buf *b, const char *db, const struct query *q)
{
	static const struct fleet_cover none;

	fleet_sql_from_gaps(b, db, q, &none);
}

bool fleet_sql_adds_up(const struct query *q)
{
	for (size_t i = 0; i < q->selectors.n; i++)
		if (streq(q->selectors.items[i].key, "host"))
			return false;
	return !q->request && !fleet_sql_of_processes(q) && !fleet_sql_groups_by(q, "host");
}

bool fleet_sql_of_states(const struct query *q)
{
	for (size_t i = 0; i < q->selectors.n; i++) {
		const char *name = q->selectors.items[i].key;
		const struct key *k = key_find(name, strlen(name));

		if (k && (k->form == FORM_STATE || k->form == FORM_GIL))
			return true;
	}
	return false;
}

bool fleet_sql_is_of_process(const char *key)
{
	return key_find(key, strlen(key))->of_process;
}

void fleet_sql_where_windows(struct buf *b, const struct query *q)
{
	struct fleet_span s = fleet_sql_span(q);

	buf_puts(b, " WHERE ");
	fleet_sql_days(b, q);
	buf_puts(b, " AND ");
	put_range(b, s.from, s.to);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].of_window)
			put_key(b, q, &keys[i]);
}

void fleet_sql_windows(struct buf *b, const char *db, const struct query *q)
{
	buf_puts(b, "SELECT uniqExact(host_id, window)");
	fleet_sql_from_samples(b, db, q);
}

/* Numbers of windows are hashes, those of hosts random: groups are as large as others. */
static void put_replicate(struct buf *b, unsigned int groups, bool by_host)
{
	buf_puts(b, by_host ? "sipHash64(toString(host))" : "bitXor(host_id, window)");
	if (groups)
		buf_printf(b, " %% %u", groups);
	buf_puts(b, " AS replicate");
}

void fleet_sql_side(struct buf *b, const char *db, const struct query *q, unsigned int groups,
		    bool by_host)
{
	buf_puts(b, "SELECT toUInt64(replicate), toUInt32(begin), toUInt32(nwindows), "
		    "toString(service), stack_id, w FROM (SELECT ");
	put_replicate(b, groups, by_host);
	buf_puts(b, ", service, stack_id, " FLEET_SUM " AS w");
	fleet_sql_from_samples(b, db, q);
	buf_puts(b, " GROUP BY replicate, service, stack_id) AS rows ANY LEFT JOIN (SELECT ");
	put_replicate(b, groups, by_host);
	buf_puts(b, ", min(start) AS begin, uniqExact(host_id, window) AS nwindows");
	fleet_sql_from_samples(b, db, q);
	buf_printf(
		b,
		" GROUP BY replicate) AS heads USING replicate ORDER BY begin, replicate, service, "
		"stack_id LIMIT %d",
		FLEET_SIDE_ROWS);
}

static void put_ids(struct buf *b, const char *column, const uint64_t *ids, size_t n)
{
	buf_printf(b, " AND %s IN (", column);
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%" PRIu64, i ? "," : "", ids[i]);
	buf_putc(b, ')');
}

static void put_of_ids(struct buf *b, const char *table, const char *db, const struct query *q,
		       const char *column, const uint64_t *ids, size_t n)
{
	buf_printf(b, " FROM %s.%s WHERE ", db, table);
	fleet_sql_days(b, q);
	put_ids(b, column, ids, n);
	buf_printf(b, " LIMIT 1 BY %s", column);
}

void fleet_sql_stacks(struct buf *b, const char *db, const struct query *q, const uint64_t *ids,
		      size_t n)
{
	buf_puts(b, "SELECT stack_id, functions, files, lines, first_lines, kinds, modules");
	put_of_ids(b, "stacks", db, q, "stack_id", ids, n);
}

void fleet_sql_processes(struct buf *b, const char *db, const struct query *q, const uint64_t *ids,
			 size_t n)
{
	buf_puts(b, "SELECT process_id, pid, start_time, uid, python, comm, exe, cmdline, cgroup, "
		    "unit, container");
	put_of_ids(b, "processes", db, q, "process_id", ids, n);
}

void fleet_sql_begin(struct buf *b, uint32_t step_s)
{
	if (step_s)
		buf_printf(b, "toUInt32(intDiv(toUInt32(start), %" PRIu32 ") * %" PRIu32 ")",
			   step_s, step_s);
	else
		buf_puts(b, "toUInt32(0)");
	buf_puts(b, " AS begin");
}

void fleet_sql_heads(struct buf *b, const char *db, const struct query *q, uint32_t step_s)
{
	buf_puts(b, "SELECT ");
	fleet_sql_begin(b, step_s);
	buf_puts(b, ", min(start_ns), max(end_ns), toUInt64(max(hz)), sum(ticks * weight), "
		    "sum(python * weight), sum(other * weight), sum(truncated * weight), " FLEET_SUM
		    ", intDiv(sum(end_ns - start_ns), greatest(count(), 1))");
	put_from(b, db, q, &windows);
	fleet_sql_where_windows(b, q);
	buf_puts(b, " GROUP BY begin ORDER BY begin");
}

void fleet_sql_lost(struct buf *b, const char *db, const struct query *q, uint32_t step_s)
{
	buf_puts(b, "SELECT ");
	fleet_sql_begin(b, step_s);
	buf_puts(b, ", toString(cause), sum(lost * weight) AS w");
	put_from(b, db, q, &windows);
	buf_puts(b, " ARRAY JOIN lost_causes AS cause, lost_counts AS lost");
	fleet_sql_where_windows(b, q);
	buf_puts(b, " GROUP BY begin, cause HAVING w > 0 ORDER BY begin");
}

void fleet_sql_facts(struct buf *b, const char *db)
{
	buf_printf(b,
		   "SELECT uniqExact(host_id), toUInt64(count()), toUInt32(min(start)), "
		   "toUInt32(max(start)) FROM %s.windows",
		   db);
}
