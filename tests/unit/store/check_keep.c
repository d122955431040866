/* SPDX-License-Identifier: BSD-2-Clause */
#include <sqlite3.h>
#include <sys/wait.h>

#include "../format/known.h"
#include "check_main.h"
#include "dir.h"
#include "noise.h"
#include "sql.h"
#include "store/internal.h"
#include "store/life.h"
#include "store/schema.h"
#include "store/store.h"
#include "util/clock.h"

/*
 * How long windows are kept: by time that has passed, whatever the clock says, and by size, beside
 * whoever reads.
 */
static struct dir dir;
static char path[128];
static struct store *store;

#define SECOND  ((int64_t)NSEC_PER_SEC)
#define DAY     (86400 * SECOND)
#define YEAR    (365 * DAY)
#define CONFIRM LIFE_CONFIRM_NS

static void setup(void)
{
	dir_make(&dir);
	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
}

static void teardown(void)
{
	store_close(store);
	dir_done(&dir);
}

static void reopen(void)
{
	store_close(store);
	store = NULL;
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
}

static uint64_t stored(void)
{
	struct store_facts f;

	ck_assert_int_eq(store_facts(store, &f), 0);
	return f.windows;
}

static int64_t number(const char *sql)
{
	return sql_number(path, sql);
}

/* A window of 30 s that begins then; count functions are its own. */
static struct profile *window(int64_t start_ns, unsigned int count)
{
	static unsigned int windows;
	struct profile *p = known_profile();
	char name[720];

	windows++;
	p->start_ns = (uint64_t)start_ns;
	p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
	for (unsigned int i = 0; i < count; i++) {
		noise_put(name, 700);
		snprintf(name + 700, sizeof(name) - 700, "_%u_%u", windows, i);
		known_add(p, 0, 1, (uint32_t[]){ known_frame(p, name, "/srv/generated.py", 1, 1) },
			  1, 1);
	}
	return p;
}

static void save(int64_t start_ns, int64_t stepped_ns, unsigned int count)
{
	_cleanup_(profile_freep) struct profile *p = window(start_ns, count);

	p->stepped_ns = stepped_ns;
	ck_assert_int_eq(store_save(store, p), 0);
	ck_assert_int_eq(store_expire(store), 0);
}

/*
 * A window begins that many seconds after the one before ended, by the clock, which was set by so
 * many meanwhile.
 */
struct step {
	int64_t gap, stepped;
	bool opened; /* by another plopd */
};

/* Seconds that have passed from the first window's end to the last one's, 30 for each. */
static int64_t passed(const struct step *steps, size_t n)
{
	struct life l = {}, first;
	int64_t at = 1700000000 * SECOND;

	l = first = life_after(&l, 1, (uint64_t)at, (uint64_t)(at + 30 * SECOND), 0, CONFIRM);
	at += 30 * SECOND;
	for (size_t i = 0; i < n; i++) {
		at += steps[i].gap * SECOND;
		l.first = steps[i].opened;
		l = life_after(&l, (int64_t)i + 2, (uint64_t)at, (uint64_t)(at + 30 * SECOND),
			       steps[i].stepped * SECOND, CONFIRM);
		at += 30 * SECOND;
	}
	return (l.now - first.now) / SECOND;
}

#define PASSED(...)                                  \
	passed((const struct step[]){ __VA_ARGS__ }, \
	       sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step))

START_TEST(time_that_passed)
{
	const int64_t days = 8 * 86400, years = 50 * 365 * 86400;

	ck_assert_int_eq(PASSED({ 0, 0, false }, { 0, 0, false }), 60);
	/* what is between windows has passed as well */
	ck_assert_int_eq(PASSED({ 100, 0, false }, { 0, 0, false }), 160);
	/* but not what the clock was set by */
	ck_assert_int_eq(PASSED({ days, days, false }, { 0, 0, false }), 60);
	ck_assert_int_eq(PASSED({ days, days, false }, { -days, -days, false }), 60);
	ck_assert_int_eq(PASSED({ days + 7, days, false }, { 0, 0, false }), 67);
	ck_assert_int_eq(PASSED({ -days, -days, false }, { 0, 0, false }), 60);
	/* windows never grow younger, by whatever is not known of the clock */
	ck_assert_int_eq(PASSED({ -days, 0, false }, { 0, 0, false }), 60);
	/* how long plopd was away counts when the clock has not been set for a while */
	ck_assert_int_eq(PASSED({ days, 0, true }, { 0, 0, false }), 60);
	ck_assert_int_eq(PASSED({ days, 0, true }, { 540, 0, false }, { 0, 0, false }), days + 630);
	/* a clock that was wrong after the boot, and was set right: it was off for a week */
	ck_assert_int_eq(PASSED({ years, 0, true }, { days - years, days - years, false },
				{ 600, 0, false }),
			 days + 690);
	ck_assert_int_eq(PASSED({ -years, 0, true }, { years + days, years + days, false },
				{ 600, 0, false }),
			 days + 690);
}
END_TEST

