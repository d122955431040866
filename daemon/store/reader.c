/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/reader.h"

#include <sys/stat.h>

#include "store/internal.h"
#include "store/schema.h"
#include "util/clock.h"

/* Steps of SQLite's machine between two looks at the clock: less than a millisecond. */
#define STEPS 10000

int reader_overdue(const struct store_reader *r)
{
	return clock_ns(CLOCK_MONOTONIC) > r->until_ns ? -ETIME : 0;
}

static int on_steps(void *ctx)
{
	return reader_overdue(ctx) < 0;
}

/*
 * How the file is opened depends on the writer. While it is up, and after it ended with WAL and -shm kept, an ordinary
 * reader works, also one that may not write there. Without -shm such a reader can only take the file for
 * immutable, which stops being true as soon as a writer starts: a handle of that kind is used once.
 */
static int reader_connect(struct store_reader *r)
{
	struct stat sb;
	int version, e;

	if (stat(r->path, &sb) < 0)
		return -errno;
	/* The file may have been replaced, or brought up by a newer plopd. */
	if (r->db && !r->immutable && sb.st_dev == r->dev && sb.st_ino == r->ino)
		return schema_look(r->db, &version);
	sqlite3_close(r->db);
	r->db = NULL;
	r->immutable = false;
	e = db_open(r->path, DB_READ, &r->db);
	/* else one that is shorter than it says it is would not be read at all; nothing is written */
	if (e == 0 && r->damaged) {
		sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
		sqlite3_db_config(r->db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	}
	if (e == 0)
		e = schema_look(r->db, &version);
	if (e == -ENOENT || e == -EROFS || e == -EACCES) {
		sqlite3_close(r->db);
		r->db = NULL;
		r->immutable = true;
		e = db_open(r->path, DB_IMMUTABLE, &r->db);
		if (e == 0)
			e = schema_look(r->db, &version);
	}
	if (e == 0 && version == 0)
		e = -ENOENT;
	else if (e == 0 && version < SCHEMA_VERSION && !r->damaged)
		e = -EAGAIN;
	if (e == 0)
		e = db_exec(r->db, "PRAGMA cache_size=-2048; PRAGMA temp_store=MEMORY");
	if (e < 0) {
		sqlite3_close(r->db);
		r->db = NULL;
		return e;
	}
	sqlite3_progress_handler(r->db, STEPS, on_steps, r);
	r->version = version;
	r->dev = sb.st_dev;
	r->ino = sb.st_ino;
	return 0;
}

int reader_begin(struct store_reader *r)
{
	int e;

	r->until_ns = clock_ns(CLOCK_MONOTONIC) + r->stay_ns;
	db_names_use();
	e = reader_connect(r);
	db_names_used();
	/* Deferred: the first SELECT fixes what is seen until reader_end(). */
	return e < 0 ? e : db_exec(r->db, "BEGIN");
}

void reader_end(struct store_reader *r)
{
	if (r->db && !sqlite3_get_autocommit(r->db))
		db_exec(r->db, "ROLLBACK");
}

int store_reader_open(const char *state_dir, struct store_reader **ret, char **ret_error)
{
	_cleanup_(store_reader_closep) struct store_reader *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->stay_ns = STORE_READ_NS;
	r->until_ns = UINT64_MAX;
	r->path = db_path(state_dir, STORE_FILE);
	if (!r->path)
		return -ENOMEM;
	db_names_use();
	e = reader_connect(r);
	db_names_used();
	if (e == -ENOENT)
		return db_fail(ret_error, e, "there is no %s yet", r->path);
	if (e == -EPROTO)
		return db_fail(ret_error, e, "%s was made by a newer plop", r->path);
	if (e == -EAGAIN)
		return db_fail(ret_error, e, "%s waits for plopd to bring it up to date", r->path);
	if (e == -EBADMSG)
		return db_fail(ret_error, e, "%s is no database of plop, or a broken one", r->path);
	if (e < 0)
		return db_fail(ret_error, e, "cannot read %s: %s", r->path, strerror(-e));
	*ret = TAKE_PTR(r);
	return 0;
}

int reader_open_damaged(const char *path, struct store_reader **ret)
{
	_cleanup_(store_reader_closep) struct store_reader *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->damaged = true;
	r->stay_ns = STORE_READ_NS;
	r->until_ns = UINT64_MAX;
	r->path = strdup(path);
	if (!r->path)
		return -ENOMEM;
	e = reader_connect(r);
	if (e == 0)
		*ret = TAKE_PTR(r);
	return e;
}

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	sqlite3_close(r->db);
	free(r->path);
	free(r);
}

void store_reader_pass_over(struct store_reader *r, const uint64_t *starts, size_t n)
{
	r->passed_over = starts;
	r->npassed_over = n;
}

void store_reader_limit(struct store_reader *r, size_t bytes)
{
	r->limit = bytes;
}

void store_reader_stay(struct store_reader *r, uint64_t ns)
{
	r->stay_ns = ns;
}

void store_reader_prune(struct store_reader *r)
{
	r->prune = true;
}

bool reader_passes_over(const struct store_reader *r, uint64_t start_ns)
{
	for (size_t i = 0; i < r->npassed_over; i++) {
		if (r->passed_over[i] == start_ns)
			return true;
	}
	return false;
}

int store_reader_facts(struct store_reader *r, struct store_facts *ret)
{
	int e = reader_begin(r);

	if (e == 0)
		e = store_facts_of(r->db, r->path, ret);
	reader_end(r);
	return e;
}

int reader_int(struct store_reader *r, const char *sql, int64_t *ret)
{
	int e = reader_begin(r);

	if (e == 0)
		e = db_int(r->db, sql, ret);
	reader_end(r);
	return e;
}
