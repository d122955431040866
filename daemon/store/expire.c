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

/* Runs sql with ?1 and ?2 bound. */
static int run_with(sqlite3 *db, const char *sql, int64_t one, int64_t two)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r;

	r = db_prepare(db, sql, &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, one);
	if (sqlite3_bind_parameter_count(st) > 1)
		sqlite3_bind_int64(st, 2, two);
	return db_run(st);
}

/*
 * The ids of up to n (<= EXPIRE_BATCH) of the oldest windows, up to the first that ended after
 * before. Returns how many.
 */
static int oldest_windows(sqlite3 *db, int64_t before, int n, int64_t ids[EXPIRE_BATCH])
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r, count = 0;

	/* as they were saved: what the clock said has nothing to do with it */
	r = db_prepare(db, "SELECT id, life_ns FROM windows ORDER BY id LIMIT ?1", &st);
	if (r < 0)
		return r;
	sqlite3_bind_int(st, 1, n);
	while ((r = db_step(st)) > 0 && sqlite3_column_int64(st, 1) <= before)
		ids[count++] = sqlite3_column_int64(st, 0);
	return r < 0 ? r : count;
}

static int delete_windows(struct store *s, const int64_t *ids, int n)
{
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++) {
		r = run_with(s->db, "DELETE FROM counts WHERE id=?1", ids[i], 0);
		if (r == 0)
			r = older_delete(s, ids[i]);
		if (r == 0)
			r = run_with(s->db, "DELETE FROM windows WHERE id=?1", ids[i], 0);
	}
	return r;
}

/* Deletes up to n (<= EXPIRE_BATCH) windows in one transaction. Returns how many. */
static int expire_some(struct store *s, int64_t before, int n)
{
	int64_t ids[EXPIRE_BATCH];
	int r, count;

	count = oldest_windows(s->db, before, n, ids);
	if (count <= 0)
		return count;
	r = db_run(s->statements[ST_BEGIN]);
	if (r == 0)
		r = delete_windows(s, ids, count);
	if (r == 0)
		r = db_run(s->statements[ST_COMMIT]);
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	return count;
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
	if (db_int(s->db, "SELECT start_ns FROM windows ORDER BY id LIMIT 1", &start_ns) < 0)
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

/*
 * Deletes the oldest windows, an eighth of them at a time, until the file is small enough beside
 * its WAL, but never the newest.
 */
static int expire_by_size(struct store *s)
{
	uint64_t size = 0, most = s->max_bytes - MIN(s->max_bytes / 8, wal_bound(s));
	int64_t windows = 0, before = 0, n, batch;
	int r;

	for (;;) {
		r = wal_keep_small(s);
		if (r == 0)
			r = used_size(s, &size);
		if (r == 0)
			r = db_int(s->db, "SELECT count(*) FROM windows", &windows);
		before = MAX(before, windows);
		if (r < 0 || size <= most || windows <= 1)
			break;
		for (n = MIN((windows + 7) / 8, windows - 1); n > 0; n -= batch) {
			batch = MIN(n, (int64_t)EXPIRE_BATCH);
			r = expire_some(s, INT64_MAX, (int)batch);
			if (r < 0)
				return r;
		}
		r = prune_dictionaries(s);
		if (r == 0)
			r = older_prune(s);
		if (r < 0)
			return r;
	}
	if (r == 0 && before > windows) {
		s->prunes = true;
		tell_dropped(s, before - windows, before);
	}
	return r;
}

static int expire_all(struct store *s)
{
	int64_t retention = (int64_t)MIN(s->retention_ns, (uint64_t)INT64_MAX), before;
	/* without room set aside the disk is full, or was: all goes at once then, to have it */
	uint64_t until = s->reserve_full ? clock_ns(CLOCK_MONOTONIC) + EXPIRE_NS : UINT64_MAX;
	int r = 0;

	if (retention && s->life.any && !__builtin_sub_overflow(s->life.now, retention, &before)) {
		do {
			r = expire_some(s, before, EXPIRE_BATCH);
			s->prunes = s->prunes || r > 0;
		} while (r == EXPIRE_BATCH && clock_ns(CLOCK_MONOTONIC) < until);
	}
	if (r >= 0)
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
