/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sqlite3.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "../format/known.h"
#include "check_main.h"
#include "dir.h"
#include "drawn.h"
#include "format/format.h"
#include "listed.h"
#include "store/internal.h"
#include "store/schema.h"
#include "store/store.h"

/*
 * Windows are added up: whatever is asked, the answer is what it was before, or, where windows are
 * gone, their sums are.
 */
static struct dir dir;
static char path[128];
static struct store *store;

/* Tenths of it are in step with nothing; six hours, so that there is an end of one. */
#define BEGIN   (UINT64_C(1700006400) * NSEC_PER_SEC - 7 * 60 * NSEC_PER_SEC)
#define LENGTH  (60 * NSEC_PER_SEC)
#define MINUTES 10  /* windows of ten */
#define HOURS   360 /* windows of six */

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

static int64_t number(const char *sql)
{
	sqlite3 *db = NULL;
	int64_t n;

	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	ck_assert_int_eq(db_int(db, sql, &n), 0);
	sqlite3_close(db);
	return n;
}

static void save(struct profile *p)
{
	ck_assert_int_eq(store_save(store, p), 0);
	profile_free(p);
}

static void save_drawn(uint64_t first, uint64_t n)
{
	for (uint64_t i = first; i < first + n; i++)
		save(drawn_window(BEGIN + i * LENGTH, LENGTH));
}

static void roll(void)
{
	do {
		ck_assert_int_eq(store_check(store), 0);
	} while (store_is_mending(store));
}

static struct profile *ask(uint64_t from_ns, uint64_t to_ns, bool lines, const struct selectors *s)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	struct profile *p = NULL;

	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	if (!lines)
		store_reader_functions(reader);
	ck_assert_int_eq(store_profile(reader, from_ns, to_ns, s, &p), 0);
	return p;
}

/* All that an answer says of samples and ticks; its order does not depend on what it is from. */
static char *text_of(const struct profile *p)
{
	_cleanup_(profile_freep) struct profile *grouped = NULL;
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(profile_group(p, "pid,thread,gil", &grouped), 0);
	ck_assert_int_eq(format_find("collapsed")->encode(grouped, &b), 0);
	buf_printf(&b, "%llu %llu %u samples %llu\n", (unsigned long long)p->start_ns,
		   (unsigned long long)p->end_ns, p->hz, (unsigned long long)p->samples_total);
	buf_printf(&b, "ticks %llu %llu %llu %llu", (unsigned long long)p->tally.ticks,
		   (unsigned long long)p->tally.python, (unsigned long long)p->tally.other,
		   (unsigned long long)p->tally.truncated);
	for (int i = 0; i < PLOP_LOST_CAUSES; i++)
		buf_printf(&b, " %llu", (unsigned long long)p->tally.lost[i]);
	return buf_string(&b);
}

static char *answer(uint64_t from_ns, uint64_t to_ns, bool lines, const struct selectors *s)
{
	_cleanup_(profile_freep) struct profile *p = ask(from_ns, to_ns, lines, s);

	return text_of(p);
}

/* Every window up to the last that is in a tier is in one row of it, with all of its sums. */
static void adds_up(void)
{
	static const char *const columns[] = {
		"ticks",      "python",           "other",        "truncated",
		"lost_fault", "lost_stacks_full", "lost_corrupt", "lost_frames_full",
		"lost_drain", "lost_unsupported", "lost_threads", "samples",
		"stepped_ns"
	};
	char sql[600];

	for (int tier = TIER_MINUTES; tier <= TIER_HOURS; tier++) {
		for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
			snprintf(sql, sizeof(sql),
				 "SELECT count(*) FROM rollups r WHERE tier = %d AND %s IS NOT"
				 " (SELECT sum(%s) FROM windows w WHERE w.id BETWEEN first AND"
				 " last)",
				 tier, columns[i], columns[i]);
			ck_assert_msg(number(sql) == 0, "%s", sql);
		}
		snprintf(sql, sizeof(sql),
			 "SELECT (SELECT count(*) FROM windows WHERE id <= (SELECT max(last) FROM"
			 " rollups WHERE tier = %d)) - ifnull((SELECT sum(last - first + 1) FROM"
			 " rollups WHERE tier = %d), 0)",
			 tier, tier);
		ck_assert_int_eq(number(sql), 0);
	}
}

