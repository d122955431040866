/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "clickhouse/literal.h"
#include "fleet/sql_part.h"

/*
 * Sums over windows. Hours that are added up come from the tables of sums, and what is in none of
 * them from samples.
 */

/* A sum: what it is by, and what else is added up. */
struct sum {
	const char *by;   /* columns that rows are grouped by */
	const char *as;   /* how these are had of a row; NULL: they are its columns */
	const char *sums; /* the table of sums */
	/* more columns: of samples, of sums, and of both together; NULL: none */
	const char *of_samples, *of_sums, *of_both;
};

static void put_part(struct buf *b, const struct sum *s, bool of_sums)
{
	const char *more = of_sums ? s->of_sums : s->of_samples;

	buf_printf(b, "SELECT %s, %s AS part", s->as ? s->as : s->by,
		   of_sums ? "sum(weighted)" : FLEET_SUM);
	if (more)
		buf_printf(b, ", %s", more);
}

/* Whether it has parts that are added up; and that are of samples. */
static bool is_sum(const struct fleet_part *p)
{
	return p->generation && p->generation != FLEET_NOTHING;
}

static bool has_sums(const struct fleet_cover *cover)
{
	for (uint32_t i = 0; i < cover->n; i++)
		if (is_sum(&cover->items[i]))
			return true;
	return false;
}

static bool has_once(const struct fleet_cover *cover)
{
	for (uint32_t i = 0; i < cover->n; i++)
		if (!cover->items[i].generation)
			return true;
	return false;
}

static void from_sums(struct buf *b, const char *db, const struct query *q,
		      const struct fleet_cover *cover, const struct sum *s)
{
	const char *comma = "";

	buf_printf(b, " FROM %s.%s WHERE generation IN (", db, s->sums);
	for (uint32_t i = 0; i < cover->n; i++) {
		if (!is_sum(&cover->items[i]))
			continue;
		buf_printf(b, "%s%" PRIu64, comma, cover->items[i].generation);
		comma = ",";
	}
	buf_putc(b, ')');
	fleet_sql_where(b, q);
}

/* FROM rows, each with its sum as part. */
static void from_parts(struct buf *b, const char *db, const struct query *q,
		       const struct fleet_cover *cover, const struct sum *s)
{
	bool sums = has_sums(cover), once = has_once(cover);
	bool gaps = fleet_sql_any_gap(q, cover) || (!sums && !once);
	const char *end = ") AS parts";

	buf_puts(b, " FROM (");
	if (gaps) {
		put_part(b, s, false);
		fleet_sql_from_gaps(b, db, q, cover);
		buf_printf(b, " GROUP BY %s%s", s->by, once || sums ? " UNION ALL " : end);
	}
	if (once) {
		put_part(b, s, false);
		fleet_sql_from_once(b, db, q, cover);
		buf_printf(b, " GROUP BY %s%s", s->by, sums ? " UNION ALL " : end);
	}
	if (sums) {
		put_part(b, s, true);
		from_sums(b, db, q, cover, s);
		buf_printf(b, " GROUP BY %s%s", s->by, end);
	}
}

static void put_sum(struct buf *b, const char *db, const struct query *q,
		    const struct fleet_cover *cover, const struct sum *s)
{
	buf_printf(b, "SELECT %s", s->by);
	if (s->of_both)
		buf_printf(b, ", %s", s->of_both);
	buf_puts(b, ", sum(part) AS w");
	from_parts(b, db, q, cover, s);
	buf_printf(b, " GROUP BY %s", s->by);
}

/* What rows of stacks are grouped by; those that are not are constants. */
static void put_groups(struct buf *b, const struct query *q, bool grouping)
{
	bool of_processes = fleet_sql_of_processes(q);
	const struct {
		const char *name, *none;
		bool there;
	} columns[] = {
		{ "service", NULL, true },
		{ "version", NULL, true },
		{ "host", "''", of_processes || fleet_sql_groups_by(q, "host") },
		{ "region", "''", of_processes || fleet_sql_groups_by(q, "region") },
		{ "process_id", "toUInt64(0)", of_processes },
		{ "stack_id", NULL, true },
		{ "state", NULL, true },
	};
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (!columns[i].there && grouping)
			continue;
		buf_printf(b, "%s%s", comma, columns[i].there ? columns[i].name : columns[i].none);
		comma = ", ";
	}
}

void fleet_sql_stacks_of(struct buf *b, const char *db, const struct query *q,
			 const struct fleet_cover *cover)
{
	_cleanup_buf_ struct buf columns = {};
	_cleanup_free_ char *by = NULL;
	struct sum s = { .sums = "hours" };

	put_groups(&columns, q, true);
	by = buf_string(&columns);
	if (!by) {
		b->error = -ENOMEM;
		return;
	}
	s.by = by;
	buf_puts(b, "SELECT ");
	put_groups(b, q, false);
	buf_puts(b, ", sum(part) AS w");
	from_parts(b, db, q, cover, &s);
	buf_printf(b, " GROUP BY %s ORDER BY w DESC, service, version, stack_id LIMIT %d", by,
		   FLEET_ROWS);
}

