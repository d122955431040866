/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "noise.h"
#include "opened.h"
#include "sql.h"
#include "store/backup.h"

/* A copy is whole, is of one moment, and makes nobody wait. */
static char copy[128];
static unsigned int windows;

/* A window with some 70 kB of its own, n after the first. */
static void save_large(unsigned int n)
{
	_cleanup_(profile_freep) struct profile *p = window(n);
	char name[720];

	for (unsigned int i = 0; i < 100; i++) {
		noise_put(name, 700);
		known_add(p, 0, 1, (uint32_t[]){ known_frame(p, name, "/srv/generated.py", 1, 1) },
			  1, 1);
	}
	ck_assert_int_eq(store_save(store, p), 0);
}

static void setup_large(void)
{
	setup();
	snprintf(copy, sizeof(copy), "%s/copy", dir.path);
	fclose(fopen(copy, "w"));
	for (windows = 0; windows < 40; windows++)
		save_large(windows);
}

static int64_t number(const char *sql)
{
	return sql_number(copy, sql);
}

static unsigned int steps;

/* plopd saves while it is copied: between all steps. */
static bool save_meanwhile(void)
{
	steps++;
	save_large(windows++);
	ck_assert_int_eq(store_check(store), 0);
	return false;
}

START_TEST(one_moment)
{
	struct store_facts f = {};
	unsigned int before = windows;

	ck_assert_int_eq(store_backup(reader, copy, save_meanwhile, &f), 0);
	/* once for each part, and not begun anew */
	ck_assert_uint_ge(steps, 2);
	ck_assert_uint_eq(steps, f.bytes / 4096 / BACKUP_PAGES);
	ck_assert_uint_eq(f.windows, before);
	ck_assert_uint_gt(windows, before);
	ck_assert_int_eq(number("SELECT count(*) FROM windows"), before);
	ck_assert_int_eq(
		number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"),
		1);
	ck_assert_int_eq(number("PRAGMA auto_vacuum"), 2);
}
END_TEST

START_TEST(a_copy_is_a_store)
{
	_cleanup_(profile_freep) struct profile *was = NULL, *is = NULL;
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct store_facts f;
	char path[128];

	ck_assert_int_eq(store_backup(reader, copy, NULL, &f), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &was), 0);
	before = text(was, "collapsed");
	store_reader_close(TAKE_PTR(reader));
	store_close(TAKE_PTR(store));
	/* it takes the place of what is there */
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/plop.db%s", dir.path,
			 (const char *[]){ "-wal", "-shm", "" }[i]);
		ck_assert_int_eq(unlink(path), 0);
	}
	ck_assert_int_eq(rename(copy, path), 0);
	/* to be read before plopd has it, and after that */
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &is), 0);
	after = text(is, "collapsed");
	ck_assert_str_eq(before, after);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_ptr_null(store_news(store, STORE_NEWS_DAMAGED));
	save_large(windows++);
	ck_assert_int_eq(store_reader_facts(reader, &f), 0);
	ck_assert_uint_eq(f.windows, windows);
}
END_TEST

static bool stop_now(void)
{
	return true;
}

START_TEST(what_ends_it)
{
	struct store_facts f = { .windows = 7 };
	struct rlimit l;

	ck_assert_int_eq(store_backup(reader, copy, stop_now, &f), -ECANCELED);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = 1 << 20;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
	ck_assert_int_eq(truncate(copy, 0), 0);
	ck_assert_int_eq(store_backup(reader, copy, NULL, &f), -ENOSPC);
	l.rlim_cur = l.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
	ck_assert_uint_eq(f.windows, 7);
	/* and the reader is as good as before */
	ck_assert_int_eq(truncate(copy, 0), 0);
	ck_assert_int_eq(store_backup(reader, copy, NULL, &f), 0);
	ck_assert_uint_eq(f.windows, windows);
}
END_TEST

CHECK_MAIN_WITH("store/backup", setup_large, teardown, one_moment, a_copy_is_a_store, what_ends_it);