#define QUESTIONS 12

/* Any question has the answer that it had. */
START_TEST(sums_never_change)
{
	struct selectors one = {};
	char *before[QUESTIONS][3];
	uint64_t from[QUESTIONS], to[QUESTIONS];

	state = 77 + (uint64_t)_i;
	ck_assert_int_eq(selectors_add(&one, "thread=3"), 0);
	ck_assert_int_eq(selectors_add(&one, "pid=110"), 0);
	ck_assert_int_eq(selectors_add(&one, "pid=111"), 0);
	save_drawn(0, HOURS + 3 * MINUTES);
	for (int i = 0; i < QUESTIONS; i++) {
		from[i] = i ? BEGIN + draw(HOURS * 60) * NSEC_PER_SEC : 0;
		to[i] = i ? from[i] + (1 + draw(HOURS * 60)) * NSEC_PER_SEC : UINT64_MAX;
		before[i][0] = answer(from[i], to[i], true, NULL);
		before[i][1] = answer(from[i], to[i], false, NULL);
		before[i][2] = answer(from[i], to[i], true, &one);
	}
	roll();
	ck_assert_int_gt(number("SELECT count(*) FROM rollups WHERE tier = 1"), HOURS / MINUTES);
	ck_assert_int_ge(number("SELECT count(*) FROM rollups WHERE tier = 2"), 1);
	adds_up();
	for (int i = 0; i < QUESTIONS; i++) {
		for (int k = 0; k < 3; k++) {
			_cleanup_free_ char *after =
				answer(from[i], to[i], k != 1, k == 2 ? &one : NULL);

			ck_assert_str_eq(before[i][k], after);
			free(before[i][k]);
		}
	}
	selectors_done(&one);
}
END_TEST

/* What nobody asks for is not kept apart, and selects still. */
START_TEST(threads_alike)
{
	_cleanup_(selectors_done) struct selectors one = {};
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(profile_freep) struct profile *all = NULL, *apart = NULL;

	state = 22;
	save_drawn(0, MINUTES);
	ck_assert_int_eq(selectors_add(&one, "thread=3"), 0);
	apart = ask(0, UINT64_MAX, true, &one);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	store_reader_processes_alike(reader);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, &one, &all), 0);
	ck_assert_uint_gt(all->samples_total, 0);
	ck_assert_uint_eq(all->samples_total, apart->samples_total);
	ck_assert_uint_eq(all->nprocesses, 1);
	for (uint32_t i = 0; i < all->nsamples; i++)
		ck_assert_uint_eq(all->samples[i].thread, 0);
}
END_TEST

/* Windows go, and ten minutes go: what they added up to is there, once, and says when it was. */
START_TEST(windows_are_gone)
{
	_cleanup_(profile_freep) struct profile *middle = NULL;
	_cleanup_free_ char *before = NULL, *functions = NULL, *after = NULL, *coarse = NULL;
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	json_t *list;

	state = 5;
	save_drawn(0, HOURS + 3 * MINUTES);
	before = answer(0, UINT64_MAX, true, NULL);
	functions = answer(0, UINT64_MAX, false, NULL);
	roll();
	/* two hours of windows are left */
	store_keep(store, 120 * LENGTH - 1, 0);
	store_roll_up(store, 0, 0);
	ck_assert_int_eq(store_expire(store), 0);
	roll();
	ck_assert_int_eq(number("SELECT count(*) FROM windows"), 120);
	after = answer(0, UINT64_MAX, true, NULL);
	ck_assert_str_eq(before, after);
	/* a minute of them is told from ten, which the answer says */
	middle = ask(BEGIN + 100 * LENGTH, BEGIN + 102 * LENGTH, true, NULL);
	ck_assert_uint_gt(middle->samples_total, 0);
	ck_assert_uint_le(middle->start_ns, BEGIN + 100 * LENGTH);
	ck_assert_uint_eq(middle->end_ns - middle->start_ns, MINUTES * LENGTH);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	list = windows_listed(reader, 9999, NULL);
	ck_assert_uint_gt(json_array_size(list), 120);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "id")), 1);
	json_decref(list);
	/* and the hours, without their lines */
	store_roll_up(store, 120 * LENGTH, 0);
	ck_assert_int_eq(store_expire(store), 0);
	coarse = answer(0, UINT64_MAX, false, NULL);
	ck_assert_str_eq(functions, coarse);
	/* no dictionary is left that nobody has */
	roll();
	ck_assert_int_eq(
		number("SELECT count(*) FROM additions WHERE id >> 20 NOT IN (SELECT"
		       " dictionary FROM windows UNION SELECT dictionary FROM rollups UNION"
		       " SELECT dictionary FROM sums)"),
		0);
}
END_TEST

