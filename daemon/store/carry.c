/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/internal.h"
#include "store/older.h"
#include "store/reader.h"
#include "store/schema.h"
#include "util/clock.h"

/*
 * Windows of a file of schema version 1 to 3 are written anew one by one, the oldest first, some
 * of them now and then, while others are saved and all are read: a window is what it was until the
 * transaction that makes it new. When none is left the old tables go.
 */

int carry_look(struct store *s)
{
	s->carry_failed = false;
	return older_tables(s->db, &s->has_older);
}

bool carry_is_under_way(const struct store *s)
{
	return s->has_older && !s->carry_failed;
}

int older_delete(struct store *s, int64_t window)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r;

	if (!s->has_older)
		return 0;
	r = db_prepare(s->db, "DELETE FROM samples WHERE id BETWEEN ?1 AND ?2", &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, window << SCHEMA_SAMPLES_SHIFT);
	sqlite3_bind_int64(st, 2, ((window + 1) << SCHEMA_SAMPLES_SHIFT) - 1);
	return db_run(st);
}

/* Stacks before what they consist of, so that none is left without its functions. */
static const char *const older_dictionary[] = { "stacks", "functions", "processes" };

/*
 * Rows of a dictionary that are looked at in one statement: few enough that memory and WAL stay
 * small.
 */
#define PRUNE_STEP 16384

/* Deletes those rows of a table that were needed up to an hour or a window before these only. */
static int prune_table(struct store *s, const char *table, int64_t hour, int64_t window)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL, *next = NULL;
	_cleanup_free_ char *sql = NULL, *sql_next = NULL;
	int64_t id = 0;
	int r;

	if (asprintf(&sql,
		     "DELETE FROM %s WHERE id BETWEEN ?1 AND ?2 AND"
		     " (used < ?3 OR (used >= %lld AND used < ?4))",
		     table, (long long)SCHEMA_USED_WINDOW) < 0)
		sql = NULL;
	if (asprintf(&sql_next, "SELECT id FROM %s WHERE id >= ?1 ORDER BY id LIMIT 1", table) < 0)
		sql_next = NULL;
	if (!sql || !sql_next)
		return -ENOMEM;
	r = db_prepare(s->db, sql, &st);
	if (r == 0)
		r = db_prepare(s->db, sql_next, &next);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 3, hour);
	sqlite3_bind_int64(st, 4, SCHEMA_USED_WINDOW + window);
	for (;;) {
		/* over what was deleted long ago in one step */
		sqlite3_bind_int64(next, 1, id);
		r = db_step(next);
		if (r > 0)
			id = sqlite3_column_int64(next, 0);
		sqlite3_reset(next);
		if (r <= 0)
			return r;
		sqlite3_bind_int64(st, 1, id);
		sqlite3_bind_int64(st, 2, id + PRUNE_STEP - 1);
		r = db_run(st);
		if (r < 0)
			return r;
		id += PRUNE_STEP;
	}
}

int older_prune(struct store *s)
{
	int64_t first = INT64_MAX - SCHEMA_USED_WINDOW, end_ns = INT64_MAX;
	int r;

	if (!s->has_older)
		return 0;
	r = db_int(s->db, "SELECT id FROM windows WHERE dictionary = 0 ORDER BY id LIMIT 1",
		   &first);
	if (r == 0)
		r = db_int(s->db, "SELECT min(end_ns) FROM windows WHERE dictionary = 0", &end_ns);
	if (r == -ENOENT)
		r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(older_dictionary); i++)
		r = prune_table(s, older_dictionary[i],
				end_ns / (int64_t)NSEC_PER_SEC / SCHEMA_USED_HOUR, first);
	return r;
}

static int carry_one(struct store *s, struct store_reader *reader, int64_t id)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int64_t life;
	int r = reader_window(reader, id, &p, &life);

	return r < 0 ? r : store_save_again(s, p, id);
}

int older_drop(sqlite3 *db)
{
	/* readers find either all of them or none */
	int r = db_exec(db, "BEGIN IMMEDIATE;"
			    "DROP TABLE stacks; DROP TABLE functions; DROP TABLE processes;"
			    "DROP TABLE samples; COMMIT");

	if (r < 0 && !sqlite3_get_autocommit(db))
		db_exec(db, "ROLLBACK");
	return r;
}

/*
 * Rows that go in one transaction: SQLite holds the pages that one changes in memory, and the WAL
 * has them twice.
 */
#define EMPTY_STEP 1024

/* Deletes the rows of a table until then. 1: there are more. */
static int table_empty(struct store *s, const char *table, uint64_t until_ns)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	_cleanup_free_ char *sql = NULL;
	int r;

	if (asprintf(&sql, "DELETE FROM %s WHERE id IN (SELECT id FROM %s ORDER BY id LIMIT %d)",
		     table, table, EMPTY_STEP) < 0) {
		sql = NULL;
		return -ENOMEM;
	}
	r = db_prepare(s->db, sql, &st);
	while (r == 0) {
		r = db_run(st);
		if (r == 0 && sqlite3_changes(s->db) < EMPTY_STEP)
			return 0;
		if (r == 0 && clock_ns(CLOCK_MONOTONIC) >= until_ns)
			r = 1;
	}
	return r;
}

/* No window is left that needs the older tables: they go, as far as there is time. */
static int carry_end(struct store *s, uint64_t until_ns)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(older_dictionary); i++)
		r = table_empty(s, older_dictionary[i], until_ns);
	if (r == 0)
		r = older_drop(s->db);
	if (r != 0)
		return r < 0 ? r : 0;
	s->has_older = false;
	s->prunes = true;
	dictionary_end(&s->older);
	return 0;
}

static int carry_some(struct store *s, uint64_t until_ns)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	int64_t id;
	int r = 0;

	while (r == 0 && clock_ns(CLOCK_MONOTONIC) < until_ns) {
		r = db_int(s->db, "SELECT id FROM windows WHERE dictionary = 0 ORDER BY id LIMIT 1",
			   &id);
		if (r == -ENOENT)
			return carry_end(s, until_ns);
		if (r == 0 && !reader)
			r = store_reader_open(s->dir, &reader, NULL);
		if (r == 0)
			r = carry_one(s, reader, id);
	}
	return r;
}

int carry_step(struct store *s, uint64_t budget_ns)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + budget_ns;
	bool failed = s->carry_failed;
	int r = 0;

	/* what is taken over from a damaged file comes first */
	if (s->salvage)
		return 0;
	if (s->has_older)
		r = carry_some(s, until);
	s->carry_failed = r < 0;
	if (r < 0 && r != -EBADMSG && !failed)
		store_tell(s, STORE_NEWS_OLDER,
			   "windows that an older plop saved in %s cannot be written anew (%s): "
			   "they are read as they are, and it is tried again",
			   s->path, strerror(-r));
	return r == -EBADMSG ? r : 0;
}
