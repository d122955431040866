/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "../format/known.h"
#include "check_main.h"
#include "dir.h"
#include "format/format.h"
#include "store/schema.h"
#include "store/store.h"

/*
 * Files of older versions are carried over: data/versionN.sql is what the plop that wrote that
 * version left of the known profile, saved as two windows.
 */
#define WINDOWS 2

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

static void run(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK, "%s", error);
}

static int64_t number(const char *sql)
{
	sqlite3 *db = NULL;
	int64_t n;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(db_int(db, sql, &n), 0);
	sqlite3_close(db);
	return n;
}

/* Makes plop.db as that version had it. more: SQL that is run behind it, or "". */
static void make_old(int version, const char *more)
{
	_cleanup_free_ char *name = NULL, *sql = NULL;
	sqlite3 *db = NULL;
	size_t size;
	FILE *f;

	ck_assert_int_gt(asprintf(&name, "%s/data/version%d.sql", PLOP_TEST_DATA, version), 0);
	f = fopen(name, "r");
	ck_assert_msg(f != NULL, "%s: %m", name);
	sql = calloc(1, 1 << 20);
	ck_assert_ptr_nonnull(sql);
	size = fread(sql, 1, (1 << 20) - 1, f);
	ck_assert_uint_gt(size, 0);
	fclose(f);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	run(db, "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL;"
		"PRAGMA journal_mode=WAL");
	run(db, sql);
	run(db, more);
	sqlite3_close(db);
}

static char *collapsed(const struct profile *p)
{
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(format_find("collapsed")->encode(p, &b), 0);
	return buf_string(&b);
}

/* What is stored reads as the known profile did, so many times. */
static void reads(unsigned int windows)
{
	_cleanup_(profile_freep) struct profile *p = NULL, *all = known_profile();
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_free_ char *is = NULL, *should = NULL;

	for (unsigned int i = 1; i < windows; i++) {
		_cleanup_(profile_freep) struct profile *more = known_profile();

		ck_assert_int_eq(profile_merge(all, more), 0);
	}
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), 0);
	is = collapsed(p);
	should = collapsed(all);
	ck_assert_str_eq(is, should);
}

static int save(struct store *s)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();

	p->start_ns = KNOWN_START + WINDOWS * 30 * NSEC_PER_SEC;
	p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
	return store_save(s, p);
}

static void carry(struct store *s)
{
	do {
		ck_assert_int_eq(store_check(s), 0);
	} while (store_is_mending(s));
}

/* Nothing of the older versions is left. */
static void carried(void)
{
	ck_assert_int_eq(number("SELECT count(*) FROM windows WHERE dictionary = 0"), 0);
	ck_assert_int_eq(number("SELECT count(*) FROM sqlite_schema WHERE name IN"
				" ('functions', 'stacks', 'processes', 'samples')"),
			 0);
	ck_assert_int_eq(
		number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"),
		1);
}

static unsigned int synthetic(const struct dict *d)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < dict_functions(d); i++)
		n += dict_get_function(d, i)->kind == PLOP_FRAME_SYNTHETIC;
	return n;
}

START_TEST(an_older_file_is_carried_over)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_free_ char *error = NULL;
	_cleanup_buf_ struct buf before = {}, after = {};
	int64_t changes;

	make_old(_i, "");
	ck_assert_msg(store_open(dir.path, &s, &error) == 0, "%s", error);
	ck_assert_int_eq(number("PRAGMA user_version"), SCHEMA_VERSION);
	/* it is read as it is until then, and the same after */
	reads(WINDOWS);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_windows(reader, 0, UINT64_MAX, 9, NULL, &before), 0);
	ck_assert(store_is_mending(s));
	carry(s);
	carried();
	for (unsigned int i = 0; i < STORE_NEWS; i++)
		ck_assert_ptr_null(store_news(s, (enum store_news)i));
	reads(WINDOWS);
	ck_assert_int_eq(store_windows(reader, 0, UINT64_MAX, 9, NULL, &after), 0);
	ck_assert_uint_eq(before.size, after.size);
	ck_assert_mem_eq(before.data, after.data, after.size);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), 0);
	ck_assert_uint_eq(dict_functions(p->dict), 9);
	ck_assert_uint_eq(synthetic(p->dict), 2);
	/* windows that are saved meanwhile have a dictionary of their own */
	ck_assert_int_eq(save(s), 0);
	reads(WINDOWS + 1);
	/* once */
	changes = number("PRAGMA schema_version");
	store_close(TAKE_PTR(s));
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	carry(s);
	ck_assert_int_eq(number("PRAGMA schema_version"), changes);
	reads(WINDOWS + 1);
}
END_TEST