/* The clock is set, a day back and forth, and by an hour: windows are what they are. */
START_TEST(the_clock_jumps)
{
	static const int64_t by[] = { -86400, 3600, 86400 * 3, -3600, -7 };
	_cleanup_free_ char *before = NULL, *after = NULL;
	uint64_t at = BEGIN;

	state = 9;
	for (unsigned int i = 0; i < HOURS + 2 * MINUTES; i++) {
		bool jumps = i % 75 == 74;
		struct profile *p;

		/* the window that runs ends early, and the next says what the clock was set by */
		p = drawn_window(at, jumps ? LENGTH / 3 : LENGTH);
		at += jumps ? LENGTH / 3 : LENGTH;
		if (i && i % 75 == 0)
			p->stepped_ns = by[(i / 75 - 1) % ARRAY_SIZE(by)] * (int64_t)NSEC_PER_SEC;
		if (jumps)
			at += (uint64_t)(by[i / 75 % ARRAY_SIZE(by)] * (int64_t)NSEC_PER_SEC);
		save(p);
	}
	before = answer(0, UINT64_MAX, true, NULL);
	roll();
	adds_up();
	after = answer(0, UINT64_MAX, true, NULL);
	ck_assert_str_eq(before, after);
	/* a plopd that was away for long makes what was before older, whatever tier it is of */
	store_close(store);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_roll_up(store, 30 * 86400 * NSEC_PER_SEC, 0);
	at += 40 * 86400 * NSEC_PER_SEC;
	for (unsigned int i = 0; i < 2 * MINUTES; i++, at += LENGTH)
		save(drawn_window(at, LENGTH));
	roll();
	ck_assert_int_eq(store_expire(store), 0);
	ck_assert_int_le(number("SELECT count(*) FROM rollups WHERE tier = 1"), 3);
	ck_assert_int_gt(number("SELECT count(*) FROM rollups WHERE tier = 2"), 0);
}
END_TEST

/* plopd is away for longer than ten minutes are kept: what was not yet in six hours is in them. */
START_TEST(away_for_weeks)
{
	_cleanup_(profile_freep) struct profile *all = NULL;
	uint64_t at = BEGIN + (HOURS + 200) * LENGTH, total = 0;

	state = 21;
	save_drawn(0, HOURS + 200);
	roll();
	store_close(store);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_keep(store, 2 * 86400 * NSEC_PER_SEC, 0);
	store_roll_up(store, 14 * 86400 * NSEC_PER_SEC, 0);
	total = (uint64_t)number("SELECT sum(samples) FROM windows");
	/* ten minutes begin with it, which is when they end last */
	at = (at / (MINUTES * LENGTH) + 20 * 86400 / 600) * MINUTES * LENGTH;
	for (unsigned int i = 0; i < 4 * MINUTES; i++, at += LENGTH) {
		struct profile *p = drawn_window(at, LENGTH);

		total += p->samples_total;
		save(p);
		ck_assert_int_eq(store_expire(store), 0);
		roll();
	}
	/* their time was over */
	ck_assert_int_eq(number("SELECT count(*) FROM windows"), 4 * MINUTES);
	ck_assert_int_le(number("SELECT count(*) FROM rollups WHERE tier = 1"), 5);
	all = ask(0, UINT64_MAX, false, NULL);
	ck_assert_uint_eq(all->samples_total, total);
}
END_TEST

