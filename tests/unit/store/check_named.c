/* SPDX-License-Identifier: BSD-2-Clause */
#include <sqlite3.h>

#include "check_main.h"
#include "dir.h"
#include "drawn.h"
#include "store/fsck.h"
#include "store/internal.h"
#include "store/schema.h"

/* What functions of one name had is told by sums as it is by stacks, whoever asks. */
static struct dir dir;
static char path[128];
static struct store *store;

#define BEGIN  (UINT64_C(1700006400) * NSEC_PER_SEC)
#define LENGTH (300 * NSEC_PER_SEC)
#define HOURS  72 /* windows of six */
#define NAMES  9

static void setup(void)
{
	dir_make(&dir);
	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_roll_up(store, 0, 0);
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

static int64_t number(const char *sql)
{
	sqlite3 *db = NULL;
	int64_t n;

	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	ck_assert_int_eq(db_int(db, sql, &n), 0);
	sqlite3_close(db);
	return n;
}

/* Functions of a few names, which recur in a stack, in several files and on several lines. */
static uint32_t drawn_stack(struct profile *p, uint32_t frames[6])
{
	uint32_t depth = draw(6);
	char name[16], file[16];

	for (uint32_t i = 0; i < depth; i++) {
		snprintf(name, sizeof(name), "f%u", draw(NAMES));
		snprintf(file, sizeof(file), "/srv/%u.py", draw(3));
		frames[i] = known_frame(p, name, file, (int)draw(2), (int)draw(9));
	}
	return depth;
}

/* Processes of three users, of a few services and versions. */
static struct process_info drawn_process(char *service, char *cgroup)
{
	uint32_t who = draw(30);
	struct process_info info = known_process(100 + (pid_t)who, who % 5 ? "app" : "cron");

	sprintf(service, "service%u", who % 4);
	sprintf(cgroup, "/user.slice/%u", who % 3);
	info.service = service;
	info.cgroup = cgroup;
	info.uid = 1000 + who % 3;
	return info;
}

static struct profile *window(uint64_t start_ns)
{
	char service[16], cgroup[24];
	uint32_t frames[6], process;
	struct profile *p = NULL;

	ck_assert_int_eq(profile_new(start_ns, 100, &p), 0);
	p->end_ns = start_ns + LENGTH;
	for (uint32_t i = draw(24); i > 0; i--) {
		struct process_info info = drawn_process(service, cgroup);
		uint32_t depth = drawn_stack(p, frames);

		ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
		drawn_add(p, process, draw(3), frames, depth, 1 + draw(99));
	}
	return p;
}

static void save(uint64_t first, uint64_t n)
{
	for (uint64_t i = first; i < first + n; i++) {
		struct profile *p = window(BEGIN + i * LENGTH);

		ck_assert_int_eq(store_save(store, p), 0);
		profile_free(p);
	}
}

static void roll(void)
{
	do {
		ck_assert_int_eq(store_check(store), 0);
	} while (store_is_mending(store));
}

static int number_of(const struct dict_function *f, void *ctx, uint32_t *ret)
{
	*ret = streq(f->name, ctx) ? SUMS_NAMED : SUMS_OTHERS;
	return 0;
}

/* As a text: each unit of six hours. */
static int tell_unit(const struct sums *s, void *ctx)
{
	struct sum none = {};
	const struct sum *k = s->n > SUMS_NAMED ? &s->functions[SUMS_NAMED] : &none;

	buf_printf(ctx, "%llu-%llu at %u: %llu, %llu of %llu\n", (unsigned long long)s->start_ns,
		   (unsigned long long)s->end_ns, s->hz, (unsigned long long)k->self,
		   (unsigned long long)k->total, (unsigned long long)s->samples);
	return 0;
}

/* sums: by these, where there are any; else by stacks alone. */
static char *answer(char *name, const struct selectors *s, uint64_t from_ns, bool sums)
{
	const struct sums_of of = { .number = number_of, .name = sums ? name : NULL, .ctx = name };
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	store_reader_unit(reader, STORE_UNIT_HOURS);
	ck_assert_int_eq(store_each_sums(reader, from_ns, UINT64_MAX, s, &of, tell_unit, &b), 0);
	return buf_string(&b);
}

/* What is chosen: by what a program has, by what it has not, and by who asks. */
static const char *const chosen[][2] = {
	{ NULL },
	{ "service=service1", NULL },
	{ "service=service1", "service=service2" },
	{ "cgroup=/user.slice", "comm=cron" },
	{ "unit=none", NULL },
	{ "label.region=eu", NULL },
	{ "pid=104", NULL },
	{ "thread=2", NULL },
	{ "gil=released", NULL },
	{ "service=service1", "state=running" },
};

static void select_some(unsigned int i, struct selectors *ret)
{
	*ret = (struct selectors){ .owned = i % 2, .uid = 1000 + i % 3 };
	for (unsigned int k = 0; k < 2 && chosen[i / 2][k]; k++)
		ck_assert_int_eq(selectors_add(ret, chosen[i / 2][k]), 0);
}

static void same_both_ways(void)
{
	bool any = false;

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(chosen); i++) {
		_cleanup_(selectors_done) struct selectors s = {};

		select_some(i, &s);
		for (unsigned int k = 0; k <= NAMES; k += 3) {
			uint64_t from = k % 2 ? BEGIN + k * 20 * LENGTH : 0;
			_cleanup_free_ char *stacks = NULL, *sums = NULL;
			char name[16];

			snprintf(name, sizeof(name), "f%u", k);
			stacks = answer(name, &s, from, false);
			sums = answer(name, &s, from, true);
			ck_assert_str_eq(stacks, sums);
			any = any || *sums;
		}
	}
	ck_assert(any);
}