/* The edges of what a file may say. */
START_TEST(time_out_of_a_broken_file)
{
	struct life l = { .any = true, .now = INT64_MAX - 5, .end_ns = INT64_MAX };

	l = life_after(&l, 2, UINT64_MAX, 0, INT64_MIN, CONFIRM);
	l = life_after(&l, 3, 0, UINT64_MAX, INT64_MAX, CONFIRM);
	l = life_after(&l, 4, 0, UINT64_MAX, INT64_MIN, CONFIRM);
	ck_assert_int_eq(l.now, INT64_MAX);
}
END_TEST

/* The clock is 8 days ahead for a while: no window goes. Then they get old as windows do. */
START_TEST(a_clock_that_is_set)
{
	int64_t at = KNOWN_START;

	store_keep(store, (uint64_t)(7 * DAY), 0);
	for (int i = 0; i < 10; i++)
		save(at += 30 * SECOND, 0, 0);
	save(at += 30 * SECOND + 8 * DAY, 8 * DAY, 0);
	save(at += 30 * SECOND, 0, 0);
	save(at += 30 * SECOND - 8 * DAY, -8 * DAY, 0);
	ck_assert_uint_eq(stored(), 13);
	ck_assert_int_eq(number("SELECT count(*) FROM windows WHERE stepped_ns > 0"), 1);
	/* a clock of the year 1970, for longer than that */
	save(30 * SECOND, 30 * SECOND - at, 0);
	for (int i = 2; i < 8; i++)
		save(i * 30 * SECOND + i * DAY / 4, 0, 0);
	ck_assert_uint_eq(stored(), 20);
	/* and set right: what is older than a week is so by all windows since */
	save(at + 2 * DAY, at, 0);
	save(at + 7 * DAY - 600 * SECOND, 0, 0);
	ck_assert_uint_eq(stored(), 22);
	save(at + 7 * DAY, 0, 0);
	ck_assert_uint_lt(stored(), 15);
	ck_assert_uint_gt(stored(), 8);
}
END_TEST

/* A window that could not be saved takes nothing with it that the next ones need. */
START_TEST(a_step_that_was_not_saved)
{
	_cleanup_(profile_freep) struct profile *lost = NULL;
	int64_t at = KNOWN_START;
	sqlite3 *db = NULL;

	store_keep(store, (uint64_t)(7 * DAY), 0);
	for (int i = 0; i < 10; i++)
		save(at += 30 * SECOND, 0, 0);
	lost = window(at += 30 * SECOND + 8 * DAY, 0);
	lost->stepped_ns = 8 * DAY;
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_busy_timeout(store->db, 50);
	ck_assert_int_eq(store_save(store, lost), -EAGAIN);
	ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	save(at += 30 * SECOND, 0, 0);
	ck_assert_uint_eq(stored(), 11);
	ck_assert_int_eq(number("SELECT stepped_ns FROM windows ORDER BY id DESC"), 8 * DAY);
}
END_TEST

/*
 * The clock is wrong when the machine starts: what is old by it alone goes when it was not set for
 * ten minutes.
 */
START_TEST(away_for_years)
{
	int64_t at = KNOWN_START;

	store_keep(store, (uint64_t)(7 * DAY), 0);
	for (int i = 0; i < 10; i++)
		save(at += 30 * SECOND, 0, 0);
	reopen();
	store_keep(store, (uint64_t)(7 * DAY), 0);
	save(at + 20 * YEAR, 0, 0);
	save(at + 20 * YEAR + 60 * SECOND, 0, 0);
	reopen();
	store_keep(store, (uint64_t)(7 * DAY), 0);
	save(at + 20 * YEAR + 90 * SECOND, 0, 0);
	ck_assert_uint_eq(stored(), 13);
	save(at + 20 * YEAR + 800 * SECOND, 0, 0);
	ck_assert_uint_eq(stored(), 4);
}
END_TEST

static char *news(enum store_news what)
{
	return store_news(store, what);
}

