/* SPDX-License-Identifier: BSD-2-Clause */
#include <sqlite3.h>

#include "../format/known.h"
#include "check_main.h"
#include "dir.h"
#include "store/store.h"

/*
 * What becomes of plop.db when it is damaged or removed: all is kept that can be, saving goes on,
 * and it is said.
 */
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

/* The known profile as a window of 30 s, with some functions of its own. */
static int save(unsigned int n)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	char name[40];

	p->start_ns = KNOWN_START + n * 30 * NSEC_PER_SEC;
	p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
	for (unsigned int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "function_%u_%u", n, i);
		known_add(p, 0, 1, (uint32_t[]){ known_frame(p, name, "/srv/generated.py", 1, 1) },
			  1, 1);
	}
	return store_save(store, p);
}

/* The number of windows that a reader sees, or a negative errno. */
static int seen(void)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	int r = store_reader_open(dir.path, &reader, NULL);

	if (r == 0)
		r = store_profile(reader, 0, UINT64_MAX, NULL, &p);
	return r < 0 ? r : (int)(p->samples_total / (KNOWN_TOTAL + 300));
}

static uint64_t stored(void)
{
	struct store_facts f;

	ck_assert_int_eq(store_facts(store, &f), 0);
	return f.windows;
}

static void told(const char *words)
{
	_cleanup_free_ char *text = store_news(store, STORE_NEWS_DAMAGED);

	ck_assert_msg(text && strstr(text, words) && strstr(text, path), "%s, not %s", text, words);
}

/* All was taken over that can be. */
static void mended(void)
{
	do {
		ck_assert_int_eq(store_check(store), 0);
	} while (store_is_mending(store));
}

/* The one file that was set aside for that reason; its name. */
static const char *aside(const char *why)
{
	static char name[256];
	DIR *list = opendir(dir.path);
	int n = 0;

	for (struct dirent *e; (e = readdir(list));) {
		size_t end = strlen(e->d_name), length = strlen(why);

		if (strncmp(e->d_name, "plop.db.2", 9) != 0 || end < length ||
		    !streq(e->d_name + end - length, why))
			continue;
		snprintf(name, sizeof(name), "%s", e->d_name);
		n++;
	}
	closedir(list);
	ck_assert_int_eq(n, 1);
	return name;
}

/* All of the file is in the file, none in the WAL. */
static void checkpoint(void)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
}

static void write_at(long at, const char *bytes, size_t size)
{
	FILE *f = fopen(path, "r+");

	ck_assert_ptr_nonnull(f);
	fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
	ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
	fclose(f);
}

static void garbage(void)
{
	static char bytes[20000];

	memset(bytes, 0xa5, sizeof(bytes));
	write_at(0, bytes, sizeof(bytes));
}

static void halve(void)
{
	struct stat sb;

	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_int_eq(truncate(path, sb.st_size / 2 / 4096 * 4096), 0);
}

static void shorten(void)
{
	ck_assert_int_eq(truncate(path, 1000), 0);
}