static void sound(void);

/* Each roll-up of six hours has sums, and nothing else has. */
static void complete(void)
{
	ck_assert_int_gt(number("SELECT count(*) FROM sums"), 0);
	ck_assert_int_eq(number("SELECT count(*) FROM rollups WHERE tier = 2 AND id NOT IN"
				" (SELECT id FROM sums WHERE dictionary > 0)"),
			 0);
	ck_assert_int_eq(number("SELECT count(*) FROM sums WHERE id NOT IN (SELECT id FROM rollups"
				" WHERE tier = 2)"),
			 0);
	sound();
}

static void tell(void *ctx, bool fault, const char *sentence)
{
	ck_assert_msg(!fault, "%s", sentence);
}

static void sound(void)
{
	struct fsck f = { .tell = tell };

	ck_assert_int_eq(store_fsck(path, &f), 0);
}

START_TEST(the_same_by_both_ways)
{
	state = 11 + (uint64_t)_i;
	save(0, HOURS + 20);
	roll();
	same_both_ways();
	/* one more dictionary of names */
	store_close(store);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_roll_up(store, 0, 0);
	save(HOURS + 20, 2 * HOURS);
	roll();
	ck_assert_int_eq(number("SELECT count(*) FROM sums"), 3);
	ck_assert_int_eq(number("SELECT count(DISTINCT dictionary) FROM sums"), 2);
	complete();
	same_both_ways();
}
END_TEST

/* Roll-ups of a plop that made none get them, and answer until then. */
START_TEST(of_before)
{
	_cleanup_free_ char *before = NULL, *without = NULL, *after = NULL;
	char name[] = "f3";

	state = 5;
	save(0, 3 * HOURS + 20);
	roll();
	before = answer(name, NULL, 0, true);
	store_close(store);
	run("DROP TABLE sums; DROP TABLE recordings; DROP TABLE memos; PRAGMA user_version = 6");
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_int_eq(number("PRAGMA user_version"), SCHEMA_VERSION);
	ck_assert_int_eq(number("SELECT count(*) FROM sums"), 0);
	without = answer(name, NULL, 0, true);
	ck_assert_str_eq(before, without);
	store_roll_up(store, 0, 0);
	roll();
	ck_assert_int_eq(number("SELECT count(*) FROM sums"), 3);
	complete();
	after = answer(name, NULL, 0, true);
	ck_assert_str_eq(before, after);
}
END_TEST

