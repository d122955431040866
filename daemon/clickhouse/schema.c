/* SPDX-License-Identifier: BSD-2-Clause */
#include "clickhouse/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "clickhouse/rows.h"

/*
 * No row is twice in what is read of a table: each is a ReplacingMergeTree by all that names a row,
 * and whoever reads says FINAL, or groups by that. So a delivery that is repeated changes nothing,
 * and no sum stands behind one: hours are made from what FINAL reads, and again where that changes.
 *
 * $D is the database, $L what a table of one node has behind its name, $T a string of which there
 * are few. 18.16 takes that type where it is told that it may.
 */
struct table {
	const char *name, *columns, *engine;
	const char *sharding; /* which node of a cluster has a row */
};

#define REPLACING "ReplacingMergeTree "
#define SEEDS     "seeds"

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
	  REPLACING "PARTITION BY day ORDER BY (start, host_id, window)", "host_id" },
	/* A process as a window saw it. process_id: a hash of all its other columns but day. */
	{ "processes",
	  "day Date, process_id UInt64, host_id UInt64, host $T, region $T, pid UInt32, start_time "
	  "Float64, uid UInt32, python $T, comm $T, exe $T, cmdline String, cgroup $T, unit $T, "
	  "container $T, service $T, version $T",
	  REPLACING "PARTITION BY day ORDER BY process_id", "process_id" },
	/*
	 * A stack, the outermost frame first. stack_id: a hash of all its other columns but day.
	 * kinds: enum plop_frame_kind.
	 */
	{ "stacks",
	  "day Date, stack_id UInt64, functions Array($T), files Array($T), lines Array(UInt32), "
	  "first_lines Array(UInt32), kinds Array(UInt8), modules Array($T)",
	  REPLACING "PARTITION BY day ORDER BY stack_id", "stack_id" },
	/* How often a process had a stack in a window. state: enum sample_state. */
	{ "samples",
	  "start DateTime('UTC'), service $T, version $T, region $T, host $T, host_id UInt64, "
	  "window UInt64, process_id UInt64, stack_id UInt64, state UInt8, samples UInt64, weight "
	  "UInt64",
	  REPLACING "PARTITION BY toDate(start) ORDER BY (service, version, start, host_id, "
		    "window, process_id, stack_id, state)",
	  "host_id" },
	/*
	 * Sums of samples over hosts, of an hour by stack, and of each half minute by service:
	 * weighted is sum(samples * weight). Each time that an hour is added up is a generation,
	 * and of the last one that rolled names alone each row counts: what a generation left that
	 * was not ended is never read. A generation is a partition, and is dropped as one.
	 */
	{ "hours",
	  "start DateTime('UTC'), generation UInt64, service $T, version $T, region $T, stack_id "
	  "UInt64, state UInt8, weighted UInt64",
	  "MergeTree PARTITION BY generation ORDER BY (service, version, start, region, stack_id, "
	  "state)",
	  "stack_id" },
	{ "services",
	  "start DateTime('UTC'), generation UInt64, service $T, version $T, region $T, first "
	  "DateTime('UTC'), last DateTime('UTC'), weighted UInt64",
	  "MergeTree PARTITION BY generation ORDER BY (service, version, start, region)",
	  "generation" },
	/* Hours that are added up, written when all sums are. windows: that there were then. */
	{ "rolled", "hour DateTime('UTC'), generation UInt64, windows UInt64, made DateTime('UTC')",
	  REPLACING "PARTITION BY toDate(hour) ORDER BY (hour, generation)", "generation" },
	/*
	 * What is asked of hosts: all windows that overlap [from_s, to_s], whatever the plan says.
	 * hosts: their host_id. selectors: "key=value key=value", which they were chosen by.
	 */
	{ "requests",
	  "day Date, request UInt64, made DateTime('UTC'), from_s UInt32, to_s UInt32, hosts "
	  "Array(UInt64), selectors String, who String",
	  REPLACING "PARTITION BY day ORDER BY request", "request" },
	/*
	 * What ids are hashed with, made once: who does not know it cannot make two stacks that
	 * have one id. Of several the greatest counts.
	 */
	{ SEEDS, "seed UInt64", REPLACING "ORDER BY seed", "seed" },
};

#define VERSIONS "plop_schema"
/* The first version had no seed: its ids stay as they are. */
#define UNSEEDED 1

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

	buf_printf(&sql, "CREATE TABLE IF NOT EXISTS $D.%s$L (%s) ENGINE = %s", t->name, t->columns,
		   t->engine);
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

