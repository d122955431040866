/* SPDX-License-Identifier: BSD-2-Clause */
#include <sqlite3.h>

#include "opened.h"
#include "store/backup.h"
#include "store/follow.h"

/* By a connection of its own. */
static void run(const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* The next window's place, which becomes *at; its end is that of window n. */
static void expect_next(struct store_place *at, unsigned int n)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct store_place next;
	struct head h;

	ck_assert_int_eq(store_follow(reader, at, &h, &next), 0);
	ck_assert_uint_eq(h.end_ns, KNOWN_START + (n + 1) * 30 * NSEC_PER_SEC);
	ck_assert_int_eq(h.id, next.id);
	ck_assert_int_eq(store_followed(reader, &next, &p), 0);
	ck_assert_uint_eq(p->samples_total, KNOWN_TOTAL);
	*at = next;
}

static void expect_none(const struct store_place *at)
{
	struct store_place next;
	uint64_t behind = 9;
	struct head h;

	ck_assert_int_eq(store_follow(reader, at, &h, &next), -ENOENT);
	ck_assert_int_eq(store_behind(reader, at, &behind), 0);
	ck_assert_uint_eq(behind, 0);
}

START_TEST(each_window_once_and_in_order)
{
	struct store_place at = {};
	uint64_t behind;

	expect_none(&at);
	for (unsigned int i = 0; i < 3; i++)
		save(i);
	ck_assert_int_eq(store_behind(reader, &at, &behind), 0);
	ck_assert_uint_eq(behind, 3);
	for (unsigned int i = 0; i < 3; i++)
		expect_next(&at, i);
	expect_none(&at);
	save(3);
	expect_next(&at, 3);
}
END_TEST

/* As where it was told to be an hour earlier: ids go on. */
START_TEST(a_clock_that_was_set_back_hides_nothing)
{
	struct store_place at = {};

	save(200);
	expect_next(&at, 200);
	save(80);
	expect_next(&at, 80);
	expect_none(&at);
}
END_TEST

START_TEST(windows_that_went_are_passed)
{
	struct store_place at = {};

	for (unsigned int i = 0; i < 4; i++)
		save(i);
	expect_next(&at, 0);
	run("DELETE FROM windows WHERE id < 4");
	expect_next(&at, 3);
	expect_none(&at);
}
END_TEST

static void open_again(void)
{
	store_reader_close(reader);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
}

/* Another file has a writer of its own: what ended later goes on. */
START_TEST(another_file_goes_on_by_time)
{
	struct store_place at = {};

	for (unsigned int i = 0; i < 3; i++)
		save(i);
	while (at.id < 3)
		expect_next(&at, (unsigned int)at.id);
	store_close(store);
	run("DELETE FROM windows; DELETE FROM counts; UPDATE meta SET value = value + 1 WHERE key "
	    "= 'writer'");
	open_again();
	save(1);
	expect_none(&at);
	save(7);
	expect_next(&at, 7);
}
END_TEST

/* An older copy that was put back has the writer that it had, and other windows of the same ids. */
START_TEST(a_file_of_before_goes_on_by_time)
{
	struct store_place at = {};

	for (unsigned int i = 0; i < 3; i++)
		save(i);
	while (at.id < 3)
		expect_next(&at, (unsigned int)at.id);
	store_close(store);
	run("DELETE FROM windows WHERE id > 1; DELETE FROM counts WHERE id > 1");
	open_again();
	expect_none(&at);
	/* ids 2, 3 and 4 of another time */
	for (unsigned int i = 5; i < 8; i++)
		save(i);
	for (unsigned int i = 5; i < 8; i++)
		expect_next(&at, i);
	expect_none(&at);
}
END_TEST

START_TEST(a_writer_is_given_once_and_copied)
{
	_cleanup_(store_reader_closep) struct store_reader *copied = NULL;
	struct store_facts facts;
	uint64_t writer, again;
	char path[128];
	struct dir to;

	save(0);
	ck_assert_int_eq(store_writer(reader, &writer), 0);
	store_close(store);
	open_again();
	ck_assert_int_eq(store_writer(reader, &again), 0);
	ck_assert_uint_eq(writer, again);
	dir_make(&to);
	snprintf(path, sizeof(path), "%s/plop.db", to.path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(store_backup(reader, path, NULL, &facts), 0);
	ck_assert_int_eq(store_reader_open(to.path, &copied, NULL), 0);
	ck_assert_int_eq(store_writer(copied, &again), 0);
	ck_assert_uint_eq(writer, again);
	/* one of before has none until plopd opens it */
	store_close(store);
	run("DELETE FROM meta WHERE key = 'writer'");
	ck_assert_int_eq(store_writer(reader, &again), -ENOENT);
	open_again();
	ck_assert_int_eq(store_writer(reader, &again), 0);
	dir_done(&to);
}
END_TEST

CHECK_MAIN_WITH("store/follow", setup, teardown, each_window_once_and_in_order,
		a_clock_that_was_set_back_hides_nothing, windows_that_went_are_passed,
		another_file_goes_on_by_time, a_file_of_before_goes_on_by_time,
		a_writer_is_given_once_and_copied);