void fleet_sql_totals(struct buf *b, const char *db, const struct query *q,
		      const struct fleet_cover *cover)
{
	const struct sum s = { .by = "service, version", .sums = "services" };

	buf_puts(b, "SELECT service, version, '', '', toUInt64(0), toUInt64(0), toUInt8(0), "
		    "sum(part) AS w");
	from_parts(b, db, q, cover, &s);
	buf_puts(b, " GROUP BY service, version ORDER BY w DESC, service, version");
}

/* The columns that a step is told by, begin first. */
static char *of_step(uint32_t step_s, const char *more)
{
	_cleanup_buf_ struct buf b = {};

	fleet_sql_begin(&b, step_s);
	buf_puts(&b, more);
	return buf_string(&b);
}

void fleet_sql_services(struct buf *b, const char *db, const struct query *q, uint32_t step_s,
			const struct fleet_cover *cover)
{
	_cleanup_free_ char *as = of_step(step_s, ", service, version");
	const struct sum s = { .by = "begin, service, version", .as = as, .sums = "services" };

	put_sum(b, db, q, cover, &s);
	buf_puts(b, " ORDER BY begin, w DESC");
	b->error = as ? b->error : -ENOMEM;
}

/* Of processes there are no sums. */
static void label_of_processes(struct buf *b, const char *db, const struct query *q,
			       const char *key)
{
	buf_puts(b, "SELECT value, sum(w) AS all_w FROM (SELECT process_id, " FLEET_SUM " AS w");
	fleet_sql_from_samples(b, db, q);
	buf_printf(b,
		   " GROUP BY process_id) AS rows GLOBAL ANY LEFT JOIN (SELECT process_id, "
		   "toString(%s) AS value FROM %s.processes WHERE ",
		   key, db);
	fleet_sql_days(b, q);
	buf_puts(b, ") AS names USING process_id GROUP BY value ORDER BY all_w DESC");
}

void fleet_sql_label(struct buf *b, const char *db, const struct query *q, const char *key,
		     const struct fleet_cover *cover)
{
	const struct sum s = { .by = key, .sums = "services" };

	if (fleet_sql_is_of_process(key)) {
		label_of_processes(b, db, q, key);
		return;
	}
	buf_printf(b, "SELECT toString(%s), sum(part) AS w", key);
	from_parts(b, db, q, cover, &s);
	buf_printf(b, " GROUP BY %s ORDER BY w DESC", key);
}

void fleet_sql_deploys(struct buf *b, const char *db, const struct query *q,
		       const struct fleet_cover *cover)
{
	const struct sum s = {
		.by = "service, version",
		.sums = "services",
		.of_samples = "min(start) AS begun, max(start) AS ended",
		.of_sums = "min(first) AS begun, max(last) AS ended",
		.of_both = "toUInt32(min(begun)), toUInt32(max(ended))",
	};

	put_sum(b, db, q, cover, &s);
	buf_puts(b, " HAVING version != '' AND service != ''");
}

/* Stacks of which a function is the innermost, or is any; its name follows. */
#define SELF  "functions[length(functions)] = "
#define TOTAL "has(functions, "

/* The sum of those whose stacks are so. */
static void put_of_stacks(struct buf *b, const char *db, const struct query *q, const char *what,
			  const char *condition, const char *function)
{
	buf_printf(b, "sumIf(%s, stack_id GLOBAL IN (SELECT stack_id FROM %s.stacks WHERE ", what,
		   db);
	fleet_sql_days(b, q);
	buf_printf(b, " AND %s", condition);
	clickhouse_literal(b, function);
	buf_puts(b, streq(condition, TOTAL) ? ")))" : "))");
}

/* What is added up of a function, as self_part and total_part. NULL: out of memory. */
static char *of_function(const char *db, const struct query *q, const char *what,
			 const char *function)
{
	_cleanup_buf_ struct buf b = {};

	put_of_stacks(&b, db, q, what, SELF, function);
	buf_puts(&b, " AS self_part, ");
	put_of_stacks(&b, db, q, what, TOTAL, function);
	buf_puts(&b, " AS total_part");
	return buf_string(&b);
}

void fleet_sql_self_and_total(struct buf *b, const char *db, const struct query *q,
			      const char *function)
{
	buf_puts(b, ", ");
	if (*function) {
		put_of_stacks(b, db, q, "samples * weight", SELF, function);
		buf_puts(b, ", ");
		put_of_stacks(b, db, q, "samples * weight", TOTAL, function);
	} else {
		buf_puts(b, "toUInt64(0), toUInt64(0)");
	}
}

