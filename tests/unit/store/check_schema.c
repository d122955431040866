/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "dir.h"
#include "store/schema.h"
#include "store/store.h"

static struct dir dir;
static char path[128];

static void setup(void)
{
	dir_make(&dir);
	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
}

static void teardown(void)
{
	dir_done(&dir);
}

/* A connection that may make the file. */
static sqlite3 *open_raw(void)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void run(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK, "%s: %s", sql, error);
}

static int64_t number(sqlite3 *db, const char *sql)
{
	int64_t n;

	ck_assert_int_eq(db_int(db, sql, &n), 0);
	return n;
}

START_TEST(a_new_file_is_set_up)
{
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(db_closep) sqlite3 *db = NULL;
	struct stat sb;

	umask(0);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_int_eq(sb.st_mode & 07777, 0640);
	db = open_raw();
	ck_assert_int_eq(number(db, "PRAGMA user_version"), SCHEMA_VERSION);
	ck_assert_int_eq(number(db, "PRAGMA application_id"), SCHEMA_APPLICATION);
	ck_assert_int_eq(number(db, "PRAGMA auto_vacuum"), 2);
	ck_assert_int_eq(
		number(db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode='wal'"), 1);
}
END_TEST

START_TEST(steps_lead_from_any_version)
{
	static const char *const steps[] = {
		"CREATE TABLE a(x)",
		"ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1",
		"CREATE TABLE b AS SELECT y FROM a",
	};
	_cleanup_(db_closep) sqlite3 *db = open_raw();

	ck_assert_int_eq(schema_migrate_steps(db, steps, 1), 0);
	ck_assert_int_eq(number(db, "PRAGMA user_version"), 1);
	run(db, "INSERT INTO a VALUES(41)");
	ck_assert_int_eq(schema_migrate_steps(db, steps, 3), 0);
	ck_assert_int_eq(number(db, "PRAGMA user_version"), 3);
	ck_assert_int_eq(number(db, "SELECT y FROM b"), 42);
	/* Nothing is left to do. */
	ck_assert_int_eq(schema_migrate_steps(db, steps, 3), 0);
	ck_assert_int_eq(number(db, "SELECT count(*) FROM b"), 1);
}
END_TEST

START_TEST(a_step_that_fails_changes_nothing)
{
	static const char *const steps[] = { "CREATE TABLE a(x)", "CREATE TABLE b(x)",
					     "DROP TABLE c" };
	_cleanup_(db_closep) sqlite3 *db = open_raw();

	ck_assert_int_eq(schema_migrate_steps(db, steps, 1), 0);
	ck_assert_int_lt(schema_migrate_steps(db, steps, 3), 0);
	ck_assert_int_eq(number(db, "PRAGMA user_version"), 1);
	ck_assert_int_eq(number(db, "SELECT count(*) FROM sqlite_schema"), 1);
	ck_assert_int_eq(sqlite3_get_autocommit(db), 1);
}
END_TEST

/*
 * Opens for writing and for reading; both must fail with the same code and a sentence, and change
 * no byte.
 */
static void refused(int code, const char *sentence)
{
	_cleanup_free_ char *before = NULL, *after = NULL, *error = NULL, *reader_error = NULL;
	struct store_reader *reader = NULL;
	struct store *s = NULL;
	size_t size, size_after;

	before = dir_read(&dir, "plop.db", &size);
	ck_assert_int_eq(store_open(dir.path, &s, &error), code);
	ck_assert_ptr_null(s);
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error, sentence) != NULL, "%s", error);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, &reader_error), code);
	ck_assert_ptr_null(reader);
	ck_assert_ptr_nonnull(reader_error);
	after = dir_read(&dir, "plop.db", &size_after);
	ck_assert_uint_eq(size, size_after);
	ck_assert_int_eq(memcmp(before, after, size), 0);
	/* The lock is free again. */
	ck_assert_int_eq(store_open(dir.path, &s, NULL), code);
}

START_TEST(a_newer_file_is_left_alone)
{
	struct store *s = NULL;
	sqlite3 *db;

	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	store_close(s);
	db = open_raw();
	run(db, "PRAGMA user_version=1000");
	sqlite3_close(db);
	refused(-EPROTO, "newer plop");
}
END_TEST

/* The newer version is only in the WAL: its writer was killed before a checkpoint. */
START_TEST(a_newer_wal_is_left_alone)
{
	static const char *const files[] = { "plop.db", "plop.db-wal" };
	_cleanup_free_ char *wal = NULL, *wal_after = NULL;
	char *data[ARRAY_SIZE(files)];
	size_t sizes[ARRAY_SIZE(files)], size;
	struct store *s = NULL;
	char name[160];
	sqlite3 *db;

	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	store_close(s);
	db = open_raw();
	run(db, "PRAGMA user_version=1000");
	/* A copy from before the close, when the checkpoint runs. */
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		data[i] = dir_read(&dir, files[i], &sizes[i]);
	sqlite3_close(db);
	snprintf(name, sizeof(name), "%s-shm", path);
	unlink(name);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		FILE *f;

		snprintf(name, sizeof(name), "%s/%s", dir.path, files[i]);
		f = fopen(name, "w");
		ck_assert_uint_gt(sizes[i], 0);
		ck_assert_uint_eq(fwrite(data[i], 1, sizes[i], f), sizes[i]);
		fclose(f);
		free(data[i]);
	}
	wal = dir_read(&dir, "plop.db-wal", &size);
	refused(-EPROTO, "newer plop");
	wal_after = dir_read(&dir, "plop.db-wal", &sizes[0]);
	ck_assert_uint_eq(size, sizes[0]);
	ck_assert_int_eq(memcmp(wal, wal_after, size), 0);
}
END_TEST

START_TEST(no_directory_is_said)
{
	_cleanup_free_ char *error = NULL, *reader_error = NULL;
	struct store_reader *reader = NULL;
	struct store *s = NULL;

	ck_assert_int_eq(store_open("/tmp/plop-check-nowhere/deep", &s, &error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "/tmp/plop-check-nowhere/deep"));
	ck_assert_int_eq(store_reader_open("/tmp/plop-check-nowhere/deep", &reader, &reader_error),
			 -ENOENT);
	ck_assert_ptr_nonnull(reader_error);
}
END_TEST

START_TEST(an_empty_file_is_no_database_yet)
{
	struct store_reader *reader = NULL;
	_cleanup_(store_closep) struct store *s = NULL;

	fclose(fopen(path, "w"));
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), -ENOENT);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	store_reader_close(reader);
}
END_TEST

CHECK_MAIN_WITH("store/schema", setup, teardown, a_new_file_is_set_up, steps_lead_from_any_version,
		a_step_that_fails_changes_nothing, a_newer_file_is_left_alone,
		a_newer_wal_is_left_alone, no_directory_is_said, an_empty_file_is_no_database_yet);
