/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/internal.h"
#include "util/clock.h"

/*
 * What no window needs any more: dictionaries, and the pages that they leave. Both go some of it
 * now and then, as 50 MB of it take a second or two, and windows want to be saved meanwhile.
 */

/* Pages that one vacuum moves: few enough that memory and WAL stay small. */
#define VACUUM_BATCH "128"
/* Free pages that are left for later windows: 1 MB, and not more than this part of the file. */
#define SPARE_PAGES 256
#define SPARE_PART  (16 * 4096)

static bool is_over(uint64_t until_ns)
{
	return clock_ns(CLOCK_MONOTONIC) >= until_ns;
}

/* Deletes a dictionary, the last additions first: what is left of it can be read. */
static int delete_dictionary(struct store *s, int64_t id, uint64_t until_ns)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r;

	r = db_prepare(s->db,
		       "DELETE FROM additions WHERE id ="
		       " (SELECT max(id) FROM additions WHERE id BETWEEN ?1 AND ?2)",
		       &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id << ADDITION_SHIFT);
	sqlite3_bind_int64(st, 2, ((id + 1) << ADDITION_SHIFT) - 1);
	do {
		r = db_run(st);
	} while (r == 0 && sqlite3_changes(s->db) > 0 && !is_over(until_ns));
	return r;
}

void prune_note(struct store *s, int64_t dictionary)
{
	if (dictionary <= 0)
		return;
	s->prune_from = MIN(s->prune_from, dictionary);
	s->prune_to = MAX(s->prune_to, dictionary);
}

/* 1: somebody has it; 0: nobody. used: the statement that asks the rows that may. */
static int dictionary_is_used(struct store *s, sqlite3_stmt *used, int64_t id)
{
	int r;

	if (id == s->dictionary.id || id == s->older.id || id == s->sums.id ||
	    (s->rolling.until && id == s->rolling.rollup.head.dictionary))
		return 1;
	sqlite3_bind_int64(used, 1, id);
	r = db_step(used);
	sqlite3_reset(used);
	return r;
}

/* Deletes dictionaries that nobody has. */
static int delete_dictionaries(struct store *s, uint64_t until_ns)
{
	_cleanup_(db_finalizep) sqlite3_stmt *next = NULL, *used = NULL;
	int64_t id;
	int r;

	r = db_prepare(s->db, "SELECT id FROM additions WHERE id >= ?1 ORDER BY id LIMIT 1", &next);
	if (r == 0)
		r = db_prepare(s->db,
			       "SELECT 1 FROM windows WHERE dictionary = ?1 UNION ALL"
			       " SELECT 1 FROM rollups WHERE dictionary = ?1 UNION ALL"
			       " SELECT 1 FROM sums WHERE dictionary = ?1 LIMIT 1",
			       &used);
	while (r == 0 && s->prune_from <= s->prune_to && !is_over(until_ns)) {
		sqlite3_bind_int64(next, 1, s->prune_from << ADDITION_SHIFT);
		r = db_step(next);
		id = r > 0 ? sqlite3_column_int64(next, 0) >> ADDITION_SHIFT : INT64_MAX;
		sqlite3_reset(next);
		s->prune_from = id;
		if (r <= 0 || id > s->prune_to)
			break;
		r = dictionary_is_used(s, used, id);
		if (r == 0) {
			r = delete_dictionary(s, id, until_ns);
			/* the time may be over before all of it is gone */
			s->prune_from += r == 0 && !is_over(until_ns);
		} else {
			s->prune_from++;
		}
		r = MIN(r, 0);
	}
	if (r >= 0 && s->prune_from > s->prune_to) {
		s->prune_from = INT64_MAX;
		s->prune_to = 0;
	}
	return MIN(r, 0);
}

int prune_dictionaries(struct store *s)
{
	return delete_dictionaries(s, UINT64_MAX);
}

/*
 * Gives free pages back to the file system once there are more than the next windows would use
 * anyway. A reader in the way only delays that.
 */
static int shrink(struct store *s, uint64_t until_ns, bool *ret_more)
{
	int64_t pages, before = INT64_MAX, spare = SPARE_PAGES;
	int r = 0;

	if (s->max_bytes)
		spare = (int64_t)MIN(s->max_bytes / SPARE_PART, (uint64_t)spare);
	while (r == 0 && !is_over(until_ns)) {
		r = db_int(s->db, "PRAGMA freelist_count", &pages);
		*ret_more = r == 0 && pages > spare && pages < before;
		if (!*ret_more)
			break;
		before = pages;
		r = db_exec(s->db, "PRAGMA incremental_vacuum(" VACUUM_BATCH ")");
	}
	if (r == 0)
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return r;
}

int prune_step(struct store *s, uint64_t until_ns)
{
	int r;

	if (!s->prunes)
		return 0;
	r = delete_dictionaries(s, until_ns);
	if (r == 0)
		r = shrink(s, until_ns, &s->prunes);
	s->prunes = s->prunes || s->prune_from <= s->prune_to;
	/* what could not go now goes when the next window does */
	if (r < 0 && r != -EBADMSG)
		s->prunes = false;
	return r;
}
