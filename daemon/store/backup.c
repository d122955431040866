/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/backup.h"

#include <sys/stat.h>

#include "store/internal.h"
#include "store/reader.h"

/* A new file needs neither a journal nor syncs of its own: it counts once it is whole. */
static int open_copy(const char *path, sqlite3 **ret)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int r = db_open(path, DB_WRITE, &db);

	if (r == 0)
		r = db_exec(db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
	if (r == 0)
		*ret = TAKE_PTR(db);
	return r;
}

/*
 * The reader's transaction stays open, so that all steps see one state: without it SQLite would
 * begin anew at each window that is saved.
 */
static int copy_pages(sqlite3 *from, sqlite3 *to, bool (*stop)(void))
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	if (!b)
		return db_errno(to, sqlite3_errcode(to));
	do {
		rc = sqlite3_backup_step(b, BACKUP_PAGES);
	} while (rc == SQLITE_OK && !(stop && stop()));
	sqlite3_backup_finish(b);
	return rc == SQLITE_OK ? -ECANCELED : db_errno(to, rc);
}

/* Whether the file was written while it was taken for one that nobody writes. */
static bool has_changed(const struct store_reader *reader, const struct stat *before)
{
	struct stat now;

	return reader->immutable &&
	       (stat(reader->path, &now) < 0 || now.st_ino != before->st_ino ||
		now.st_size != before->st_size || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
		now.st_mtim.tv_nsec != before->st_mtim.tv_nsec);
}

static int copy(struct store_reader *reader, const char *path, bool (*stop)(void),
		struct store_facts *ret)
{
	_cleanup_(db_closep) sqlite3 *to = NULL;
	struct stat before = {};
	int r = stat(reader->path, &before) < 0 ? -errno : open_copy(path, &to);

	/* this is also what begins to read: from here on all is as it is now */
	if (r == 0)
		r = store_facts_of(reader->db, reader->path, ret);
	if (r == 0)
		r = copy_pages(reader->db, to, stop);
	return r == 0 && has_changed(reader, &before) ? -EAGAIN : r;
}

int store_backup(struct store_reader *reader, const char *path, bool (*stop)(void),
		 struct store_facts *ret)
{
	struct store_facts f = {};
	int r = reader_begin(reader);

	if (r == 0)
		r = copy(reader, path, stop, &f);
	reader_end(reader);
	if (r < 0)
		return r;
	f.wal_bytes = 0;
	f.bytes = file_bytes(path);
	*ret = f;
	return 0;
}