/* Killed at any moment: nothing is in two roll-ups, nothing is lost, and the next one goes on. */
START_TEST(killed_in_the_midst)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	int64_t rows, most = 0;
	int status, cut = 0;

	state = 13;
	save_drawn(0, HOURS + 2 * MINUTES);
	before = answer(0, UINT64_MAX, true, NULL);
	store_close(store);
	store = NULL;
	for (int i = 0; i < 40; i++) {
		_cleanup_free_ char *now = NULL;
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			struct itimerval soon = { .it_value.tv_usec = 3000 + i * 4000 };

			signal(SIGALRM, SIG_DFL);
			setitimer(ITIMER_REAL, &soon, NULL);
			if (store_open(dir.path, &store, NULL) < 0)
				_exit(1);
			store_roll_up(store, 0, 0);
			do {
				store_check(store);
			} while (store_is_mending(store));
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		rows = number("SELECT count(*) FROM rollups");
		cut += rows > most && WIFSIGNALED(status);
		ck_assert_int_ge(rows, most);
		most = rows;
		adds_up();
		now = answer(0, UINT64_MAX, true, NULL);
		ck_assert_str_eq(before, now);
		if (!WIFSIGNALED(status))
			break;
	}
	ck_assert_int_gt(cut, 0);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_roll_up(store, 0, 0);
	roll();
	ck_assert_int_gt(number("SELECT count(*) FROM rollups WHERE tier = 2"), 0);
	after = answer(0, UINT64_MAX, false, NULL);
	ck_assert_int_eq(number("SELECT count(*) FROM pragma_integrity_check WHERE"
				" integrity_check = 'ok'"),
			 1);
}
END_TEST

/* What plopd has in memory it adds itself: no roll-up has it as well. */
START_TEST(what_is_passed_over)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(profile_freep) struct profile *all = NULL, *left = NULL;
	const uint64_t start = BEGIN + 30 * LENGTH;
	_cleanup_(profile_freep) struct profile *window = NULL;

	state = 21;
	save_drawn(0, 4 * MINUTES);
	window = ask(start, start + 1, true, NULL);
	roll();
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &all), 0);
	store_reader_pass_over(reader, &start, 1);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &left), 0);
	ck_assert_uint_eq(left->samples_total, all->samples_total - window->samples_total);
	ck_assert_uint_eq(left->tally.ticks, all->tally.ticks - window->tally.ticks);
}
END_TEST

/* A damaged file: roll-ups are taken over as windows are. */
START_TEST(taken_over)
{
	_cleanup_free_ char *before = NULL, *after = NULL, *news = NULL;
	int64_t page;
	FILE *f;

	state = 34;
	save_drawn(0, HOURS + 2 * MINUTES);
	before = answer(0, UINT64_MAX, false, NULL);
	roll();
	store_keep(store, 65 * LENGTH, 0);
	store_roll_up(store, 200 * LENGTH, 0);
	ck_assert_int_eq(store_expire(store), 0);
	/* an index, so that all that is told can be read still */
	page = number("SELECT rootpage FROM sqlite_schema WHERE name = 'windows_end'");
	store_close(store);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, (page - 1) * 4096, SEEK_SET), 0);
	for (int i = 0; i < 4096; i++)
		fputc(0x5a, f);
	fclose(f);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_mend(store, DAMAGE_MALFORMED);
	store_roll_up(store, 0, 0);
	roll();
	news = store_news(store, STORE_NEWS_DAMAGED);
	ck_assert_msg(news && strstr(news, "could be read"), "%s", news);
	after = answer(0, UINT64_MAX, false, NULL);
	ck_assert_str_eq(before, after);
}
END_TEST