/* Windows are saved and expire while others wait to be carried over. */
START_TEST(saved_before_it_is_carried_over)
{
	_cleanup_(store_closep) struct store *s = NULL;
	struct store_facts f;

	make_old(_i, "INSERT INTO stacks(id, hash, used, frames) VALUES(99, 99, 1, x'')");
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(save(s), 0);
	reads(WINDOWS + 1);
	store_keep(s, 45 * NSEC_PER_SEC, 0);
	ck_assert_int_eq(store_expire(s), 0);
	reads(WINDOWS);
	ck_assert_int_eq(number("SELECT count(*) FROM samples"), 2);
	/* for want of room what no window needs goes as well, and what they need stays */
	store_keep(s, 0, 1 << 20);
	ck_assert_int_eq(store_expire(s), 0);
	reads(WINDOWS);
	store_keep(s, 0, 1);
	ck_assert_int_eq(store_expire(s), 0);
	reads(1);
	ck_assert_int_eq(number("SELECT count(*) FROM stacks"), 0);
	carry(s);
	carried();
	reads(1);
	ck_assert_int_eq(store_facts(s, &f), 0);
	ck_assert_uint_eq(f.windows, 1);
}
END_TEST

/* Before plopd has done it, a reader says for what it waits, and changes nothing. */
START_TEST(a_reader_waits)
{
	_cleanup_free_ char *error = NULL;
	struct store_reader *reader = NULL;

	make_old(_i, "");
	ck_assert_int_eq(store_reader_open(dir.path, &reader, &error), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(error, "waits for plopd to bring it up to date"));
	ck_assert_int_eq(number("PRAGMA user_version"), _i);
}
END_TEST

/* The two windows, again and again. */
#define MORE 60
#define FILL                                                                           \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 59)" \
	" INSERT INTO samples SELECT (s.id & 1048575) + ((s.id >> 20) + 2 * i << 20)," \
	" process, samples, data FROM samples s, n;"                                   \
	"CREATE TEMP TABLE more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"         \
	" SELECT i + 1 FROM n WHERE i < 59) SELECT w.*, i FROM windows w, n;"          \
	"UPDATE more SET id = id + 2 * i, start_ns = start_ns + i * 60000000000,"      \
	" end_ns = end_ns + i * 60000000000; ALTER TABLE more DROP COLUMN i;"          \
	"INSERT INTO windows SELECT * FROM more"

/* All of them read the same, however far it is. */
static void reads_all(void)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;

	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), 0);
	ck_assert_uint_eq(p->samples_total, 2 * MORE * KNOWN_TOTAL);
	ck_assert_uint_eq(p->tally.ticks, 2 * MORE * 6000);
	ck_assert_uint_eq(p->nsamples, 10);
}

