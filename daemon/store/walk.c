/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/walk.h"

#include "store/schema.h"
#include "util/array.h"

enum walk_tier walk_tier_of(uint64_t unit_ns)
{
	if (unit_ns < STORE_UNIT_MINUTES)
		return WALK_FINEST;
	return unit_ns < STORE_UNIT_HOURS ? WALK_LINES : WALK_COARSEST;
}

/* The first window that each tier has, by its number; INT64_MAX: it has none. */
struct firsts {
	int64_t of[STORE_TIERS];
};

struct walk_range {
	int64_t first, last;
};

void walk_done(struct walk *k)
{
	free(k->rollups);
	free(k->ranges);
	*k = (struct walk){};
}

static int look_at_firsts(const struct store_reader *reader, struct firsts *ret)
{
	static const char *const sql[STORE_TIERS] = {
		"SELECT id FROM windows ORDER BY id LIMIT 1",
		"SELECT first FROM rollups WHERE tier = 1 ORDER BY last LIMIT 1",
		"SELECT first FROM rollups WHERE tier = 2 ORDER BY last LIMIT 1",
	};
	int r = 0;

	for (int i = 0; r == 0 && i < STORE_TIERS; i++) {
		ret->of[i] = INT64_MAX;
		r = db_int(reader->db, sql[i], &ret->of[i]);
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

static bool passes_over(const struct store_reader *reader, const struct head *h)
{
	for (size_t i = 0; i < reader->npassed_over; i++) {
		if (reader->passed_over[i] >= h->start_ns && reader->passed_over[i] < h->end_ns)
			return true;
	}
	return false;
}

/* Whether the roll-up is read, and nothing finer of the same windows. */
static bool is_read(const struct store_reader *reader, const struct rollup *r,
		    const struct firsts *firsts, uint64_t from_ns, uint64_t to_ns,
		    enum walk_tier tier)
{
	bool finer = false;

	for (int64_t i = 0; i < r->tier; i++)
		finer = finer || r->first >= firsts->of[i];
	if (!finer)
		return true;
	return tier != WALK_FINEST && (tier != WALK_LINES || r->tier == TIER_MINUTES) &&
	       r->head.start_ns >= from_ns && r->head.end_ns <= to_ns &&
	       !passes_over(reader, &r->head);
}

/* Whether a roll-up that is read has that window, as of the last sort_ranges(). */
static bool is_rolled(const struct walk *k, int64_t id)
{
	uint32_t low = 0, high = k->nranges;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (k->ranges[mid].last < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < k->nranges && k->ranges[low].first <= id;
}

static int compare_ranges(const void *pa, const void *pb)
{
	const struct walk_range *a = pa, *b = pb;

	return (a->first > b->first) - (a->first < b->first);
}

static int sort_ranges(struct walk *k)
{
	free(k->ranges);
	k->nranges = 0;
	k->ranges = calloc((size_t)k->nrollups + 1, sizeof(*k->ranges));
	if (!k->ranges)
		return -ENOMEM;
	for (; k->nranges < k->nrollups; k->nranges++)
		k->ranges[k->nranges] = (struct walk_range){ k->rollups[k->nranges].first,
							     k->rollups[k->nranges].last };
	qsort(k->ranges, k->nranges, sizeof(*k->ranges), compare_ranges);
	return 0;
}

static int compare_ends(const void *pa, const void *pb)
{
	const struct rollup *a = pa, *b = pb;

	if (a->head.end_ns != b->head.end_ns)
		return a->head.end_ns > b->head.end_ns ? 1 : -1;
	return (a->first > b->first) - (a->first < b->first);
}

static int add_rollup(struct walk *k, const struct rollup *r)
{
	void *array = k->rollups;
	int e = array_reserve(&array, k->nrollups, &k->room, sizeof(*k->rollups));

	if (e < 0)
		return e;
	k->rollups = array;
	k->rollups[k->nrollups++] = *r;
	return 0;
}

static void bind_time(sqlite3_stmt *st, uint64_t from_ns, uint64_t to_ns)
{
	sqlite3_bind_int64(st, 1, (int64_t)MIN(from_ns, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(st, 2, (int64_t)MIN(to_ns, (uint64_t)INT64_MAX));
}

/* Those of one tier that are read beside those of the coarser ones. */
static int choose_of(struct walk *k, sqlite3_stmt *st, const struct firsts *firsts,
		     uint64_t from_ns, uint64_t to_ns, enum walk_tier tier)
{
	struct rollup r;
	int e;

	while ((e = db_step(st)) > 0) {
		rollup_read(st, &r);
		/* ranges of windows do not overlap within a tier, and a coarser one has whole ones
		 */
		if (r.first > r.last || is_rolled(k, r.first) || is_rolled(k, r.last) ||
		    !is_read(k->reader, &r, firsts, from_ns, to_ns, tier))
			continue;
		e = add_rollup(k, &r);
		if (e < 0)
			return e;
	}
	return e;
}

static int choose(struct walk *k, uint64_t from_ns, uint64_t to_ns, enum walk_tier tier)
{
	_cleanup_free_ char *sql = NULL;
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	struct firsts firsts;
	int r = look_at_firsts(k->reader, &firsts);

	if (r < 0)
		return r;
	/* by the index of ends, which has the tier as well: not by all of a tier */
	sql = rollup_select("WHERE end_ns > ?1 AND start_ns < ?2 AND +tier = ?3");
	r = sql ? db_prepare(k->reader->db, sql, &st) : -ENOMEM;
	for (int i = TIER_HOURS; r == 0 && i >= TIER_MINUTES; i--) {
		bind_time(st, from_ns, to_ns);
		sqlite3_bind_int64(st, 3, i);
		r = sort_ranges(k);
		if (r == 0)
			r = choose_of(k, st, &firsts, from_ns, to_ns, tier);
		sqlite3_reset(st);
	}
	if (r == 0 && k->nrollups)
		qsort(k->rollups, k->nrollups, sizeof(*k->rollups), compare_ends);
	return r < 0 ? r : sort_ranges(k);
}

/* The next window that no roll-up has which is read. */
static int next_window(struct walk *k)
{
	int r;

	k->window.id = 0;
	while (!k->ended && (r = db_step(k->windows->heads)) != 0) {
		if (r < 0)
			return r;
		head_read(k->windows->heads, &k->window);
		if (!reader_passes_over(k->reader, k->window.start_ns) &&
		    !is_rolled(k, k->window.id))
			return 0;
		k->window.id = 0;
	}
	k->ended = true;
	return 0;
}

int walk_begin(struct walk *k, struct window_reader *windows, const struct store_reader *reader,
	       uint64_t from_ns, uint64_t to_ns, enum walk_tier tier, bool newest_first)
{
	int r;

	*k = (struct walk){ .reader = reader, .windows = windows, .newest_first = newest_first };
	r = window_prepare(
		windows, reader,
		newest_first ? "windows WHERE end_ns > ?1 AND start_ns < ?2 ORDER BY end_ns DESC" :
			       "windows WHERE end_ns > ?1 AND start_ns < ?2 ORDER BY end_ns");
	if (r < 0)
		return r;
	bind_time(windows->heads, from_ns, to_ns);
	if (reader->version >= SCHEMA_ROLLUPS)
		r = choose(k, from_ns, to_ns, tier);
	return r < 0 ? r : next_window(k);
}

/* The next roll-up; NULL: there is none. */
static const struct rollup *next_rollup(const struct walk *k)
{
	if (k->next == k->nrollups)
		return NULL;
	return &k->rollups[k->newest_first ? k->nrollups - 1 - k->next : k->next];
}

int walk_next(struct walk *k, struct head *ret, const struct rollup **ret_rollup)
{
	const struct rollup *r = next_rollup(k);
	int e;

	*ret_rollup = NULL;
	if (!r && !k->window.id)
		return 0;
	if (r && (!k->window.id || (r->head.end_ns < k->window.end_ns) != k->newest_first)) {
		*ret = r->head;
		*ret_rollup = r;
		k->next++;
		return 1;
	}
	*ret = k->window;
	e = next_window(k);
	return e < 0 ? e : 1;
}
