/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/schema.h"

#include "plop/frame.h"
#include "util/buf.h"

/*
 * Step i leads from version i to version i + 1; a new version is one more entry, and an entry never
 * changes once it was released.
 *
 * Versions 1 to 3: windows repeat each other, so what they consist of is stored once: functions,
 * stacks and processes, each found by a 64-bit hash of its content (XXH3 with the seed of this
 * file, which no target knows, so that none can make a name pass for another). used says up to and
 * with which window the row may be needed (schema.h), some windows ahead, so that it is written
 * again now and then only; rows that no window from the oldest on needs go. There is no table of
 * frames: a frame is a function and a line, and two small numbers in the stack's blob take less
 * room than a row and its id.
 *
 * Blobs are LEB128 numbers (packed.h). stacks.frames, root first: function id, line -
 * functions.line (signed). samples.data: thread id, number of stacks, then for each (ascending)
 * stack id - the one before, count; and so on for each thread.
 */
static const char *const steps[SCHEMA_VERSION] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"INSERT INTO meta VALUES('hash_seed', random());"
	"CREATE TABLE functions(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE, used INTEGER "
	"NOT NULL,"
	" line INTEGER NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL);"
	"CREATE TABLE stacks(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE, used INTEGER "
	"NOT NULL,"
	" frames BLOB NOT NULL);"
	"CREATE TABLE processes(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE, used INTEGER "
	"NOT NULL,"
	" pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, start_time REAL NOT NULL, uid "
	"INTEGER NOT NULL,"
	" python TEXT NOT NULL, comm TEXT NOT NULL, exe TEXT NOT NULL, cmdline TEXT NOT NULL,"
	" cgroup TEXT NOT NULL, unit TEXT NOT NULL, container TEXT NOT NULL, service TEXT NOT NULL,"
	" version TEXT NOT NULL);"
	/* start_ns, end_ns: since 1970 */
	"CREATE TABLE windows(id INTEGER PRIMARY KEY, start_ns INTEGER NOT NULL, end_ns INTEGER "
	"NOT NULL,"
	" hz INTEGER NOT NULL, ticks INTEGER NOT NULL, python INTEGER NOT NULL, other INTEGER NOT "
	"NULL,"
	" truncated INTEGER NOT NULL, lost_fault INTEGER NOT NULL, lost_stacks_full INTEGER NOT "
	"NULL,"
	" lost_frames_full INTEGER NOT NULL, lost_unsupported INTEGER NOT NULL, lost_corrupt "
	"INTEGER NOT NULL,"
	" lost_drain INTEGER NOT NULL, samples INTEGER NOT NULL);"
	"CREATE INDEX windows_end ON windows(end_ns);"
	"CREATE TABLE samples(id INTEGER PRIMARY KEY, process INTEGER NOT NULL, samples INTEGER "
	"NOT NULL,"
	" data BLOB NOT NULL);",
	/*
	 * stepped_ns: how far the clock was set as the window began. life_ns: the time that had
	 * really passed when it ended, as far as the windows tell (life.h). pending_ns: a gap that
	 * does not count yet, before the window pending_from. lost_threads: a cause of loss that
	 * version 1 did not have.
	 */
	"ALTER TABLE windows ADD COLUMN stepped_ns INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE windows ADD COLUMN life_ns INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE windows ADD COLUMN lost_threads INTEGER NOT NULL DEFAULT 0;"
	"UPDATE windows SET life_ns = end_ns;"
	"INSERT INTO meta VALUES('pending_ns', 0), ('pending_from', 0);",
	/*
	 * kind: enum plop_frame_kind. Before, a synthetic function was told by having neither a
	 * file nor a line. module: of native and kernel functions; that of a Python function is
	 * told by its file, and stays ''.
	 */
	"ALTER TABLE functions ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE functions ADD COLUMN module TEXT NOT NULL DEFAULT '';"
	"UPDATE functions SET kind = 3 WHERE file = '' AND line = 0;",
	/*
	 * dictionary: 0: a window as it was before, whose stacks are in the tables of before, until
	 * it is carried over (carry.c); these tables go then. Else its stacks are those of that
	 * dictionary (dictionary.h). additions: texts to processes: the last number of each after
	 * it. counts: by the window's id.
	 */
	"ALTER TABLE windows ADD COLUMN dictionary INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX windows_dictionary ON windows(dictionary);"
	"CREATE TABLE additions(id INTEGER PRIMARY KEY, texts INTEGER NOT NULL, functions INTEGER "
	"NOT NULL,"
	" frames INTEGER NOT NULL, nodes INTEGER NOT NULL, processes INTEGER NOT NULL, hash "
	"INTEGER NOT NULL,"
	" data BLOB NOT NULL);"
	"CREATE TABLE counts(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, data BLOB NOT NULL);",
	/*
	 * rollups: heads of what several windows in succession became (rollup.h), which are those
	 * from first to last. ids are below 0, so that counts has them beside the windows'.
	 */
	"CREATE TABLE rollups(id INTEGER PRIMARY KEY, start_ns INTEGER NOT NULL, end_ns INTEGER "
	"NOT NULL,"
	" hz INTEGER NOT NULL, ticks INTEGER NOT NULL, python INTEGER NOT NULL, other INTEGER NOT "
	"NULL,"
	" truncated INTEGER NOT NULL, lost_fault INTEGER NOT NULL, lost_stacks_full INTEGER NOT "
	"NULL,"
	" lost_frames_full INTEGER NOT NULL, lost_unsupported INTEGER NOT NULL, lost_corrupt "
	"INTEGER NOT NULL,"
	" lost_drain INTEGER NOT NULL, samples INTEGER NOT NULL, stepped_ns INTEGER NOT NULL,"
	" life_ns INTEGER NOT NULL, lost_threads INTEGER NOT NULL, dictionary INTEGER NOT NULL,"
	" tier INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);"
	"CREATE INDEX rollups_end ON rollups(end_ns);"
	"CREATE INDEX rollups_dictionary ON rollups(dictionary);"
	"CREATE UNIQUE INDEX rollups_tier ON rollups(tier, last);",
	/*
	 * Windows say which samples had the GIL, by nodes of their own (dictionary.h). In those of
	 * before nothing is known of it, and no row changes. An older plop could not read it.
	 */
	"",
	/*
	 * recordings: those that are kept, each in a row of its own (recording_row.c). user: -1: of
	 * those who are trusted. window: the newest one when it was kept; life_ns: as of windows.
	 * labels: each key and value with its NUL. data: recording_blob.c.
	 */
	"CREATE TABLE recordings(id INTEGER PRIMARY KEY, ident TEXT NOT NULL UNIQUE, name TEXT NOT "
	"NULL,"
	" uid INTEGER NOT NULL, user INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER "
	"NOT NULL,"
	" samples INTEGER NOT NULL, window INTEGER NOT NULL, life_ns INTEGER NOT NULL, bytes "
	"INTEGER NOT NULL,"
	" labels BLOB NOT NULL, facts TEXT NOT NULL, blob_hash INTEGER NOT NULL, hash INTEGER NOT "
	"NULL,"
	" data BLOB NOT NULL);"
	"CREATE INDEX recordings_user ON recordings(user, bytes);"
	/* sums: by the id of a roll-up of six hours (named.h). */
	"CREATE TABLE sums(id INTEGER PRIMARY KEY, dictionary INTEGER NOT NULL, hash INTEGER NOT "
	"NULL,"
	" data BLOB NOT NULL);"
	"CREATE INDEX sums_dictionary ON sums(dictionary);"
	/* what begins too late is told by the index alone, without the row */
	"DROP INDEX windows_end;"
	"CREATE INDEX windows_end ON windows(end_ns, start_ns);"
	"DROP INDEX rollups_end;"
	"CREATE INDEX rollups_end ON rollups(end_ns, start_ns, tier);"
	/* memos: by enum store_memo + 1 (memos.c). */
	"CREATE TABLE memos(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, data BLOB NOT NULL);",
};

