/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/reader.h"

#include <sys/stat.h>

#include "store/internal.h"
#include "store/schema.h"
#include "util/clock.h"

/* Steps of SQLite's machine between two looks at the clock: less than a millisecond. */
#define STEPS 10000

int reader_overdue(const struct store_reader *reader)
{
	return clock_ns(CLOCK_MONOTONIC) > reader->until_ns ? -ETIME : 0;
}

static int on_steps(void *ctx)
{
	return reader_overdue(ctx) < 0;
}

/*
 * How the file is opened depends on the writer. While it is up, and after it ended with WAL and
 * -shm kept, an ordinary reader works, also one that may not write there. Without -shm such a
 * reader can only take the file for immutable, which stops being true as soon as a writer starts: a
 * handle of that kind is used once.
 */
static int reader_connect(struct store_reader *reader)
{
	struct stat sb;
	int version, r;

	if (stat(reader->path, &sb) < 0)
		return -errno;
	/* The file may have been replaced, or brought up by a newer plopd. */
	if (reader->db && !reader->immutable && sb.st_dev == reader->dev &&
	    sb.st_ino == reader->ino)
		return schema_look(reader->db, &version);
	sqlite3_close(reader->db);
	reader->db = NULL;
	reader->immutable = false;
	r = db_open(reader->path, DB_READ, &reader->db);
	/*
	 * else one that is shorter than it says it is would not be read at all; nothing is written
	 */
	if (r == 0 && reader->damaged) {
		sqlite3_db_config(reader->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
		sqlite3_db_config(reader->db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	}
	if (r == 0)
		r = schema_look(reader->db, &version);
	if (r == -ENOENT || r == -EROFS || r == -EACCES) {
		sqlite3_close(reader->db);
		reader->db = NULL;
		reader->immutable = true;
		r = db_open(reader->path, DB_IMMUTABLE, &reader->db);
		if (r == 0)
			r = schema_look(reader->db, &version);
	}
	if (r == 0 && version == 0)
		r = -ENOENT;
	else if (r == 0 && version < SCHEMA_VERSION && !reader->damaged)
		r = -EAGAIN;
	if (r == 0)
		r = db_exec(reader->db, "PRAGMA cache_size=-2048; PRAGMA temp_store=MEMORY");
	if (r < 0) {
		sqlite3_close(reader->db);
		reader->db = NULL;
		return r;
	}
	sqlite3_progress_handler(reader->db, STEPS, on_steps, reader);
	reader->version = version;
	reader->dev = sb.st_dev;
	reader->ino = sb.st_ino;
	return 0;
}

int reader_begin(struct store_reader *reader)
{
	int r;

	reader->until_ns = clock_ns(CLOCK_MONOTONIC) + reader->stay_ns;
	db_names_use();
	r = reader_connect(reader);
	db_names_used();
	/* Deferred: the first SELECT fixes what is seen until reader_end(). */
	return r < 0 ? r : db_exec(reader->db, "BEGIN");
}

void reader_end(struct store_reader *reader)
{
	if (reader->db && !sqlite3_get_autocommit(reader->db))
		db_exec(reader->db, "ROLLBACK");
}

int store_reader_open(const char *state_dir, struct store_reader **ret, char **ret_error)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->stay_ns = STORE_READ_NS;
	reader->until_ns = UINT64_MAX;
	reader->path = db_path(state_dir, STORE_FILE);
	if (!reader->path)
		return -ENOMEM;
	db_names_use();
	r = reader_connect(reader);
	db_names_used();
	if (r == -ENOENT)
		return db_fail(ret_error, r, "there is no %s yet", reader->path);
	if (r == -EPROTO)
		return db_fail(ret_error, r, "%s was made by a newer plop", reader->path);
	if (r == -EAGAIN)
		return db_fail(ret_error, r, "%s waits for plopd to bring it up to date",
			       reader->path);
	if (r == -EBADMSG)
		return db_fail(ret_error, r, "%s is no database of plop, or a broken one",
			       reader->path);
	if (r < 0)
		return db_fail(ret_error, r, "cannot read %s: %s", reader->path, strerror(-r));
	*ret = TAKE_PTR(reader);
	return 0;
}

int reader_open_damaged(const char *path, struct store_reader **ret)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->damaged = true;
	reader->stay_ns = STORE_READ_NS;
	reader->until_ns = UINT64_MAX;
	reader->path = strdup(path);
	if (!reader->path)
		return -ENOMEM;
	r = reader_connect(reader);
	if (r == 0)
		*ret = TAKE_PTR(reader);
	return r;
}

void store_reader_close(struct store_reader *reader)
{
	if (!reader)
		return;
	sqlite3_close(reader->db);
	free(reader->path);
	free(reader);
}

void store_reader_pass_over(struct store_reader *reader, const uint64_t *starts, size_t n)
{
	reader->passed_over = starts;
	reader->npassed_over = n;
}

void store_reader_limit(struct store_reader *reader, size_t bytes)
{
	reader->limit = bytes;
}

void store_reader_stay(struct store_reader *reader, uint64_t ns)
{
	reader->stay_ns = ns;
}

void store_reader_functions(struct store_reader *reader)
{
	reader->functions = true;
}

void store_reader_threads_alike(struct store_reader *reader)
{
	reader->threads_alike = true;
}

void store_reader_processes_alike(struct store_reader *reader)
{
	reader->threads_alike = reader->processes_alike = true;
}

void store_reader_unit(struct store_reader *reader, uint64_t ns)
{
	reader->unit_ns = ns;
}

void store_reader_prune(struct store_reader *reader)
{
	reader->prune = true;
}

bool reader_passes_over(const struct store_reader *reader, uint64_t start_ns)
{
	for (size_t i = 0; i < reader->npassed_over; i++) {
		if (reader->passed_over[i] == start_ns)
			return true;
	}
	return false;
}

int store_reader_facts(struct store_reader *reader, struct store_facts *ret)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = store_facts_of(reader->db, reader->path, ret);
	reader_end(reader);
	return r;
}

int reader_int(struct store_reader *reader, const char *sql, int64_t *ret)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = db_int(reader->db, sql, ret);
	reader_end(reader);
	return r;
}

static int read_head(struct store_reader *reader, const char *from, struct head *ret)
{
	_cleanup_free_ char *sql = head_select(reader->version, "", from);
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r = sql ? db_prepare(reader->db, sql, &st) : -ENOMEM;

	if (r == 0)
		r = db_step(st);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	head_read(st, ret);
	return 0;
}

int reader_head(struct store_reader *reader, const char *from, struct head *ret)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = read_head(reader, from, ret);
	reader_end(reader);
	return r;
}
