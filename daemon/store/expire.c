/* SPDX-License-Identifier: BSD-2-Clause */
#include <time.h>

#include "store/internal.h"
#include "store/schema.h"
#include "util/clock.h"

/* Windows deleted in one transaction: few enough that memory and WAL stay small. */
#define EXPIRE_BATCH 32
/*
 * How long windows whose time is over go for at once, and what only they needed with them: the next
 * window may be waiting to be saved. The rest goes with later ones, and by store_check().
 */
#define EXPIRE_NS (200 * NSEC_PER_MSEC)

/* A window or roll-up that goes. */
struct leaving {
	int64_t id, dictionary;
};

static int run_with(sqlite3 *db, const char *sql, int64_t id)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r;

	r = db_prepare(db, sql, &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id);
	return db_run(st);
}

/* Which of a tier may go: those that ended before, and are of windows up to last. */
struct term {
	int64_t before, last;
};
static const struct term any = { INT64_MAX, INT64_MAX };

/*
 * Up to n (<= EXPIRE_BATCH) of the oldest of a tier, up to the first that may not go. Returns how
 * many.
 */
static int oldest(sqlite3 *db, enum store_tier tier, const struct term *term, int n,
		  struct leaving ret[EXPIRE_BATCH])
{
	/* as they were saved: what the clock said has nothing to do with it */
	static const char *const sql[STORE_TIERS] = {
		"SELECT id, dictionary, life_ns, id FROM windows ORDER BY id LIMIT ?1",
		"SELECT id, dictionary, life_ns, last FROM rollups WHERE tier=1 ORDER BY last "
		"LIMIT ?1",
		"SELECT id, dictionary, life_ns, last FROM rollups WHERE tier=2 ORDER BY last "
		"LIMIT ?1",
	};
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r, count = 0;

	r = db_prepare(db, sql[tier], &st);
	if (r < 0)
		return r;
	sqlite3_bind_int(st, 1, n);
	while ((r = db_step(st)) > 0 && sqlite3_column_int64(st, 2) <= term->before &&
	       sqlite3_column_int64(st, 3) <= term->last)
		ret[count++] = (struct leaving){ sqlite3_column_int64(st, 0),
						 sqlite3_column_int64(st, 1) };
	return r < 0 ? r : count;
}

static int delete_sums(struct store *s, int64_t rollup)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r = db_prepare(s->db, "DELETE FROM sums WHERE id=?1 RETURNING dictionary", &st);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, rollup);
	while ((r = db_step(st)) > 0)
		prune_note(s, sqlite3_column_int64(st, 0));
	return r;
}

static int delete_some(struct store *s, enum store_tier tier, const struct leaving *some, int n)
{
	const char *sql = tier == TIER_WINDOWS ? "DELETE FROM windows WHERE id=?1" :
						 "DELETE FROM rollups WHERE id=?1";
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++) {
		prune_note(s, some[i].dictionary);
		r = run_with(s->db, "DELETE FROM counts WHERE id=?1", some[i].id);
		if (r == 0 && tier == TIER_WINDOWS)
			r = older_delete(s, some[i].id);
		if (r == 0 && tier == TIER_HOURS)
			r = delete_sums(s, some[i].id);
		if (r == 0)
			r = run_with(s->db, sql, some[i].id);
	}
	return r;
}

/* Deletes up to n (<= EXPIRE_BATCH) of a tier in one transaction. Returns how many. */
static int expire_some(struct store *s, enum store_tier tier, const struct term *term, int n)
{
	struct leaving some[EXPIRE_BATCH];
	int r, count;

	count = oldest(s->db, tier, term, n, some);
	if (count <= 0)
		return count;
	r = db_run(s->statements[ST_BEGIN]);
	if (r == 0)
		r = delete_some(s, tier, some, count);
	if (r == 0)
		r = db_run(s->statements[ST_COMMIT]);
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	return count;
}

/* Deletes so many of a tier. */
static int expire_oldest(struct store *s, enum store_tier tier, int64_t n)
{
	int r = 1;

	for (; r > 0 && n > 0; n -= r)
		r = expire_some(s, tier, &any, (int)MIN(n, (int64_t)EXPIRE_BATCH));
	return MIN(r, 0);
}

/* What is in use of the file: free pages are there for the next windows, so it does not grow. */
static int used_size(struct store *s, uint64_t *ret)
{
	int64_t pages, unused, page;
	int r;

	r = db_int(s->db, "PRAGMA page_count", &pages);
	if (r == 0)
		r = db_int(s->db, "PRAGMA freelist_count", &unused);
	if (r == 0)
		r = db_int(s->db, "PRAGMA page_size", &page);
	if (r < 0)
		return r;
	*ret = (uint64_t)(pages - unused) * (uint64_t)page;
	return 0;
}