_Static_assert(PLOP_FRAME_PYTHON == 0 && PLOP_FRAME_NATIVE == 1 && PLOP_FRAME_KERNEL == 2 &&
		       PLOP_FRAME_SYNTHETIC == 3,
	       "functions.kind of files that are there");

int schema_look(sqlite3 *db, int *ret_version)
{
	int64_t version, application, tables;
	int r;

	r = db_int(db, "PRAGMA user_version", &version);
	if (r < 0)
		return r;
	r = db_int(db, "PRAGMA application_id", &application);
	if (r < 0)
		return r;
	r = db_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r < 0)
		return r;
	if (application != SCHEMA_APPLICATION && (application || version || tables))
		return -EBADMSG;
	if (version > SCHEMA_VERSION)
		return -EPROTO;
	if (version < 0)
		return -EBADMSG;
	*ret_version = (int)version;
	return 0;
}

static int run_steps(sqlite3 *db, const char *const *list, int n)
{
	_cleanup_buf_ struct buf pragma = {};
	_cleanup_free_ char *sql = NULL;
	int64_t version;
	int r;

	r = db_int(db, "PRAGMA user_version", &version);
	for (int64_t i = version; r == 0 && i < n; i++)
		r = db_exec(db, list[i]);
	if (r < 0)
		return r;
	buf_printf(&pragma, "PRAGMA application_id=%d; PRAGMA user_version=%d", SCHEMA_APPLICATION,
		   n);
	sql = buf_string(&pragma);
	if (!sql)
		return -ENOMEM;
	return db_exec(db, sql);
}

int schema_migrate_steps(sqlite3 *db, const char *const *list, int n)
{
	int r;

	r = db_exec(db, "BEGIN IMMEDIATE");
	if (r < 0)
		return r;
	r = run_steps(db, list, n);
	if (r == 0)
		r = db_exec(db, "COMMIT");
	if (r < 0)
		db_exec(db, "ROLLBACK");
	return r;
}

int schema_migrate(sqlite3 *db)
{
	return schema_migrate_steps(db, steps, SCHEMA_VERSION);
}
