/* SPDX-License-Identifier: BSD-2-Clause */
#include "clickhouse/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clickhouse/rows.h"

/*
 * No row is twice in what is read of a table: each is a ReplacingMergeTree by all that names a row,
 * and whoever reads says FINAL, or groups by that. So a delivery that is repeated changes nothing,
 * and no sum stands behind one.
 *
 * $D is the database, $L what a table of one node has behind its name, $T a string of which there
 * are few. 18.16 takes that type where it is told that it may.
 */
struct table {
	const char *name, *columns, *engine;
	const char *sharding; /* which node of a cluster has a row */
};

static const struct table tables[] = {
	/*
	 * A window of a host: its head, written when all else of the window has been. window: a
	 * number of its own on that host. weight: millionths of 1/p, p being the probability with
	 * which such a window is shipped. lost_counts: ticks, by cause.
	 */
	{ "windows",
	  "day Date, start DateTime('UTC'), start_ns UInt64, end_ns UInt64, host_id UInt64, host "
	  "$T, region $T, window UInt64, hz UInt32, weight UInt64, stepped_ns Int64, ticks UInt64, "
	  "python UInt64, other UInt64, truncated UInt64, lost_causes Array($T), lost_counts "
	  "Array(UInt64), samples UInt64, rows UInt64, plop $T",
	  "PARTITION BY day ORDER BY (start, host_id, window)", "host_id" },
	/* A process as a window saw it. process_id: a hash of all its other columns but day. */
	{ "processes",
	  "day Date, process_id UInt64, host_id UInt64, host $T, region $T, pid UInt32, start_time "
	  "Float64, uid UInt32, python $T, comm $T, exe $T, cmdline String, cgroup $T, unit $T, "
	  "container $T, service $T, version $T",
	  "PARTITION BY day ORDER BY process_id", "process_id" },
	/*
	 * A stack, the outermost frame first. stack_id: a hash of all its other columns but day.
	 * kinds: enum plop_frame_kind.
	 */
	{ "stacks",
	  "day Date, stack_id UInt64, functions Array($T), files Array($T), lines Array(UInt32), "
	  "first_lines Array(UInt32), kinds Array(UInt8), modules Array($T)",
	  "PARTITION BY day ORDER BY stack_id", "stack_id" },
	/* How often a process had a stack in a window. state: enum sample_state. */
	{ "samples",
	  "start DateTime('UTC'), service $T, version $T, region $T, host $T, host_id UInt64, "
	  "window UInt64, process_id UInt64, stack_id UInt64, state UInt8, samples UInt64, weight "
	  "UInt64",
	  "PARTITION BY toDate(start) ORDER BY (service, version, start, host_id, window, "
	  "process_id, stack_id, state)",
	  "host_id" },
};

#define VERSIONS "plop_schema"

/* A statement, with what its words stand for. NULL: out of memory. */
static char *expand(const struct clickhouse *c, const char *text)
{
	_cleanup_buf_ struct buf sql = {};

	for (; *text; text++) {
		if (*text != '$')
			buf_putc(&sql, *text);
		else if (*++text == 'D')
			buf_puts(&sql, clickhouse_database(c));
		else if (*text == 'L')
			buf_puts(&sql, *clickhouse_cluster(c) ? "_local" : "");
		else
			buf_puts(&sql, "LowCardinality(String)");
	}
	return buf_string(&sql);
}

static int run(struct clickhouse *c, const struct buf *text, struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf copy = {}, answer = { .limit = 4096 };
	_cleanup_free_ char *raw = NULL, *sql = NULL;

	buf_append(&copy, text->data, text->size);
	raw = buf_string(&copy);
	sql = raw ? expand(c, raw) : NULL;
	return sql ? clickhouse_ask(c, sql, &answer, ret_why) : -ENOMEM;
}

static int make_table(struct clickhouse *c, const struct table *t,
		      struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf sql = {}, over = {};
	int r;

	buf_printf(&sql, "CREATE TABLE IF NOT EXISTS $D.%s$L (%s) ENGINE = ReplacingMergeTree %s",
		   t->name, t->columns, t->engine);
	r = run(c, &sql, ret_why);
	if (r < 0 || !*clickhouse_cluster(c))
		return r;
	buf_printf(&over,
		   "CREATE TABLE IF NOT EXISTS $D.%s (%s) ENGINE = Distributed(%s, $D, %s$L, %s)",
		   t->name, t->columns, clickhouse_cluster(c), t->name, t->sharding);
	return run(c, &over, ret_why);
}

static int make_version(struct clickhouse *c, struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf sql = {}, row = {};
	int r;

	buf_puts(&sql, "CREATE TABLE IF NOT EXISTS $D." VERSIONS
		       " (version UInt32, made DateTime('UTC')) ENGINE = "
		       "ReplacingMergeTree ORDER BY version");
	r = run(c, &sql, ret_why);
	if (r < 0)
		return r;
	rows_put_u32(&row, CLICKHOUSE_SCHEMA_VERSION);
	return row.error ? row.error : clickhouse_insert(c, VERSIONS " (version)", &row, ret_why);
}

/* Asks for the version of the server. */
static int ask_version(struct clickhouse *c, struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf answer = { .limit = 4096 };
	_cleanup_free_ char *text = NULL;
	int r = clickhouse_ask(c, "SELECT version()", &answer, ret_why);

	if (r < 0)
		return r;
	text = buf_string(&answer);
	if (!text)
		return -ENOMEM;
	if (strncmp(text, "18.", 3) == 0 || strncmp(text, "19.", 3) == 0)
		clickhouse_is_old(c);
	return 0;
}

int clickhouse_schema_make(struct clickhouse *c, struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf sql = {};
	int r;

	r = clickhouse_schema_check(c, ret_why);
	if (r != -ENOENT || ret_why->newer)
		return r;
	r = ask_version(c, ret_why);
	buf_puts(&sql, "CREATE DATABASE IF NOT EXISTS $D");
	if (r == 0)
		r = run(c, &sql, ret_why);
	for (size_t i = 0; i < ARRAY_SIZE(tables) && r == 0; i++)
		r = make_table(c, &tables[i], ret_why);
	/* the last: with it the schema is whole */
	return r == 0 ? make_version(c, ret_why) : r;
}

int clickhouse_schema_check(struct clickhouse *c, struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf sql = {}, answer = { .limit = 4096 };
	_cleanup_free_ char *text = NULL;
	struct rows_reader rows;
	uint32_t version;
	int r;

	buf_printf(&sql, "SELECT max(version) FROM %s." VERSIONS " FORMAT RowBinary",
		   clickhouse_database(c));
	text = buf_string(&sql);
	r = text ? clickhouse_ask(c, text, &answer, ret_why) : -ENOMEM;
	if (r < 0)
		return r;
	rows = rows_of(&answer);
	version = rows_u32(&rows);
	if (version == CLICKHOUSE_SCHEMA_VERSION)
		return 0;
	ret_why->kind = CLICKHOUSE_SCHEMA;
	ret_why->newer = version > CLICKHOUSE_SCHEMA_VERSION;
	if (ret_why->newer)
		snprintf(ret_why->sentence, sizeof(ret_why->sentence),
			 "the tables at %s are of a newer plop (version %" PRIu32
			 ", this one knows %u): update plop on this host",
			 clickhouse_place(c), version, CLICKHOUSE_SCHEMA_VERSION);
	else
		snprintf(ret_why->sentence, sizeof(ret_why->sentence),
			 "the tables at %s are not complete: plop-gateway --init-store makes them",
			 clickhouse_place(c));
	return -ENOENT;
}