static void others(void)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE mine(x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void folder(void)
{
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

/* A database of plop, by its header, that has no tables. */
static void hollow(void)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "DROP TABLE meta", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static const struct damaged {
	void (*damage)(void);
	const char *why, *words;
	bool running; /* can be seen by a plopd that runs as well */
} cases[] = {
	{ garbage, ".not-a-database", "is not a database", true },
	{ halve, ".truncated", "was truncated", true },
	{ shorten, ".truncated", "was truncated", true },
	{ others, ".of-another-program", "database of another program", true },
	{ folder, ".not-a-file", "is not a file", true },
	{ hollow, ".contradicts-itself", "contradict", false },
};

/* What was damaged is there byte for byte, under another name. */
static void check_damaged(const struct damaged *c, bool running)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct stat sb;
	size_t size, size_after;

	for (unsigned int i = 0; i < 8; i++)
		ck_assert_int_eq(save(i), 0);
	checkpoint();
	if (!running) {
		store_close(store);
		store = NULL;
	}
	c->damage();
	ck_assert_int_eq(stat(path, &sb), 0);
	if (S_ISREG(sb.st_mode))
		before = dir_read(&dir, "plop.db", &size);
	if (!running)
		ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_int_eq(save(8), 0);
	told(c->words);
	ck_assert_int_eq(seen(), 1);
	ck_assert_uint_eq(stored(), 1);
	after = before ? dir_read(&dir, aside(c->why), &size_after) : NULL;
	ck_assert_msg(!before || (after && size == size_after && memcmp(before, after, size) == 0),
		      "%s", c->why);
	/* and whatever of it can still be read is in the new one at last */
	mended();
	ck_assert_int_eq(save(9), 0);
	ck_assert_uint_ge(stored(), 2);
	ck_assert_int_eq(seen(), (int)stored());
	free(store_news(store, STORE_NEWS_DAMAGED));
	ck_assert_int_eq(store_check(store), 0);
	ck_assert_ptr_null(store_news(store, STORE_NEWS_DAMAGED));
	if (!before) {
		char name[300];

		snprintf(name, sizeof(name), "%s/%s", dir.path, aside(c->why));
		ck_assert_int_eq(rmdir(name), 0);
	}
}

START_TEST(damaged_before_the_start)
{
	check_damaged(&cases[_i], false);
}
END_TEST

START_TEST(damaged_while_it_runs)
{
	if (cases[_i].running)
		check_damaged(&cases[_i], true);
}
END_TEST

/* A file without a byte is a new one, unless there is a WAL, which no new one has. */
START_TEST(emptied)
{
	_cleanup_free_ char *wal = NULL, *wal_after = NULL;
	char name[300];
	size_t size, size_after;

	ck_assert_int_eq(save(0), 0);
	wal = dir_read(&dir, "plop.db-wal", &size);
	store_close(store);
	store = NULL;
	ck_assert_int_eq(truncate(path, 0), 0);
	snprintf(name, sizeof(name), "%s-wal", path);
	FILE *f = fopen(name, "w");
	ck_assert_uint_eq(fwrite(wal, 1, size, f), size);
	fclose(f);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	told("was emptied");
	snprintf(name, sizeof(name), "%s-wal", aside(".emptied"));
	wal_after = dir_read(&dir, name, &size_after);
	ck_assert(wal_after && size == size_after && memcmp(wal, wal_after, size) == 0);
	ck_assert_int_eq(save(1), 0);
	ck_assert_int_eq(seen(), 1);
}
END_TEST

/* Bits flip where only a query comes by: it says whose damage it found. */
START_TEST(found_by_a_query)
{
	struct store_file file, now;

	for (unsigned int i = 0; i < 8; i++)
		ck_assert_int_eq(save(i), 0);
	checkpoint();
	ck_assert_int_eq(store_file(dir.path, &file), 0);
	for (long at = 4096; at < 40 * 4096; at += 4096)
		write_at(at, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	ck_assert_int_eq(seen(), -EBADMSG);
	ck_assert_int_eq(store_distrust(store, &file), 0);
	told("damaged");
	aside(".malformed");
	ck_assert_int_ge(seen(), 0);
	mended();
	ck_assert_int_eq(save(9), 0);
	ck_assert_int_ge(seen(), 1);
	/* one that began before sets nothing aside again */
	ck_assert_int_eq(store_distrust(store, &file), 0);
	ck_assert_int_ge(seen(), 1);
	ck_assert_int_eq(store_file(dir.path, &now), 0);
	ck_assert(now.ino != file.ino);
}
END_TEST

/* The place in the file of what that window added to the dictionary. */
static long find_addition(unsigned int window)
{
	_cleanup_free_ char *data = NULL;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	size_t size;
	char *at;

	data = dir_read(&dir, "plop.db", &size);
	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT data FROM additions WHERE id & 1023 = ?1",
					    -1, &st, NULL),
			 SQLITE_OK);
	sqlite3_bind_int64(st, 1, window);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
	ck_assert_int_gt(sqlite3_column_bytes(st, 0), 200);
	at = memmem(data, size, (const char *)sqlite3_column_blob(st, 0) + 100, 40);
	ck_assert_ptr_nonnull(at);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return at - data;
}

static void flip(long at)
{
	_cleanup_free_ char *data = NULL;
	size_t size;
	char bit;

	data = dir_read(&dir, "plop.db", &size);
	bit = data[at] ^ 1;
	write_at(at, &bit, 1);
}

/* One bit of what one window added: it is not shown, and all other windows are there. */
START_TEST(one_bit)
{
	_cleanup_free_ char *text = NULL;
	struct store_file file;

	for (unsigned int i = 0; i < 8; i++)
		ck_assert_int_eq(save(i), 0);
	checkpoint();
	ck_assert_int_eq(store_file(dir.path, &file), 0);
	flip(find_addition(3));
	ck_assert_int_eq(seen(), -EBADMSG);
	if (_i) {
		/* by the next plopd */
		store_close(store);
		store = NULL;
		ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	}
	ck_assert_int_eq(store_distrust(store, &file), 0);
	told("contradict");
	aside(".contradicts-itself");
	/* saving does not wait for it */
	ck_assert_int_eq(save(8), 0);
	mended();
	text = store_news(store, STORE_NEWS_DAMAGED);
	ck_assert_msg(text && strstr(text, "7 of its 8 windows"), "%s", text);
	ck_assert_int_eq(seen(), 8);
	ck_assert_int_eq(save(9), 0);
	ck_assert_int_eq(seen(), 9);
	/* they are as old as they were */
	store_keep(store, 4 * 30 * NSEC_PER_SEC, 0);
	ck_assert_int_eq(store_expire(store), 0);
	ck_assert_int_eq(seen(), 4);
}
END_TEST

static void remove_file(const char *suffix)
{
	char name[160];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	ck_assert_int_eq(unlink(name), 0);
}