void fleet_sql_series(struct buf *b, const char *db, const struct query *q, uint32_t step_s,
		      const char *function, const struct fleet_cover *cover)
{
	_cleanup_free_ char *as = of_step(step_s, ""), *of_samples = NULL, *of_sums = NULL;
	struct sum s = { .by = "begin", .as = as, .sums = *function ? "hours" : "services" };

	buf_puts(b, "SELECT begin, sum(part) AS w");
	if (*function) {
		of_samples = of_function(db, q, "samples * weight", function);
		of_sums = of_function(db, q, "weighted", function);
		s.of_samples = of_samples;
		s.of_sums = of_sums;
		buf_puts(b, ", sum(self_part), sum(total_part)");
	} else {
		buf_puts(b, ", toUInt64(0), toUInt64(0)");
	}
	from_parts(b, db, q, cover, &s);
	buf_puts(b, " GROUP BY begin ORDER BY begin");
	if (!as || (*function && (!of_samples || !of_sums)))
		b->error = -ENOMEM;
}

void fleet_sql_rolled(struct buf *b, const char *db, uint32_t from, uint32_t to)
{
	buf_printf(b,
		   "SELECT toUInt32(hour) AS begin, max(generation), argMax(windows, generation) "
		   "FROM %s.rolled WHERE hour >= toDateTime(%" PRIu32
		   ") AND hour < toDateTime(%" PRIu32 ") GROUP BY begin ORDER BY begin",
		   db, from, to);
}

void fleet_sql_hours(struct buf *b, const char *db, uint32_t from, uint32_t to)
{
	buf_puts(b, "SELECT ");
	fleet_sql_begin(b, FLEET_HOUR_S);
	buf_printf(b,
		   ", uniqExact(host_id, window) FROM %s.windows WHERE day >= toDate(%" PRIu32
		   ") AND day <= toDate(%" PRIu32 ") AND start >= toDateTime(%" PRIu32
		   ") AND start < toDateTime(%" PRIu32 ") GROUP BY begin ORDER BY begin",
		   db, from / 86400, to / 86400, from, to);
}

void fleet_sql_rows(struct buf *b, const char *db, const struct query *q,
		    const struct fleet_cover *cover, uint32_t step_s)
{
	buf_puts(b, "SELECT ");
	fleet_sql_begin(b, step_s);
	buf_printf(b, ", toUInt64(count()) FROM %s.samples WHERE ", db);
	fleet_sql_gaps(b, q, cover);
	buf_puts(b, " GROUP BY begin ORDER BY begin");
}

void fleet_sql_rows_sent(struct buf *b, const char *db, const struct query *q,
			 const struct fleet_cover *cover, uint32_t step_s)
{
	buf_puts(b, "SELECT ");
	fleet_sql_begin(b, step_s);
	buf_printf(b, ", sum(rows) FROM %s.windows FINAL WHERE ", db);
	fleet_sql_days(b, q);
	buf_puts(b, " AND ");
	fleet_sql_gaps(b, q, cover);
	buf_puts(b, " GROUP BY begin ORDER BY begin");
}

/* Samples of an hour as they are added up. */
static void from_hour(struct buf *b, const char *db, uint32_t hour)
{
	buf_printf(b,
		   " FROM %s.samples FINAL WHERE start >= toDateTime(%" PRIu32
		   ") AND start < toDateTime(%" PRIu32 ") AND weight > 0 GROUP BY ",
		   db, hour, hour + FLEET_HOUR_S);
}

void fleet_sql_roll_stacks(struct buf *b, const char *db, uint32_t hour, uint64_t generation)
{
	buf_printf(b,
		   "INSERT INTO %s.hours (start, generation, service, version, region, stack_id, "
		   "state, weighted) SELECT toDateTime(%" PRIu32 "), toUInt64(%" PRIu64
		   "), service, version, region, stack_id, state, " FLEET_SUM,
		   db, hour, generation);
	from_hour(b, db, hour);
	buf_puts(b, "service, version, region, stack_id, state");
}

void fleet_sql_roll_services(struct buf *b, const char *db, uint32_t hour, uint64_t generation)
{
	buf_printf(b,
		   "INSERT INTO %s.services (start, generation, service, version, region, first, "
		   "last, weighted) SELECT toDateTime(begin), toUInt64(%" PRIu64
		   "), service, version, region, first, last, weighted FROM (SELECT ",
		   db, generation);
	fleet_sql_begin(b, FLEET_WINDOW_S);
	buf_puts(b,
		 ", service, version, region, min(start) AS first, max(start) AS last, " FLEET_SUM
		 " AS weighted");
	from_hour(b, db, hour);
	buf_puts(b, "begin, service, version, region) AS sums");
}
