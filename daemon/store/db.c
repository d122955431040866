/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/db.h"

#include <pthread.h>
#include <stdarg.h>

#include "util/buf.h"

char *db_path(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static pthread_rwlock_t names = PTHREAD_RWLOCK_INITIALIZER;

void db_names_change(void)
{
	pthread_rwlock_wrlock(&names);
}

void db_names_changed(void)
{
	pthread_rwlock_unlock(&names);
}

void db_names_use(void)
{
	pthread_rwlock_rdlock(&names);
}

void db_names_used(void)
{
	pthread_rwlock_unlock(&names);
}

/* A URI for a path, in which "?", "#" and "%" would mean something. */
static char *immutable_uri(const char *path)
{
	_cleanup_buf_ struct buf b = {};

	buf_puts(&b, "file:");
	for (; *path; path++) {
		if (*path == '?' || *path == '#' || *path == '%')
			buf_printf(&b, "%%%02x", *path);
		else
			buf_putc(&b, *path);
	}
	buf_puts(&b, "?immutable=1");
	return buf_string(&b);
}

int db_open(const char *path, enum db_mode mode, sqlite3 **ret)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	_cleanup_(db_closep) sqlite3 *db = NULL;
	_cleanup_free_ char *uri = NULL;
	int r;

	flags |= mode == DB_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
	if (mode == DB_IMMUTABLE) {
		uri = immutable_uri(path);
		if (!uri)
			return -ENOMEM;
		flags |= SQLITE_OPEN_URI;
	}
	r = sqlite3_open_v2(uri ? uri : path, &db, flags, NULL);
	if (r != SQLITE_OK)
		return db ? db_errno(db, r) : -ENOMEM;
	/* A file that someone else made could hold a schema that does more than hold data. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_busy_timeout(db, 2000);
	*ret = TAKE_PTR(db);
	return 0;
}

/*
 * The last error of the system that a file of the database had: where a COMMIT fails SQLite tells
 * none itself.
 */
static int file_errno(sqlite3 *db, int which)
{
	sqlite3_file *f = NULL;
	int e = 0;

	if (sqlite3_file_control(db, "main", which, &f) != SQLITE_OK || !f || !f->pMethods)
		return 0;
	return f->pMethods->xFileControl(f, SQLITE_FCNTL_LAST_ERRNO, &e) == SQLITE_OK ? e : 0;
}

static int system_errno(sqlite3 *db, int rc)
{
	int e = sqlite3_system_errno(db);

	if (!e && rc == SQLITE_IOERR_WRITE)
		e = file_errno(db, SQLITE_FCNTL_JOURNAL_POINTER);
	if (!e && rc == SQLITE_IOERR_WRITE)
		e = file_errno(db, SQLITE_FCNTL_FILE_POINTER);
	return e;
}

int db_errno(sqlite3 *db, int rc)
{
	int system;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* a table or column that should be there is not */
		return -EBADMSG;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_INTERRUPT:
		return -ETIME;
	default:
		break;
	}
	system = system_errno(db, rc);
	if (system == ENOSPC || system == EDQUOT || system == EFBIG)
		return -ENOSPC;
	if (system == EROFS)
		return -EROFS;
	if ((rc & 0xff) == SQLITE_CANTOPEN)
		return system ? -system : -ENOENT;
	return -EIO;
}

int db_exec(sqlite3 *db, const char *sql)
{
	return db_errno(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
	return db_errno(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL));
}

int db_step(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	return rc == SQLITE_ROW ? 1 : db_errno(sqlite3_db_handle(st), rc);
}

int db_run(sqlite3_stmt *st)
{
	int r = db_step(st);

	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

int db_int(sqlite3 *db, const char *sql, int64_t *ret)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r;

	r = db_prepare(db, sql, &st);
	if (r < 0)
		return r;
	r = db_step(st);
	if (r < 0)
		return r;
	if (r == 0)
		return -ENOENT;
	*ret = sqlite3_column_int64(st, 0);
	return 0;
}

const char *db_text(sqlite3_stmt *st, int column)
{
	if (sqlite3_column_type(st, column) == SQLITE_NULL)
		return "";
	return (const char *)sqlite3_column_text(st, column);
}

void db_bind_text(sqlite3_stmt *st, int at, const char *s)
{
	sqlite3_bind_text(st, at, s, -1, SQLITE_STATIC);
}

int db_fail(char **ret_error, int r, const char *format, ...)
{
	va_list ap;

	if (!ret_error)
		return r;
	va_start(ap, format);
	if (vasprintf(ret_error, format, ap) < 0)
		*ret_error = NULL;
	va_end(ap);
	return r;
}