/* They go with their roll-ups, and their dictionary with the last of them. */
START_TEST(they_go)
{
	state = 6;
	save(0, 4 * HOURS + 20);
	roll();
	ck_assert_int_eq(number("SELECT count(*) FROM sums"), 4);
	store_keep(store, 24 * LENGTH, 0);
	store_roll_up(store, 2 * HOURS * LENGTH, 2 * HOURS * LENGTH);
	ck_assert_int_eq(store_expire(store), 0);
	roll();
	ck_assert_int_le(number("SELECT count(*) FROM sums"), 2);
	complete();
	same_both_ways();
	store_close(store);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_keep(store, 0, 1);
	ck_assert_int_eq(store_expire(store), 0);
	roll();
	ck_assert_int_eq(number("SELECT count(*) FROM sums"), 0);
	ck_assert_int_eq(number("SELECT count(*) FROM additions WHERE id >> 20 NOT IN"
				" (SELECT dictionary FROM windows)"),
			 0);
}
END_TEST

/* Far more programs than a host has: no sums are made, which is noted, and stacks answer. */
START_TEST(too_many)
{
	uint32_t frames[6], process;
	char service[16];

	state = 7;
	for (uint64_t i = 0; i < HOURS; i++) {
		struct profile *p = window(BEGIN + i * LENGTH);

		for (uint32_t k = 0; k < 60; k++) {
			struct process_info info = known_process((pid_t)(1000 + i * 60 + k), "x");

			snprintf(service, sizeof(service), "s%llu",
				 (unsigned long long)(i * 60 + k));
			info.service = service;
			ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
			drawn_add(p, process, 1, frames, drawn_stack(p, frames), 1);
		}
		ck_assert_int_eq(store_save(store, p), 0);
		profile_free(p);
	}
	save(HOURS, 2 * HOURS);
	roll();
	ck_assert_int_ge(number("SELECT count(*) FROM sums WHERE dictionary = 0"), 1);
	ck_assert_int_ge(number("SELECT count(*) FROM sums WHERE dictionary > 0"), 1);
	ck_assert_int_eq(number("SELECT count(*) FROM rollups WHERE tier = 2 AND id NOT IN"
				" (SELECT id FROM sums)"),
			 0);
	sound();
	for (unsigned int k = 0; k < 3; k++) {
		_cleanup_free_ char *stacks = NULL, *sums = NULL;
		char name[16];

		snprintf(name, sizeof(name), "f%u", k);
		stacks = answer(name, NULL, 0, false);
		sums = answer(name, NULL, 0, true);
		ck_assert_str_eq(stacks, sums);
	}
}
END_TEST

/* Flipped bits are no answer. */
START_TEST(damaged)
{
	static const char *const harms[] = {
		"UPDATE sums SET data = zeroblob(length(data))",
		"UPDATE sums SET hash = hash + 1",
		"UPDATE sums SET dictionary = 0",
		"UPDATE sums SET dictionary = 1000",
		"DELETE FROM additions WHERE id >> 20 IN (SELECT dictionary FROM sums)",
	};
	char name[] = "f1";
	const struct sums_of of = { .number = number_of, .name = name, .ctx = name };

	state = 8;
	save(0, HOURS + 20);
	roll();
	run("CREATE TABLE was AS SELECT * FROM sums");
	for (size_t i = 0; i < ARRAY_SIZE(harms); i++) {
		_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
		_cleanup_buf_ struct buf b = {};

		run(harms[i]);
		ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
		store_reader_unit(reader, STORE_UNIT_HOURS);
		ck_assert_msg(store_each_sums(reader, 0, UINT64_MAX, NULL, &of, tell_unit, &b) ==
				      -EBADMSG,
			      "%s", harms[i]);
		run("INSERT OR REPLACE INTO sums SELECT * FROM was");
	}
}
END_TEST

CHECK_LOOPS("store/named", setup, teardown, { the_same_by_both_ways, 0, 2 }, { of_before, 0, 1 },
	    { they_go, 0, 1 }, { too_many, 0, 1 }, { damaged, 0, 1 });