/* A plopd that is killed while it carries a file over: the next one goes on, nothing is lost. */
START_TEST(killed_in_the_midst)
{
	_cleanup_(store_closep) struct store *s = NULL;
	int64_t left;
	int kills = 0, attempt = 0;

	make_old(_i, FILL);
	do {
		int status;
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		attempt++;
		if (pid == 0) {
			struct itimerval soon = { .it_value.tv_usec =
							  3000 + attempt * attempt * 390 };
			struct store *k;

			signal(SIGALRM, SIG_DFL);
			setitimer(ITIMER_REAL, &soon, NULL);
			if (store_open(dir.path, &k, NULL) < 0)
				_exit(1);
			while (store_is_mending(k))
				store_check(k);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		/* before the first step it is a file of the older version */
		if (number("PRAGMA user_version") < SCHEMA_VERSION)
			continue;
		reads_all();
		left = number("SELECT count(*) FROM windows WHERE dictionary = 0");
		kills += left > 0;
	} while (attempt < 50 &&
		 number("SELECT count(*) FROM sqlite_schema WHERE name = 'samples'"));
	ck_assert_int_ge(kills, 1);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	carried();
	reads_all();
}
END_TEST

static void limit_files(rlim_t bytes)
{
	struct rlimit l = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* There is no room: it is said, and nothing is lost; when there is room it goes on. */
START_TEST(no_room)
{
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_free_ char *news = NULL;

	make_old(_i, FILL);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	limit_files(64 << 10);
	for (int i = 0; i < 100 && !news; i++) {
		ck_assert_int_eq(store_check(s), 0);
		news = store_news(s, STORE_NEWS_OLDER);
	}
	ck_assert_msg(news && strstr(news, "cannot be written anew (No space left on device): "
					   "they are read as they are"),
		      "%s", news);
	ck_assert(!store_is_mending(s));
	reads_all();
	/* it is said once */
	ck_assert_int_eq(store_check(s), 0);
	ck_assert_ptr_null(store_news(s, STORE_NEWS_OLDER));
	limit_files(RLIM_INFINITY);
	carry(s);
	carried();
	reads_all();
}
END_TEST

/* Rows that nothing needs, and that so many pages are full of. */
#define FILLER                                                                           \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)" \
	" INSERT INTO stacks(hash, used, frames) SELECT -i, 1 << 60, zeroblob(200) FROM n"

/*
 * One that is damaged as well: a sentence, the file is kept, and what can be read of it is in the
 * new one.
 */
/* What is left behind is large: it goes a little at a time, in little memory. */
START_TEST(large_tables_go_by_and_by)
{
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_free_ char *wal = NULL;
	sqlite3_int64 before, now, most;
	struct stat st;

	make_old(3, "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE"
		    " i < 31000) INSERT INTO stacks(id, hash, used, frames)"
		    " SELECT i, i, 0, randomblob(400) FROM n");
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &before, &most, 1), SQLITE_OK);
	carry(s);
	ck_assert_int_eq(sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &now, &most, 0), SQLITE_OK);
	carried();
	ck_assert_int_lt(most - before, 4 << 20);
	ck_assert_int_gt(asprintf(&wal, "%s-wal", path), 0);
	ck_assert_int_eq(stat(wal, &st), 0);
	ck_assert_int_lt(st.st_size, 6 << 20);
	reads(WINDOWS);
}
END_TEST

START_TEST(a_damaged_older_file_is_kept)
{
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_free_ char *error = NULL, *news = NULL, *kept = NULL, *before = NULL;
	char *name, *end;
	struct stat sb;
	size_t size, kept_size;

	make_old(_i, FILLER);
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_int_gt(sb.st_size, 400000);
	ck_assert_int_eq(truncate(path, sb.st_size - 40 * 4096), 0);
	before = dir_read(&dir, "plop.db", &size);
	ck_assert_msg(store_open(dir.path, &s, &error) == 0, "%s", error);
	do {
		ck_assert_int_eq(store_check(s), 0);
	} while (store_is_mending(s));
	news = store_news(s, STORE_NEWS_DAMAGED);
	ck_assert_ptr_nonnull(news);
	ck_assert_msg(strstr(news, "was truncated; it is kept as plop.db.") &&
			      strstr(news,
				     "2 of its 2 windows could be read and are in the new file"),
		      "%s", news);
	name = strstr(news, "kept as ") + strlen("kept as ");
	end = strchr(name, ',');
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	kept = dir_read(&dir, name, &kept_size);
	ck_assert_msg(kept != NULL, "%s", name);
	ck_assert_uint_eq(kept_size, size);
	ck_assert_int_eq(memcmp(kept, before, size), 0);
	ck_assert_int_eq(number("PRAGMA user_version"), SCHEMA_VERSION);
	reads(WINDOWS);
}
END_TEST