/* Says that windows went before their time, and up to when. */
static void tell_dropped(struct store *s, int64_t n, int64_t of)
{
	int64_t start_ns = 0;
	char when[32] = "";
	struct tm utc = {};
	time_t t;

	s->dropped += (uint64_t)n;
	if (db_int(s->db,
		   "SELECT min(start_ns) FROM (SELECT * FROM (SELECT start_ns FROM windows"
		   " ORDER BY id LIMIT 1) UNION ALL SELECT start_ns FROM rollups)",
		   &start_ns) < 0)
		return;
	t = (time_t)(start_ns / (int64_t)NSEC_PER_SEC);
	gmtime_r(&t, &utc);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &utc);
	store_tell(
		s, STORE_NEWS_FULL,
		"%s had reached max_store (%llu MB): the oldest %lld of %lld windows went before "
		"their time; what is left begins at %s UTC",
		s->path, (unsigned long long)(s->max_bytes >> 20), (long long)n, (long long)of,
		when);
}

/* How many there are of each tier. */
static int count_tiers(struct store *s, int64_t ret[STORE_TIERS])
{
	static const char *const sql[STORE_TIERS] = {
		"SELECT count(*) FROM windows",
		"SELECT count(*) FROM rollups WHERE tier=1",
		"SELECT count(*) FROM rollups WHERE tier=2",
	};
	int r = 0;

	for (int i = 0; r == 0 && i < STORE_TIERS; i++)
		r = db_int(s->db, sql[i], &ret[i]);
	return r;
}

/* An eighth of each tier, the oldest, but never the newest window; and what only they needed. */
static int expire_eighth(struct store *s, const int64_t count[STORE_TIERS])
{
	int r = expire_oldest(s, TIER_WINDOWS,
			      MIN((count[TIER_WINDOWS] + 7) / 8, count[TIER_WINDOWS] - 1));

	for (int i = TIER_MINUTES; r == 0 && i < STORE_TIERS; i++)
		r = expire_oldest(s, (enum store_tier)i, (count[i] + 7) / 8);
	if (r == 0)
		r = prune_dictionaries(s);
	return r == 0 ? older_prune(s) : r;
}

/* Does so until the file is small enough beside its WAL. */
static int expire_by_size(struct store *s)
{
	uint64_t size = 0, most = s->max_bytes - MIN(s->max_bytes / 8, wal_bound(s));
	int64_t count[STORE_TIERS] = {}, before = 0, gone = 0;
	int r;

	for (;;) {
		r = wal_keep_small(s);
		if (r == 0)
			r = used_size(s, &size);
		if (r == 0)
			r = count_tiers(s, count);
		before = MAX(before, count[TIER_WINDOWS]);
		if (r < 0 || size <= most ||
		    count[TIER_WINDOWS] + count[TIER_MINUTES] + count[TIER_HOURS] <= 1)
			break;
		gone += count[TIER_MINUTES] + count[TIER_HOURS] > 0;
		r = expire_eighth(s, count);
		if (r < 0)
			return r;
	}
	gone += before - count[TIER_WINDOWS];
	if (r == 0 && gone > 0) {
		s->prunes = true;
		tell_dropped(s, before - count[TIER_WINDOWS], before);
	}
	return r;
}

/*
 * Nothing goes that is in no roll-up of the next tier yet: where plopd was away for weeks, its last
 * hours are rolled up only after the first ten minutes of the next plopd, when their time is over.
 */
static int rolled_up(struct store *s, enum store_tier tier, int64_t *ret)
{
	*ret = INT64_MAX;
	if (!s->rolls_up || tier == TIER_HOURS)
		return 0;
	return rollup_last(s, tier + 1, ret);
}

/* What has been kept for as long as its tier is. */
static int expire_by_age(struct store *s, uint64_t until_ns)
{
	int r = 0;

	for (int i = 0; r >= 0 && i < STORE_TIERS; i++) {
		int64_t retention = (int64_t)MIN(s->retention_ns[i], (uint64_t)INT64_MAX);
		struct term term;

		if (!retention || !s->life.any ||
		    __builtin_sub_overflow(s->life.now, retention, &term.before))
			continue;
		r = rolled_up(s, (enum store_tier)i, &term.last);
		if (r < 0)
			return r;
		do {
			r = expire_some(s, (enum store_tier)i, &term, EXPIRE_BATCH);
			s->prunes = s->prunes || r > 0;
		} while (r == EXPIRE_BATCH && clock_ns(CLOCK_MONOTONIC) < until_ns);
	}
	return MIN(r, 0);
}

static int expire_all(struct store *s)
{
	/* without room set aside the disk is full, or was: all goes at once then, to have it */
	uint64_t until = s->reserve_full ? clock_ns(CLOCK_MONOTONIC) + EXPIRE_NS : UINT64_MAX;
	int r = expire_by_age(s, until);

	if (r == 0)
		r = recordings_expire(s);
	if (r == 0)
		r = s->max_bytes ? expire_by_size(s) : wal_keep_small(s);
	return r < 0 ? r : prune_step(s, until);
}

int store_expire(struct store *s)
{
	int r = store_ready(s);

	if (r == 0)
		r = expire_all(s);
	if (r == -ENOSPC && s->db && reserve_release(s)) {
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		r = expire_all(s);
	}
	if (r == -EBADMSG && s->db)
		r = store_mend(s, damage_find(s->db));
	if (s->db)
		reserve_fill(s);
	return r;
}