/* A store that fills within an hour: an eighth goes, and it is said. */
START_TEST(full_within_an_hour)
{
	const uint64_t most = 16 << 20;
	uint64_t before = 0, dropped = 0;
	struct store_facts f;
	int times = 0;

	store_keep(store, (uint64_t)(7 * DAY), most);
	for (int i = 0; i < 110; i++) {
		save((int64_t)KNOWN_START + i * 30 * SECOND, 0, 500);
		ck_assert_int_eq(store_facts(store, &f), 0);
		ck_assert_uint_le(f.bytes, most);
		if (f.windows <= before) {
			_cleanup_free_ char *text = news(STORE_NEWS_FULL);

			ck_assert_uint_ge(f.windows, before * 3 / 4);
			ck_assert_ptr_nonnull(text);
			ck_assert_ptr_nonnull(strstr(text, "max_store (16 MB)"));
			ck_assert_uint_gt(f.dropped, dropped);
			times++;
		} else {
			ck_assert_uint_eq(f.windows, before + 1);
			ck_assert_uint_eq(f.dropped, dropped);
		}
		before = f.windows;
		dropped = f.dropped;
	}
	ck_assert_int_ge(times, 3);
	ck_assert_uint_gt(before, 15);
	ck_assert_uint_eq(before + dropped, 110);
	/* no more is left of what went than some windows' worth */
	ck_assert_int_lt(number("SELECT sum(n) FROM (SELECT max(functions) AS n FROM additions"
				" GROUP BY id >> 20)"),
			 500 * (int64_t)(before + 8));
}
END_TEST

/* Somebody reads and does not end; returns the windows that he sees at the end, or -errno. */
static pid_t read_on(int *ret_go, int *ret_told)
{
	int go[2], said[2];
	pid_t pid;
	char c = 0;

	ck_assert(pipe(go) == 0 && pipe(said) == 0);
	pid = fork();
	if (pid == 0) {
		sqlite3_stmt *st = NULL;
		sqlite3 *db = NULL;
		int64_t n[2] = { -1, -2 };

		close(go[1]);
		sqlite3_open(path, &db);
		sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
		for (int i = 0; i < 2; i++) {
			sqlite3_prepare_v2(db,
					   "SELECT count(*) * 1000000 + sum(length(data)) FROM"
					   " counts",
					   -1, &st, NULL);
			if (sqlite3_step(st) == SQLITE_ROW)
				n[i] = sqlite3_column_int64(st, 0);
			sqlite3_finalize(st);
			if (i == 0 && (write(said[1], &c, 1) != 1 || read(go[0], &c, 1) < 0))
				break;
		}
		_exit(n[0] == n[1] && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK &&
				      sqlite3_close(db) == SQLITE_OK ?
			      0 :
			      1);
	}
	close(go[0]);
	close(said[1]);
	*ret_go = go[1];
	*ret_told = said[0];
	ck_assert_int_eq(read(said[0], &c, 1), 1);
	return pid;
}

START_TEST(a_reader_that_stays)
{
	const uint64_t most = 16 << 20, bound = most / 8;
	_cleanup_free_ char *text = NULL;
	int go, said, status, i, behind = 0;
	struct store_facts f;
	char name[40];
	pid_t pid;

	store_keep(store, (uint64_t)(7 * DAY), most);
	for (i = 0; i < 4; i++)
		save((int64_t)KNOWN_START + i * 30 * SECOND, 0, 250);
	pid = read_on(&go, &said);
	sqlite3_busy_timeout(store->db, 50);
	for (; i < 40 && !behind; i++) {
		save((int64_t)KNOWN_START + i * 30 * SECOND, 0, 250);
		ck_assert_int_eq(store_facts(store, &f), 0);
		ck_assert_uint_le(f.wal_bytes, bound);
		text = news(STORE_NEWS_READER);
		behind += text != NULL;
	}
	ck_assert_int_eq(behind, 1);
	snprintf(name, sizeof(name), "process %d", (int)pid);
	ck_assert_msg(strstr(text, name) != NULL, "%s", text);
	/* all is there, for whoever comes now */
	ck_assert_uint_eq(f.windows, (uint64_t)i);
	ck_assert_int_eq(number("SELECT count(*) FROM windows"), i);
	ck_assert_int_eq(
		number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"),
		1);
	ck_assert_int_eq(number("PRAGMA auto_vacuum"), 2);
	/* and once is enough */
	for (int k = 0; k < 20; k++, i++)
		save((int64_t)KNOWN_START + i * 30 * SECOND, 0, 250);
	ck_assert_ptr_null(news(STORE_NEWS_READER));
	ck_assert_int_eq(store_facts(store, &f), 0);
	ck_assert_uint_le(f.wal_bytes, bound);
	/* he saw the same all the time, and when he ends he takes nothing with him */
	close(go);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(said);
	save((int64_t)KNOWN_START + i * 30 * SECOND, 0, 250);
	reopen();
	ck_assert_uint_eq(stored(), (uint64_t)i + 1);
	ck_assert_ptr_null(store_news(store, STORE_NEWS_DAMAGED));
}
END_TEST