/* When there is no room the oldest of each tier goes; what is left can be read. */
START_TEST(no_room)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int64_t minutes;
	uint64_t used;

	state = 55;
	save_drawn(0, HOURS + 4 * MINUTES);
	roll();
	used = (uint64_t)number("SELECT (SELECT page_count FROM pragma_page_count) * 4096");
	minutes = number("SELECT count(*) FROM rollups WHERE tier = 1");
	/* of no tier anything is old enough to go */
	store_keep(store, 400 * 86400 * NSEC_PER_SEC, used * 3 / 4);
	store_roll_up(store, 400 * 86400 * NSEC_PER_SEC, 400 * 86400 * NSEC_PER_SEC);
	ck_assert_int_eq(store_expire(store), 0);
	roll();
	/* the oldest of each went, as many as had to, and the newest are there */
	ck_assert_int_lt(number("SELECT count(*) FROM windows"), HOURS + 4 * MINUTES);
	ck_assert_int_gt(number("SELECT count(*) FROM windows"), HOURS / 4);
	ck_assert_int_gt(number("SELECT min(id) FROM windows"), 1);
	ck_assert_int_eq(number("SELECT max(id) FROM windows"), HOURS + 4 * MINUTES);
	ck_assert_int_lt(number("SELECT count(*) FROM rollups WHERE tier = 1"), minutes);
	ck_assert_int_gt(number("SELECT min(first) FROM rollups WHERE tier = 1"), 1);
	ck_assert_int_gt(number("SELECT max(last) FROM rollups WHERE tier = 1"), HOURS);
	ck_assert_uint_le((uint64_t)number("SELECT (SELECT page_count FROM pragma_page_count)"
					   " * 4096"),
			  used * 3 / 4);
	p = ask(0, UINT64_MAX, true, NULL);
	ck_assert_uint_gt(p->samples_total, 0);
	profile_free(TAKE_PTR(p));
	store_keep(store, 0, 1);
	ck_assert_int_eq(store_expire(store), 0);
	ck_assert_int_eq(number("SELECT count(*) FROM windows"), 1);
	ck_assert_int_eq(number("SELECT count(*) FROM rollups"), 0);
}
END_TEST

/* Windows that do not stay for an hour are not added up: who wants them gone has them gone. */
START_TEST(short_retention)
{
	store_keep(store, STORE_ROLLED_LEAST - 1, 0);
	store_roll_up(store, 0, 0);
	save_drawn(0, 3 * MINUTES);
	roll();
	ck_assert_int_eq(number("SELECT count(*) FROM rollups"), 0);
}
END_TEST

/* A file of the version before gets the table, once, and all is read as before. */
START_TEST(the_version_before)
{
	_cleanup_(profile_freep) struct profile *p = NULL, *known = known_profile();
	_cleanup_free_ char *name = NULL, *sql = NULL, *is = NULL, *should = NULL;
	sqlite3 *db = NULL;
	FILE *f;

	store_close(store);
	unlink(path);
	ck_assert_int_gt(asprintf(&name, "%s/data/version4.sql", PLOP_TEST_DATA), 0);
	f = fopen(name, "r");
	ck_assert_ptr_nonnull(f);
	sql = calloc(1, 1 << 16);
	ck_assert_uint_gt(fread(sql, 1, (1 << 16) - 1, f), 0);
	fclose(f);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "PRAGMA auto_vacuum=INCREMENTAL", NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_int_eq(number("PRAGMA user_version"), SCHEMA_VERSION);
	p = ask(0, KNOWN_END, true, NULL);
	is = text_of(p);
	should = text_of(known);
	ck_assert_str_eq(is, should);
}
END_TEST

CHECK_LOOPS("store/rollup", setup, teardown, { sums_never_change, 0, 2 }, { threads_alike, 0, 1 },
	    { windows_are_gone, 0, 1 }, { the_clock_jumps, 0, 1 }, { away_for_weeks, 0, 1 },
	    { killed_in_the_midst, 0, 1 }, { what_is_passed_over, 0, 1 }, { taken_over, 0, 1 },
	    { no_room, 0, 1 }, { short_retention, 0, 1 }, { the_version_before, 0, 1 });
