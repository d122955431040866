/* SPDX-License-Identifier: BSD-2-Clause */
#include <sqlite3.h>

#include "check_main.h"
#include "dir.h"
#include "drawn.h"
#include "store/fsck.h"
#include "store/store.h"

/* Whether a plop.db is sound is found out, and what is wrong is named. */
static struct dir dir;
static char path[128];
static struct store *store;

#define BEGIN   (UINT64_C(1700006400) * NSEC_PER_SEC)
#define LENGTH  (60 * NSEC_PER_SEC)
#define WINDOWS 400 /* six hours are 360 */

static void setup(void)
{
	dir_make(&dir);
	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_roll_up(store, 0, 0);
	state = 3;
	for (uint64_t i = 0; i < WINDOWS; i++) {
		struct profile *p = drawn_window(BEGIN + i * LENGTH, LENGTH);

		ck_assert_int_eq(store_save(store, p), 0);
		profile_free(p);
	}
	do {
		ck_assert_int_eq(store_check(store), 0);
	} while (store_is_mending(store));
}

static void teardown(void)
{
	store_close(store);
	dir_done(&dir);
}

static void run(const char *sql)
{
	sqlite3 *db = NULL;
	char *error = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK, "%s: %s", sql, error);
	sqlite3_close(db);
}

/* What is said: faults, and what is none. */
struct said {
	struct buf faults, notes;
};

static void tell(void *ctx, bool fault, const char *sentence)
{
	struct said *s = ctx;

	buf_printf(fault ? &s->faults : &s->notes, "%s\n", sentence);
}

static void looked(const char *what, uint64_t faults, const char *words)
{
	_cleanup_free_ char *text = NULL;
	struct said s = {};
	struct fsck f = { .tell = tell, .ctx = &s };

	ck_assert_int_eq(store_fsck(path, &f), 0);
	text = buf_string(words ? &s.faults : &s.notes);
	ck_assert_msg(f.faults == faults, "%s: %llu faults: %s", what, (unsigned long long)f.faults,
		      text);
	ck_assert_msg(words ? strstr(text, words) != NULL : !*text, "%s: %s", what, text);
	if (!faults) {
		ck_assert_uint_eq(f.windows, WINDOWS);
		ck_assert_uint_ge(f.rollups, WINDOWS / 10 - 1);
	}
	buf_free(&s.faults);
	buf_free(&s.notes);
}

/* Each of these is done, found, and undone. */
static const struct {
	const char *harm, *mend;
	uint64_t faults;
	const char *words;
} harms[] = {
	{ "UPDATE counts SET data = zeroblob(length(data)) WHERE id = 7", NULL, 1,
	  "window 7 cannot be read" },
	{ "DELETE FROM counts WHERE id = 8", NULL, 1, "window 8 cannot be read" },
	{ "UPDATE counts SET id = 1000 WHERE id = 9", "UPDATE counts SET id = 9 WHERE id = 1000", 2,
	  "rows of counts that belong to no window and no roll-up: 1" },
	{ "UPDATE windows SET samples = samples + 1 WHERE id = 21",
	  "UPDATE windows SET samples = samples - 1 WHERE id = 21", 2, "window 21 cannot be read" },
	{ "UPDATE windows SET lost_fault = lost_fault + 1 WHERE id = 22",
	  "UPDATE windows SET lost_fault = lost_fault - 1 WHERE id = 22", 1,
	  "has not the sums of windows" },
	{ "UPDATE rollups SET other = other + 1 WHERE tier = 2",
	  "UPDATE rollups SET other = other - 1 WHERE tier = 2", 1, "has not the sums of windows" },
	{ "UPDATE rollups SET first = first - 1 WHERE tier = 1 AND first = 31",
	  "UPDATE rollups SET first = first + 1 WHERE tier = 1 AND first = 30", 2,
	  "windows 30 to 30 are in two roll-ups of one tier" },
	{ "UPDATE sums SET hash = hash + 1", "UPDATE sums SET hash = hash - 1", 1,
	  "the sums by name of roll-up -39 cannot be read" },
	{ "UPDATE sums SET id = -10000", "UPDATE sums SET id = -39", 1,
	  "rows of sums that belong to no roll-up of six hours: 1" },
	{ "UPDATE windows SET start_ns = end_ns + 1 WHERE id = 400",
	  "UPDATE windows SET start_ns = end_ns - 60000000000 WHERE id = 400", 1,
	  "window 400 ends before it begins" },
};