/* Asks for one row of a table, which *ret_rows reads from answer. */
static int ask_row(struct clickhouse *c, const char *columns, const char *table, struct buf *answer,
		   struct rows_reader *ret_rows, struct clickhouse_trouble *ret_why)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (asprintf(&text, "SELECT %s FROM %s.%s FORMAT RowBinary", columns,
		     clickhouse_database(c), table) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	answer->limit = 4096;
	r = clickhouse_ask(c, text, answer, ret_why);
	*ret_rows = rows_of(answer);
	return r;
}

/* The version that the tables are of; 0: they are not complete. */
static int ask_schema(struct clickhouse *c, uint32_t *ret, struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf answer = {};
	struct rows_reader rows;
	int r = ask_row(c, "max(version)", VERSIONS, &answer, &rows, ret_why);

	if (r == 0)
		*ret = rows_u32(&rows);
	return r;
}

/* Of all nodes. *ret_any: there is one. */
static int ask_seed(struct clickhouse *c, uint64_t *ret, bool *ret_any,
		    struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf answer = {};
	struct rows_reader rows;
	int r = ask_row(c, "max(seed), toUInt64(count())", SEEDS, &answer, &rows, ret_why);

	if (r < 0)
		return r;
	*ret = rows_u64(&rows);
	*ret_any = rows_u64(&rows) > 0 && !rows_bad(&rows);
	return 0;
}

/* Each node has the seed, as it may be asked alone. */
static int make_seed(struct clickhouse *c, bool seeded, struct clickhouse_trouble *ret_why)
{
	_cleanup_free_ char *into = NULL;
	_cleanup_buf_ struct buf row = {};
	uint64_t seed = 0;
	bool any = false;
	int r = ask_seed(c, &seed, &any, ret_why);

	/* other nodes have no such tables yet, which 18.16 tells as if they were away */
	if (r < 0 && !(*clickhouse_cluster(c) && (r == -ENOENT || r == -EAGAIN)))
		return r;
	if (!any && seeded && getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	if (asprintf(&into, SEEDS "%s (seed)", *clickhouse_cluster(c) ? "_local" : "") < 0) {
		into = NULL;
		return -ENOMEM;
	}
	rows_put_u64(&row, seed);
	return row.error ? row.error : clickhouse_insert(c, into, &row, ret_why);
}

static int is_newer(struct clickhouse *c, uint32_t version, struct clickhouse_trouble *ret_why)
{
	ret_why->kind = CLICKHOUSE_SCHEMA;
	ret_why->newer = true;
	snprintf(ret_why->sentence, sizeof(ret_why->sentence),
		 "the tables at %s are of a newer plop (version %" PRIu32
		 ", this one knows %u): update plop on this host",
		 clickhouse_place(c), version, CLICKHOUSE_SCHEMA_VERSION);
	return -ENOENT;
}

int clickhouse_schema_make(struct clickhouse *c, struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf sql = {};
	uint32_t version = 0;
	int r;

	r = ask_schema(c, &version, ret_why);
	if (r < 0 && r != -ENOENT)
		return r;
	if (version > CLICKHOUSE_SCHEMA_VERSION)
		return is_newer(c, version, ret_why);
	if (version == CLICKHOUSE_SCHEMA_VERSION)
		return 0;
	r = ask_version(c, ret_why);
	buf_puts(&sql, "CREATE DATABASE IF NOT EXISTS $D");
	if (r == 0)
		r = run(c, &sql, ret_why);
	for (size_t i = 0; i < ARRAY_SIZE(tables) && r == 0; i++)
		r = make_table(c, &tables[i], ret_why);
	if (r == 0)
		r = make_seed(c, version != UNSEEDED, ret_why);
	/* the last: with it the schema is whole */
	return r == 0 ? make_version(c, ret_why) : r;
}

int clickhouse_schema_check(struct clickhouse *c, uint64_t *ret_seed,
			    struct clickhouse_trouble *ret_why)
{
	uint32_t version = 0;
	uint64_t seed = 0;
	bool any = false;
	int r = ask_schema(c, &version, ret_why);

	if (r == 0 && version > CLICKHOUSE_SCHEMA_VERSION)
		return is_newer(c, version, ret_why);
	if (r == 0 && version == CLICKHOUSE_SCHEMA_VERSION)
		r = ask_seed(c, &seed, &any, ret_why);
	if (r < 0)
		return r;
	if (any) {
		*ret_seed = seed;
		return 0;
	}
	ret_why->kind = CLICKHOUSE_SCHEMA;
	snprintf(ret_why->sentence, sizeof(ret_why->sentence),
		 "the tables at %s are %s: plop-gateway --init-store %s", clickhouse_place(c),
		 version ? "of an older plop" : "not complete",
		 version ? "brings them up to date" : "makes them");
	return -ENOENT;
}