START_TEST(removed)
{
	ck_assert_int_eq(save(0), 0);
	remove_file("");
	remove_file("-wal");
	remove_file("-shm");
	ck_assert_int_eq(store_check(store), 0);
	told("was removed");
	ck_assert_uint_eq(stored(), 0);
	ck_assert_int_eq(save(1), 0);
	ck_assert_int_eq(seen(), 1);
	/* the file alone, too: what is left of it does not get into the next */
	remove_file("");
	ck_assert_int_eq(save(2), 0);
	told("was removed");
	ck_assert_int_eq(seen(), 1);
	ck_assert_uint_eq(stored(), 1);
}
END_TEST

START_TEST(removed_with_its_directory)
{
	_cleanup_free_ char *parent = strdup(dir.path);
	struct dir deep;
	struct stat sb;

	store_close(store);
	snprintf(deep.path, sizeof(deep.path), "%.40s/deep", dir.path);
	ck_assert_int_eq(mkdir(deep.path, 0700), 0);
	ck_assert_int_eq(chmod(deep.path, 02750), 0);
	dir_done(&dir);
	dir = deep;
	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_int_eq(save(0), 0);
	dir_done(&dir);
	ck_assert_int_eq(save(1), 0);
	told("was removed");
	ck_assert_int_eq(stat(dir.path, &sb), 0);
	ck_assert_int_eq(sb.st_mode & 07777, 02750);
	ck_assert_int_eq(seen(), 1);
	/* there is nowhere to make it */
	dir_done(&dir);
	ck_assert_int_eq(rmdir(parent), 0);
	ck_assert_int_eq(save(2), -ENOENT);
	ck_assert_ptr_nonnull(strstr(store_trouble(store), dir.path));
	ck_assert_uint_eq(stored(), 0);
	ck_assert_int_eq(save(3), -ENOENT);
	ck_assert_int_eq(mkdir(parent, 0700), 0);
	ck_assert_int_eq(save(4), 0);
	ck_assert_int_eq(seen(), 1);
	dir_done(&dir);
	store_close(store);
	store = NULL;
	snprintf(dir.path, sizeof(dir.path), "%s", parent);
}
END_TEST

START_TEST(wal_and_shm_removed)
{
	ck_assert_int_eq(save(0), 0);
	remove_file("-wal");
	ck_assert_int_eq(save(1), 0);
	told("nothing is lost");
	ck_assert_int_eq(seen(), 2);
	remove_file("-shm");
	remove_file("-wal");
	ck_assert_int_eq(save(2), 0);
	told("nothing is lost");
	ck_assert_int_eq(seen(), 3);
}
END_TEST

/* Whoever moves it away has all that was saved until then. */
START_TEST(moved_away)
{
	char to[160];
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;

	ck_assert_int_eq(save(0), 0);
	ck_assert_int_eq(save(1), 0);
	snprintf(to, sizeof(to), "%s/mine.db", dir.path);
	ck_assert_int_eq(rename(path, to), 0);
	ck_assert_int_eq(save(2), 0);
	told("was removed");
	ck_assert_int_eq(seen(), 1);
	ck_assert_int_eq(sqlite3_open(to, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM windows", -1, &st, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
	ck_assert_int_eq(sqlite3_column_int(st, 0), 2);
	sqlite3_finalize(st);
	sqlite3_close(db);
}
END_TEST

/* What was set aside takes no more than the store may, and the last of it stays. */
START_TEST(what_is_set_aside_is_bounded)
{
	static const char *const old[] = { "plop.db.20200101T000000Z.truncated",
					   "plop.db.20200101T000000Z.truncated-wal",
					   "plop.db.20210101T000000Z.malformed" };
	char name[200];
	struct stat sb;

	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir.path, old[i]);
		fclose(fopen(name, "w"));
		ck_assert_int_eq(truncate(name, 3 << 20), 0);
	}
	ck_assert_int_eq(save(0), 0);
	garbage();
	ck_assert_int_eq(save(1), 0);
	store_keep(store, 0, 4 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir.path, old[i]);
		ck_assert_int_eq(stat(name, &sb) == 0, i == 2);
	}
	aside(".not-a-database");
	garbage();
	ck_assert_int_eq(save(2), 0);
	store_keep(store, 0, 1);
	ck_assert_int_lt(stat(name, &sb), 0);
}
END_TEST

CHECK_LOOPS("store/damage", setup, teardown, { damaged_before_the_start, 0, ARRAY_SIZE(cases) },
	    { damaged_while_it_runs, 0, ARRAY_SIZE(cases) }, { emptied, 0, 1 },
	    { found_by_a_query, 0, 1 }, { one_bit, 0, 2 }, { removed, 0, 1 },
	    { removed_with_its_directory, 0, 1 }, { wal_and_shm_removed, 0, 1 },
	    { moved_away, 0, 1 }, { what_is_set_aside_is_bounded, 0, 1 });