/* plopd was killed while a copy took the database's place. */
START_TEST(killed_between)
{
	char copy[160];

	save((int64_t)KNOWN_START, 0, 10);
	store_close(store);
	store = NULL;
	snprintf(copy, sizeof(copy), "%s.copy", path);
	ck_assert_int_eq(rename(path, copy), 0);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_uint_eq(stored(), 1);
	/* before it had begun to: the copy may be half */
	fclose(fopen(copy, "w"));
	reopen();
	ck_assert_uint_eq(stored(), 1);
	ck_assert_int_lt(access(copy, F_OK), 0);
}
END_TEST

/* The same where plop.db is a link, which leads nowhere then. */
START_TEST(killed_between_behind_links)
{
	char real[160], copy[170], hop[160];
	struct stat sb;

	snprintf(real, sizeof(real), "%s/elsewhere.db", dir.path);
	snprintf(copy, sizeof(copy), "%s.copy", real);
	snprintf(hop, sizeof(hop), "%s/hop.db", dir.path);
	save((int64_t)KNOWN_START, 0, 10);
	store_close(store);
	store = NULL;
	ck_assert_int_eq(rename(path, copy), 0);
	ck_assert_int_eq(symlink(hop, path), 0);
	ck_assert_int_eq(symlink("elsewhere.db", hop), 0);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_uint_eq(stored(), 1);
	ck_assert_int_eq(lstat(real, &sb), 0);
	ck_assert(S_ISREG(sb.st_mode));
	ck_assert_int_lt(access(copy, F_OK), 0);
	fclose(fopen(copy, "w"));
	reopen();
	ck_assert_uint_eq(stored(), 1);
	ck_assert_int_lt(access(copy, F_OK), 0);
	/* the links are as they were; those that lead nowhere end the search */
	ck_assert(lstat(path, &sb) == 0 && S_ISLNK(sb.st_mode));
	store_close(store);
	store = NULL;
	ck_assert_int_eq(unlink(hop), 0);
	ck_assert_int_eq(symlink(path, hop), 0);
	ck_assert_int_lt(store_open(dir.path, &store, NULL), 0);
}
END_TEST

START_TEST(reading_has_an_end)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	struct profile *p = NULL;

	for (int i = 0; i < 3; i++)
		save((int64_t)KNOWN_START + i * 30 * SECOND, 0, 1000);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	store_reader_stay(reader, 1);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), -ETIME);
	ck_assert_ptr_null(p);
	store_reader_stay(reader, STORE_READ_NS);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), 0);
	profile_free(p);
}
END_TEST

/* Windows that are saved meanwhile wait for no more than a step of it. */
START_TEST(dictionaries_go_by_and_by)
{
	static const char additions[] = "SELECT count(*) FROM additions";
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;

	for (int i = 0; i < 8; i++)
		save((int64_t)KNOWN_START + i * 30 * SECOND, 0, 500);
	ck_assert_int_eq(number(additions), 8);
	/* the windows of a dictionary have gone */
	store_forget_dictionaries(store);
	save((int64_t)KNOWN_START + 8 * 30 * SECOND, 0, 500);
	ck_assert_int_eq(db_exec(store->db, "DELETE FROM counts WHERE id < 9;"
					    "DELETE FROM windows WHERE id < 9"),
			 0);
	store->prunes = true;
	/* no time, no step */
	ck_assert_int_eq(prune_step(store, 1), 0);
	ck_assert_int_eq(number(additions), 9);
	ck_assert(store_is_mending(store));
	save((int64_t)KNOWN_START + 9 * 30 * SECOND, 0, 500);
	/* a plopd that begins has it to do as well */
	reopen();
	ck_assert(store_is_mending(store));
	do {
		ck_assert_int_eq(store_check(store), 0);
	} while (store_is_mending(store));
	ck_assert_int_eq(number(additions), 2);
	ck_assert_int_le(number("PRAGMA freelist_count"), 256);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), 0);
}
END_TEST

CHECK_MAIN_WITH("store/keep", setup, teardown, time_that_passed, time_out_of_a_broken_file,
		a_clock_that_is_set, a_step_that_was_not_saved, away_for_years, full_within_an_hour,
		a_reader_that_stays, killed_between, killed_between_behind_links,
		reading_has_an_end, dictionaries_go_by_and_by);