/* What no plop writes: each is told from a sound row. */
START_TEST(a_row_that_cannot_be_is_not_read)
{
	static const char *const damages[] = {
		"UPDATE functions SET kind = 4 WHERE name = 'Job.work'",
		"UPDATE functions SET kind = -1 WHERE name = 'Job.work'",
		"UPDATE functions SET kind = 3 WHERE name = 'Job.work'",
		"UPDATE functions SET kind = 1 WHERE name = 'Job.work'",
		"UPDATE functions SET kind = 2 WHERE name = '[truncated]'",
		"UPDATE functions SET kind = 0 WHERE name = '[truncated]'",
		"UPDATE functions SET module = 'x' WHERE name = 'Job.work'",
		"UPDATE functions SET module = 'x' WHERE name = '[truncated]'",
	};
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_free_ char *news = NULL;
	sqlite3 *db = NULL;

	make_old(3, "");
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	reads(WINDOWS);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	run(db, damages[_i]);
	ck_assert_int_eq(sqlite3_changes(db), 1);
	sqlite3_close(db);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), -EBADMSG);
	/* nor is it carried over: the file is set aside */
	carry(s);
	news = store_news(s, STORE_NEWS_DAMAGED);
	ck_assert_msg(news && strstr(news, "contradict each other; it is kept as plop.db."), "%s",
		      news);
}
END_TEST
#define DAMAGES 8

/* All kinds, and what is alike but for its kind or its module, come back as they were saved. */
START_TEST(kinds_come_back)
{
	static const struct dict_function rows[] = {
		{ "f", "x", "/x.py", 1, PLOP_FRAME_PYTHON },
		{ "[truncated]", "", "", 0, PLOP_FRAME_PYTHON },
		{ "[truncated]", "", "", 0, PLOP_FRAME_SYNTHETIC },
		{ "malloc", "libc.so.6", "", 0, PLOP_FRAME_NATIVE },
		{ "malloc", "libjemalloc.so.2", "", 0, PLOP_FRAME_NATIVE },
		{ "malloc", "libjemalloc.so.2", "jemalloc.c", 7, PLOP_FRAME_NATIVE },
		{ "malloc", "", "", 0, PLOP_FRAME_NATIVE },
		{ "do_idle", "kernel", "", 0, PLOP_FRAME_KERNEL },
		{ "do_idle", "kernel", "", 0, PLOP_FRAME_NATIVE },
	};
	_cleanup_(profile_freep) struct profile *p = known_profile(), *got = NULL;
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(store_closep) struct store *s = NULL;
	bool found[ARRAY_SIZE(rows)] = {};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t function, frame;

		ck_assert_int_eq(dict_function(p->dict, &rows[i], &function), 0);
		ck_assert_int_eq(dict_frame(p->dict, function, rows[i].line, &frame), 0);
		known_add(p, 0, 1, &frame, 1, 1);
	}
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(store_save(s, p), 0);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &got), 0);
	ck_assert_uint_eq(dict_functions(got->dict), dict_functions(p->dict));
	for (uint32_t i = 0; i < dict_functions(got->dict); i++) {
		const struct dict_function *f = dict_get_function(got->dict, i);

		for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
			found[k] |= f->kind == rows[k].kind && f->line == rows[k].line &&
				    streq(f->name, rows[k].name) && streq(f->file, rows[k].file) &&
				    streq(f->module, rows[k].module);
	}
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
		ck_assert_msg(found[k], "row %zu", k);
}
END_TEST

CHECK_LOOPS("store/carry", setup, teardown,
	    { an_older_file_is_carried_over, 1, SCHEMA_DICTIONARIES },
	    { a_reader_waits, 1, SCHEMA_DICTIONARIES },
	    { saved_before_it_is_carried_over, 1, SCHEMA_DICTIONARIES },
	    { killed_in_the_midst, 1, SCHEMA_DICTIONARIES }, { no_room, 1, SCHEMA_DICTIONARIES },
	    { a_damaged_older_file_is_kept, 1, SCHEMA_DICTIONARIES },
	    { large_tables_go_by_and_by, 0, 1 }, { a_row_that_cannot_be_is_not_read, 0, DAMAGES },
	    { kinds_come_back, 0, 1 });
