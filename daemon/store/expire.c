/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/internal.h"
#include "store/schema.h"

/* Windows, and rows of a dictionary, deleted in one transaction: few enough that memory and WAL stay small. */
#define EXPIRE_BATCH 128
#define PRUNE_BATCH  "4096"
/* Pages that one vacuum moves, for the same reason. */
#define VACUUM_BATCH "128"
/* Free pages that are left for later windows: 1 MB. */
#define SPARE_PAGES 256

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

/* The ids of up to EXPIRE_BATCH windows that ended at or before before_ns, oldest first. Returns how many. */
static int oldest_windows(sqlite3 *db, int64_t before_ns, int n, int64_t ids[EXPIRE_BATCH])
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r, count = 0;

	r = db_prepare(db, "SELECT id FROM windows WHERE end_ns <= ?1 ORDER BY end_ns LIMIT ?2",
		       &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, before_ns);
	sqlite3_bind_int(st, 2, n);
	while ((r = db_step(st)) > 0)
		ids[count++] = sqlite3_column_int64(st, 0);
	return r < 0 ? r : count;
}

static int delete_windows(sqlite3 *db, const int64_t *ids, int n)
{
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++) {
		r = run_with(db, "DELETE FROM samples WHERE id BETWEEN ?1 AND ?2",
			     ids[i] << SCHEMA_SAMPLES_SHIFT,
			     ((ids[i] + 1) << SCHEMA_SAMPLES_SHIFT) - 1);
		if (r == 0)
			r = run_with(db, "DELETE FROM windows WHERE id=?1", ids[i], 0);
	}
	return r;
}

/* Deletes up to n (<= EXPIRE_BATCH) windows in one transaction. Returns how many. */
static int expire_some(struct store *s, int64_t before_ns, int n)
{
	int64_t ids[EXPIRE_BATCH];
	int r, count;

	count = oldest_windows(s->db, before_ns, n, ids);
	if (count <= 0)
		return count;
	r = db_run(s->statements[ST_BEGIN]);
	if (r == 0)
		r = delete_windows(s->db, ids, count);
	if (r == 0)
		r = db_run(s->statements[ST_COMMIT]);
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	return count;
}

/*
 * Deletes what no window needs any more. It reads all of the dictionary, so it is done only when the hour of the
 * oldest window has moved on.
 */
static int prune(struct store *s)
{
	/* Stacks before what they consist of, so that none is left without its functions. */
	static const char *const tables[] = {
		"DELETE FROM stacks WHERE id IN"
		" (SELECT id FROM stacks WHERE used < ?1 LIMIT " PRUNE_BATCH ")",
		"DELETE FROM functions WHERE id IN"
		" (SELECT id FROM functions WHERE used < ?1 LIMIT " PRUNE_BATCH ")",
		"DELETE FROM processes WHERE id IN"
		" (SELECT id FROM processes WHERE used < ?1 LIMIT " PRUNE_BATCH ")",
	};
	int64_t oldest, hour;
	int r;

	r = db_int(s->db, "SELECT end_ns FROM windows ORDER BY end_ns LIMIT 1", &oldest);
	if (r < 0 && r != -ENOENT)
		return r;
	hour = r == 0 ? oldest / (int64_t)NSEC_PER_SEC / SCHEMA_USED_UNIT : INT64_MAX;
	if (hour <= s->pruned)
		return 0;
	/* Ids may be given anew from here on. */
	store_forget_recent(s);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		do {
			r = run_with(s->db, tables[i], hour, 0);
			if (r < 0)
				return r;
		} while (sqlite3_changes(s->db) > 0);
	}
	/* With no window left, the next one may be of any hour. */
	s->pruned = hour == INT64_MAX ? 0 : hour;
	return 0;
}

static int file_size(struct store *s, uint64_t *ret)
{
	int64_t pages, page;
	int r;

	r = db_int(s->db, "PRAGMA page_count", &pages);
	if (r == 0)
		r = db_int(s->db, "PRAGMA page_size", &page);
	if (r < 0)
		return r;
	*ret = (uint64_t)pages * (uint64_t)page;
	return 0;
}

/*
 * Gives free pages back to the file system once there are more than least of them: the next windows would use them anyway.
 * A reader in the way only delays that.
 */
static int shrink(struct store *s, int64_t least)
{
	int64_t pages, before = INT64_MAX;
	int r;

	for (;;) {
		r = db_int(s->db, "PRAGMA freelist_count", &pages);
		if (r < 0)
			return r;
		if (pages <= least || pages >= before)
			break;
		before = pages;
		r = db_exec(s->db, "PRAGMA incremental_vacuum(" VACUUM_BATCH ")");
		if (r < 0)
			return r;
	}
	sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return 0;
}

/* Deletes the oldest windows, an eighth of them at a time, until the file is small enough or empty. */
static int expire_by_size(struct store *s, uint64_t max_bytes)
{
	int64_t windows, n, batch;
	uint64_t size;
	int r;

	for (;;) {
		r = file_size(s, &size);
		if (r < 0 || size <= max_bytes)
			return r;
		r = db_int(s->db, "SELECT count(*) FROM windows", &windows);
		if (r < 0 || windows == 0)
			return r;
		for (n = (windows + 7) / 8; n > 0; n -= batch) {
			batch = MIN(n, (int64_t)EXPIRE_BATCH);
			r = expire_some(s, INT64_MAX, (int)batch);
			if (r < 0)
				return r;
		}
		r = prune(s);
		if (r == 0)
			r = shrink(s, 0);
		if (r < 0)
			return r;
	}
}

static int expire_all(struct store *s, uint64_t before_ns, uint64_t max_bytes)
{
	bool any = false;
	int r;

	do {
		r = expire_some(s, (int64_t)MIN(before_ns, (uint64_t)INT64_MAX), EXPIRE_BATCH);
		any = any || r > 0;
	} while (r == EXPIRE_BATCH);
	if (r < 0)
		return r;
	if (any) {
		r = prune(s);
		if (r == 0)
			r = shrink(s, SPARE_PAGES);
		if (r < 0)
			return r;
	}
	return max_bytes ? expire_by_size(s, max_bytes) : 0;
}

int store_expire(struct store *s, uint64_t before_ns, uint64_t max_bytes)
{
	int r = expire_all(s, before_ns, max_bytes);

	if (r == -ENOSPC && reserve_release(s)) {
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		r = expire_all(s, before_ns, max_bytes);
	}
	reserve_fill(s);
	return r;
}
