/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/tidy.h"

#include <inttypes.h>
#include <time.h>

#include "fleet/internal.h"
#include "util/array.h"
#include "util/log.h"
#include "util/parse.h"

/* Who has begun to read sums has ended by then. */
#define STANDS_S 600
/* Nothing adds up an hour for so long. */
#define ENDED_S 3600
#define DAY_S   86400

bool tidy_drops_generation(const struct tidy_generations *known, uint64_t generation,
			   uint32_t now_s)
{
	for (uint32_t i = 0; i < known->n; i++) {
		const struct tidy_generation *g = &known->items[i];

		if (g->generation == generation)
			return i + 1 < known->n && g[1].hour == g->hour &&
			       g[1].made + STANDS_S <= now_s;
	}
	return generation / NSEC_PER_SEC + ENDED_S <= now_s;
}

bool tidy_drops_day(const char *partition, uint32_t now_s, uint64_t keep_s)
{
	struct tm tm = {};
	const char *end = strptime(partition, "%Y-%m-%d", &tm);
	time_t day = end && !*end ? timegm(&tm) : -1;

	return day >= 0 && (uint64_t)day + DAY_S + keep_s <= now_s;
}

static int read_generations(struct fleet_read *f, struct tidy_generations *ret)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r;

	buf_printf(&sql,
		   "SELECT toUInt32(hour) AS begin, generation, toUInt32(made) FROM %s.rolled "
		   "ORDER BY begin, generation",
		   f->db);
	r = fleet_ask(f, &sql, &answer);
	if (r < 0)
		return r;
	reader = rows_of(&answer);
	while (rows_more(&reader)) {
		void *array = ret->items;
		struct tidy_generation *g;

		if (array_reserve(&array, ret->n, &ret->room, sizeof(*ret->items)) < 0)
			return -ENOMEM;
		ret->items = array;
		g = &ret->items[ret->n++];
		g->hour = rows_u32(&reader);
		g->generation = rows_u64(&reader);
		g->made = rows_u32(&reader);
		if (rows_bad(&reader))
			return -EBADMSG;
	}
	return 0;
}

/* A table, as the node itself has it: of a cluster, its own part. */
static bool is_one_of(const char *table, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(names[i]);

		if (strncmp(table, names[i], size) == 0 &&
		    (!table[size] || streq(table + size, "_local")))
			return true;
	}
	return false;
}

static bool drops(const char *table, const char *partition, const struct tidy_generations *known,
		  uint32_t now_s, uint64_t keep_s)
{
	static const char *const of_days[] = { "windows", "processes", "stacks",
					       "samples", "requests",  "rolled" };
	static const char *const of_generations[] = { "hours", "services" };
	uint64_t generation;

	if (is_one_of(table, of_days, ARRAY_SIZE(of_days)))
		return tidy_drops_day(partition, now_s, keep_s);
	return is_one_of(table, of_generations, ARRAY_SIZE(of_generations)) &&
	       parse_u64(partition, 0, UINT64_MAX, &generation) == 0 &&
	       tidy_drops_generation(known, generation, now_s);
}

/* It is a number, or a day, which is said as a text. */
static int drop(struct fleet_read *f, const char *table, const char *partition)
{
	const char *quote = strchr(partition, '-') ? "'" : "";
	_cleanup_buf_ struct buf sql = {};
	int r;

	buf_printf(&sql, "ALTER TABLE %s.%s DROP PARTITION %s%s%s", f->db, table, quote, partition,
		   quote);
	r = fleet_tell(f, &sql);
	if (r == 0)
		log_debug("the store's partition %s of %s is dropped", partition, table);
	return r;
}

int fleet_tidy(struct fleet_read *f, uint32_t now_s, uint64_t keep_s)
{
	struct tidy_generations known = {};
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r = read_generations(f, &known);

	buf_printf(&sql,
		   "SELECT DISTINCT table, partition FROM system.parts WHERE database = '%s' AND "
		   "active",
		   f->db);
	if (r == 0)
		r = fleet_ask(f, &sql, &answer);
	reader = rows_of(&answer);
	while (r == 0 && rows_more(&reader)) {
		_cleanup_free_ char *table = rows_string(&reader), *name = rows_string(&reader);
		char *partition = name;

		if (rows_bad(&reader) || !table || !name) {
			r = -EBADMSG;
			break;
		}
		/* a day may be in quotes */
		if (*partition == '\'' && partition[strlen(partition) - 1] == '\'') {
			partition[strlen(partition) - 1] = '\0';
			partition++;
		}
		if (drops(table, partition, &known, now_s, keep_s))
			r = drop(f, table, partition);
	}
	free(known.items);
	return r;
}
