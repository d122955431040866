/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "dir.h"
#include "drawn.h"
#include "store/backup.h"
#include "store/fsck.h"
#include "store/internal.h"
#include "store/memos.h"
#include "store/schema.h"

static struct dir dir;
static char path[128];
static struct store *store;

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

static int put(enum store_memo which, const char *text)
{
	return store_put_memo(store, which, text, strlen(text));
}

static int read_in(const char *state_dir, enum store_memo which, struct buf *to)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;

	ck_assert_int_eq(store_reader_open(state_dir, &reader, NULL), 0);
	return store_read_memo(reader, which, to);
}

/* text NULL: there is none. */
static void expect_in(const char *state_dir, enum store_memo which, const char *text)
{
	_cleanup_buf_ struct buf b = {};
	int r = read_in(state_dir, which, &b);

	ck_assert_int_eq(r, text ? 0 : -ENOENT);
	ck_assert_uint_eq(b.size, text ? strlen(text) : 0);
	ck_assert(!b.size || memcmp(b.data, text, b.size) == 0);
}

static void expect(enum store_memo which, const char *text)
{
	expect_in(dir.path, which, text);
}

static void run(const char *sql)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void save_window(void)
{
	static uint64_t at = UINT64_C(1700000000) * NSEC_PER_SEC;
	_cleanup_(profile_freep) struct profile *p = drawn_window(at, 30 * NSEC_PER_SEC);

	at = p->end_ns;

	ck_assert_int_eq(store_save(store, p), 0);
}

START_TEST(the_last_one_is_there)
{
	_cleanup_free_ char *much = calloc(1, MEMO_MAX + 1);

	expect(MEMO_MARKS, NULL);
	ck_assert_int_eq(put(MEMO_MARKS, "{\"marks\":[]}"), 0);
	ck_assert_int_eq(put(MEMO_REGRESSIONS, "[]"), 0);
	expect(MEMO_MARKS, "{\"marks\":[]}");
	ck_assert_int_eq(put(MEMO_MARKS, "another"), 0);
	expect(MEMO_MARKS, "another");
	expect(MEMO_REGRESSIONS, "[]");
	ck_assert_int_eq(put(MEMO_MARKS, ""), 0);
	expect(MEMO_MARKS, "");
	ck_assert_int_eq(put(MEMO_MARKS, "last"), 0);
	ck_assert_int_eq(store_put_memo(store, MEMO_MARKS, much, MEMO_MAX + 1), -EFBIG);
	store_close(TAKE_PTR(store));
	expect(MEMO_MARKS, "last");
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	expect(MEMO_MARKS, "last");
}
END_TEST

/* Whatever becomes of the file while plopd runs, the next one has them. */
START_TEST(they_outlive_the_file)
{
	_cleanup_close_ int fd = -EBADF;

	save_window();
	ck_assert_int_eq(put(MEMO_MARKS, "marks"), 0);
	ck_assert_int_eq(unlink(path), 0);
	save_window();
	expect(MEMO_MARKS, "marks");
	expect(MEMO_REGRESSIONS, NULL);
	/* garbage in place of its head */
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, "garbage", 7, 0), 7);
	ck_assert_int_eq(put(MEMO_REGRESSIONS, "[1]"), 0);
	expect(MEMO_MARKS, "marks");
	expect(MEMO_REGRESSIONS, "[1]");
}
END_TEST

/* One that is damaged when plopd starts is read as far as that can be done. */
START_TEST(they_are_taken_over)
{
	_cleanup_free_ char *news = NULL;

	save_window();
	ck_assert_int_eq(put(MEMO_MARKS, "marks"), 0);
	ck_assert_int_eq(put(MEMO_REGRESSIONS, "[2]"), 0);
	store_close(TAKE_PTR(store));
	run("UPDATE memos SET data = x'00' WHERE id = 2; DROP TABLE rollups");
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	news = store_news(store, STORE_NEWS_DAMAGED);
	ck_assert_ptr_nonnull(news);
	expect(MEMO_MARKS, "marks");
	/* it is not what was written */
	expect(MEMO_REGRESSIONS, NULL);
}
END_TEST

START_TEST(a_backup_has_them)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_free_ char *copy = NULL;
	struct store_facts facts;
	struct dir other;

	ck_assert_int_eq(put(MEMO_MARKS, "marks"), 0);
	dir_make(&other);
	ck_assert_int_ge(asprintf(&copy, "%s/plop.db", other.path), 0);
	ck_assert_int_eq(close(open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_backup(reader, copy, NULL, &facts), 0);
	expect_in(other.path, MEMO_MARKS, "marks");
	dir_done(&other);
}
END_TEST

static void tell(void *ctx, bool fault, const char *sentence)
{
	buf_printf(ctx, "%s\n", sentence);
}

START_TEST(damage_is_found)
{
	_cleanup_buf_ struct buf said = {}, text = {};
	struct fsck f = { .tell = tell, .ctx = &said };

	save_window();
	ck_assert_int_eq(put(MEMO_MARKS, "marks"), 0);
	ck_assert_int_eq(store_fsck(path, &f), 0);
	ck_assert_uint_eq(f.faults, 0);
	run("UPDATE memos SET data = 'mark'");
	ck_assert_int_eq(read_in(dir.path, MEMO_MARKS, &text), -EBADMSG);
	ck_assert_int_eq(store_fsck(path, &f), 0);
	ck_assert_uint_eq(f.faults, 1);
	ck_assert_ptr_nonnull(memmem(said.data, said.size, "set by hand cannot be read", 26));
}
END_TEST

CHECK_MAIN_WITH("store/memos", setup, teardown, the_last_one_is_there, they_outlive_the_file,
		they_are_taken_over, a_backup_has_them, damage_is_found);
