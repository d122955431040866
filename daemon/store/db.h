/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

#include "util/macro.h"

/* The few things that plop does with SQLite, with errors as negative errnos. */
#define STORE_FILE    "plop.db"
#define STORE_LOCK    "plop.lock"
#define STORE_RESERVE "plop.reserve"

/* "DIR/NAME"; owned by the caller; NULL: out of memory. */
char *db_path(const char *dir, const char *name);

/*
 * Files change their names while this is held; who opens the database meanwhile waits, so that he
 * never has the file of the one and the WAL of another. Of this process: plop-gateway opens it only
 * while plopd is down.
 */
void db_names_change(void);
void db_names_changed(void);
/* ... and this is held by who opens it. */
void db_names_use(void);
void db_names_used(void);

/* How a file is opened. */
enum db_mode {
	DB_WRITE,
	DB_READ,
	/*
	 * As a file that nobody writes: without locks, without the WAL. Only while there is no
	 * writer.
	 */
	DB_IMMUTABLE,
};
/* The file must be there. A handle is for one thread at a time. */
int db_open(const char *path, enum db_mode mode, sqlite3 **ret);
static inline void db_closep(sqlite3 **db)
{
	sqlite3_close(*db);
}

/*
 * -ENOSPC: the disk, a quota or a file size limit is full; -EAGAIN: locked by someone else;
 * -EBADMSG: not a database, or a broken one; -ETIME: it took too long; -EEXIST: a row that is there
 * is to be unique; -EROFS, -EACCES, -ENOENT, -ENOMEM, -EIO. 0 for SQLITE_OK, SQLITE_ROW and
 * SQLITE_DONE.
 */
int db_errno(sqlite3 *db, int rc);
int db_exec(sqlite3 *db, const char *sql);
/* The first column of the first row. -ENOENT: there is none. */
int db_int(sqlite3 *db, const char *sql, int64_t *ret);
int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret);
/* 1: a row; 0: the end; or a negative errno. */
int db_step(sqlite3_stmt *st);
/* Runs a statement that gives no rows, and resets it. */
int db_run(sqlite3_stmt *st);
/* A text column, "" for NULL; valid until the next step. NULL: out of memory. */
const char *db_text(sqlite3_stmt *st, int column);
void db_bind_text(sqlite3_stmt *st, int at, const char *s);

static inline void db_finalizep(sqlite3_stmt **st)
{
	sqlite3_finalize(*st);
}
/* Sets *ret_error, if wanted, to a sentence; returns r. */
int db_fail(char **ret_error, int r, const char *format, ...) _printf_(3, 4);