START_TEST(what_is_wrong_is_named)
{
	char save[80];

	looked("sound", 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(harms); i++) {
		/* what cannot be undone is put back */
		snprintf(save, sizeof(save), "CREATE TABLE was AS SELECT * FROM counts");
		run(save);
		run(harms[i].harm);
		looked(harms[i].harm, harms[i].faults, harms[i].words);
		run(harms[i].mend ? harms[i].mend :
				    "INSERT OR REPLACE INTO counts SELECT * FROM was");
		run("DROP TABLE was");
		looked("sound again", 0, NULL);
	}
}
END_TEST

START_TEST(dictionaries)
{
	struct said s = {};
	struct fsck f = { .tell = tell, .ctx = &s };
	_cleanup_free_ char *text = NULL;

	/* a bit of an addition, which windows and roll-ups rely on */
	run("UPDATE additions SET hash = hash + 1 WHERE id = (SELECT min(id) FROM additions)");
	ck_assert_int_eq(store_fsck(path, &f), 0);
	text = buf_string(&s.faults);
	ck_assert_ptr_nonnull(strstr(text, "dictionary 1 is damaged: its addition 0"));
	ck_assert_ptr_nonnull(strstr(text, "window 1 cannot be read"));
	buf_free(&s.faults);
	buf_free(&s.notes);
	/* not all are told */
	ck_assert_uint_gt(f.faults, FSCK_TOLD_MOST);
}
END_TEST

/* What needs no mending is said, and is no fault. */
START_TEST(what_is_left_over)
{
	_cleanup_free_ char *text = NULL;
	struct said s = {};
	struct fsck f = { .tell = tell, .ctx = &s };

	run("INSERT INTO additions SELECT (1000 << 20) + id % 1048576, texts, functions, frames,"
	    " nodes, processes, hash, data FROM additions LIMIT 0");
	run("DELETE FROM counts WHERE id IN (SELECT id FROM rollups WHERE tier = 2)");
	run("DELETE FROM rollups WHERE tier = 2");
	run("DELETE FROM sums");
	ck_assert_int_eq(store_fsck(path, &f), 0);
	ck_assert_uint_eq(f.faults, 0);
	text = buf_string(&s.notes);
	ck_assert_ptr_nonnull(strstr(text, "dictionaries that no window has any more"));
	buf_free(&s.notes);
}
END_TEST

START_TEST(files)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *text = NULL;
	struct said s = {};
	struct fsck f = { .tell = tell, .ctx = &s };

	store_close(TAKE_PTR(store));
	run("PRAGMA wal_checkpoint(TRUNCATE)");
	/* half of a page */
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, (char[2048]){}, 2048, 40 * 4096), 2048);
	ck_assert_int_eq(store_fsck(path, &f), 0);
	ck_assert_uint_gt(f.faults, 0);
	text = buf_string(&s.faults);
	ck_assert_ptr_nonnull(strstr(text, "SQLite finds it damaged: "));
	ck_assert_ptr_null(strstr(text, "***"));
	ck_assert_ptr_null(strstr(text, "damaged: \n"));
	ck_assert_int_eq(pwrite(fd, (char[4096]){ 'x' }, 4096, 0), 4096);
	ck_assert_int_eq(store_fsck(path, &f), -EBADMSG);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(store_fsck(path, &f), -ENOENT);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(store_fsck(path, &f), -ENOENT);
	run("PRAGMA application_id = 1886154608; PRAGMA user_version = 1000");
	ck_assert_int_eq(store_fsck(path, &f), -EPROTO);
	buf_free(&s.faults);
	buf_free(&s.notes);
	/* teardown closes it */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
}
END_TEST

CHECK_MAIN_WITH("store/fsck", setup, teardown, what_is_wrong_is_named, dictionaries,
		what_is_left_over, files);
