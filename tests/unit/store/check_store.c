/* SPDX-License-Identifier: BSD-2-Clause */
#include <sqlite3.h>

#include "listed.h"
#include "noise.h"
#include "opened.h"
#include "sql.h"

static int64_t number(const char *sql)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
	return sql_number(path, sql);
}

START_TEST(a_window_comes_back_whole)
{
	_cleanup_(profile_freep) struct profile *in = known_profile(), *out = NULL;
	_cleanup_free_ char *a = NULL, *b = NULL, *c = NULL, *d = NULL;

	ck_assert_int_eq(store_save(store, in), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &out), 0);
	ck_assert_uint_eq(out->samples_total, KNOWN_TOTAL);
	ck_assert_uint_eq(out->nsamples, in->nsamples);
	ck_assert_uint_eq(out->nprocesses, 2);
	ck_assert_int_eq(memcmp(&out->tally, &in->tally, sizeof(in->tally)), 0);
	ck_assert_uint_eq(out->processes[0].info.start_ticks, in->processes[0].info.start_ticks);
	ck_assert_uint_eq(out->processes[0].info.uid, 1000);
	ck_assert_str_eq(out->processes[0].info.exe, "/usr/bin/python3.11");
	a = text(in, "json");
	b = text(out, "json");
	ck_assert_str_eq(a, b);
	c = text(in, "plop");
	d = text(out, "plop");
	ck_assert_str_eq(c, d);
}
END_TEST

/* Every field of a process, and values at the edges of their types. */
START_TEST(extremes_come_back)
{
	_cleanup_(profile_freep) struct profile *in = NULL, *out = NULL;
	const struct process_info *got;
	struct process_info info = {
		.pid = INT32_MAX,
		.start_ticks = UINT64_MAX,
		.start_time = 1.25,
		.uid = UINT32_MAX - 1,
		.comm = (char *)"1",
		.exe = (char *)"2",
		.cmdline = (char *)"3",
		.cgroup = (char *)"4",
		.unit = (char *)"5",
		.container = (char *)"6",
		.service = (char *)"7",
		.version = (char *)"8",
	};
	uint32_t process, f;

	ck_assert_int_eq(profile_new(KNOWN_START, 10000, &in), 0);
	in->end_ns = KNOWN_END;
	ck_assert_int_eq(profile_process(in, &info, "3.8", &process), 0);
	f = known_frame(in, "", "", INT32_MIN, INT32_MAX);
	known_add(in, process, UINT32_MAX, &f, 1, INT64_MAX);
	known_add(in, process, 0, NULL, 0, 3);
	ck_assert_int_eq(store_save(store, in), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &out), 0);
	ck_assert_uint_eq(out->hz, 10000);
	ck_assert_uint_eq(out->nsamples, 2);
	ck_assert_uint_eq(out->samples[1].thread, UINT32_MAX);
	ck_assert_uint_eq(out->samples[1].count, INT64_MAX);
	ck_assert_int_eq(dict_get_frame(out->dict, 0)->line, INT32_MAX);
	ck_assert_int_eq(dict_get_function(out->dict, 0)->line, INT32_MIN);
	ck_assert_uint_eq(dict_get_stack(out->dict, out->samples[0].stack)->depth, 0);
	got = &out->processes[0].info;
	ck_assert_int_eq(got->pid, INT32_MAX);
	ck_assert(got->start_ticks == UINT64_MAX && got->uid == UINT32_MAX - 1);
	ck_assert_double_eq(got->start_time, 1.25);
	ck_assert_str_eq(got->comm, "1");
	ck_assert_str_eq(got->exe, "2");
	ck_assert_str_eq(got->cmdline, "3");
	ck_assert_str_eq(got->cgroup, "4");
	ck_assert_str_eq(got->unit, "5");
	ck_assert_str_eq(got->container, "6");
	ck_assert_str_eq(got->service, "7");
	ck_assert_str_eq(got->version, "8");
	ck_assert_str_eq(out->processes[0].python, "3.8");
}
END_TEST

START_TEST(time_ranges_are_half_open)
{
	static const struct {
		int64_t from, to; /* seconds after the first window's start */
		unsigned int windows;
	} cases[] = {
		{ 0, 90, 3 },   { 0, 30, 1 },  { 30, 31, 1 }, { 29, 31, 2 },
		{ 90, 100, 0 }, { -10, 0, 0 }, { 45, 46, 1 },
	};

	for (unsigned int i = 0; i < 3; i++)
		save(i);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(profile_freep) struct profile *p = NULL;
		uint64_t from = KNOWN_START + (uint64_t)(cases[i].from * (int64_t)NSEC_PER_SEC);
		uint64_t to = KNOWN_START + (uint64_t)(cases[i].to * (int64_t)NSEC_PER_SEC);

		ck_assert_int_eq(store_profile(reader, from, to, NULL, &p), 0);
		ck_assert_uint_eq(p->samples_total, cases[i].windows * KNOWN_TOTAL);
		ck_assert_uint_eq(p->tally.ticks, cases[i].windows * 6000);
		if (!cases[i].windows) {
			ck_assert_uint_eq(p->nprocesses, 0);
			ck_assert_uint_eq(p->start_ns, from);
			ck_assert_uint_eq(p->end_ns, to);
		}
	}
}
END_TEST

START_TEST(a_query_is_the_merge_of_its_windows)
{
	_cleanup_(profile_freep) struct profile *merged = window(0), *second = window(1),
						*out = NULL;
	_cleanup_free_ char *a = NULL, *b = NULL;

	save(0);
	save(1);
	ck_assert_int_eq(profile_merge(merged, second), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &out), 0);
	a = text(merged, "json");
	b = text(out, "json");
	ck_assert_str_eq(a, b);
}
END_TEST

START_TEST(selectors_as_in_memory)
{
	static const char *const texts[] = { "pid=200", "comm=app", "exe=/usr", "thread=102",
					     "service=none" };
	_cleanup_(profile_freep) struct profile *in = known_profile();

	ck_assert_int_eq(store_save(store, in), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(profile_freep) struct profile *a = NULL, *b = NULL;
		_cleanup_(selectors_done) struct selectors s = {};
		_cleanup_free_ char *left = NULL, *right = NULL;

		ck_assert_int_eq(selectors_add(&s, texts[i]), 0);
		ck_assert_int_eq(profile_select(in, &s, &a), 0);
		ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, &s, &b), 0);
		left = text(a, "json");
		right = text(b, "json");
		ck_assert_str_eq(left, right);
	}
}
END_TEST

/* With a frame for each thread and for what it did with the GIL. */
static char *grouped(const struct profile *p)
{
	_cleanup_(profile_freep) struct profile *groups = NULL;

	ck_assert_int_eq(profile_group(p, "pid,thread,gil", &groups), 0);
	return text(groups, "collapsed");
}

/* What a thread did with the GIL comes back. */
START_TEST(states_come_back)
{
	static const char *const questions[] = { NULL, "gil=held", "gil=released",
						 "gil=", "state=running" };
	_cleanup_(profile_freep) struct profile *in = known_profile();
	const struct profile_sample s = in->samples[0];
	uint32_t empty;

	/* the same stack in each state, and the empty one, which has no node */
	ck_assert_int_eq(dict_stack(in->dict, NULL, 0, &empty), 0);
	for (uint32_t i = SAMPLE_GIL_HELD; i <= SAMPLE_GIL_RELEASED; i++) {
		ck_assert_int_eq(profile_add_state(in, s.process, s.thread, s.stack, i, 12, 0), 0);
		ck_assert_int_eq(profile_add_state(in, s.process, s.thread, empty, i, 5, 0), 0);
		ck_assert_int_eq(
			profile_add_state(in, s.process, 104, in->samples[3].stack, i, 7, 0), 0);
	}
	ck_assert_int_eq(store_save(store, in), 0);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		_cleanup_(profile_freep) struct profile *should = NULL, *is = NULL;
		_cleanup_free_ char *a = NULL, *b = NULL, *c = NULL, *d = NULL;
		struct selectors k = {};

		if (questions[i])
			ck_assert_int_eq(selectors_add(&k, questions[i]), 0);
		ck_assert_int_eq(profile_select(in, &k, &should), 0);
		ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, &k, &is), 0);
		ck_assert_uint_eq(is->samples_total, should->samples_total);
		ck_assert_uint_eq(is->nsamples, should->nsamples);
		a = text(should, "json");
		b = text(is, "json");
		ck_assert_str_eq(a, b);
		c = grouped(should);
		d = grouped(is);
		ck_assert_str_eq(c, d);
		selectors_done(&k);
	}
}
END_TEST

/* A file of version 5 knows nothing of the GIL, and goes on. */
START_TEST(version_5_goes_on)
{
	_cleanup_(profile_freep) struct profile *p = window(1), *out = NULL;
	_cleanup_free_ char *a = NULL;
	char path[128];
	sqlite3 *db;

	save(0);
	store_close(TAKE_PTR(store));
	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
				      "DROP TABLE recordings; DROP TABLE sums;"
				      "DROP TABLE memos;"
				      "PRAGMA user_version = 5",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_ptr_null(store_news(store, STORE_NEWS_DAMAGED));
	p->samples[0].state = SAMPLE_GIL_RELEASED;
	ck_assert_int_eq(store_save(store, p), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &out), 0);
	ck_assert_uint_eq(out->samples_total, 2 * KNOWN_TOTAL);
	ck_assert_uint_eq(out->nsamples, 11);
	a = text(out, "collapsed");
	ck_assert_ptr_nonnull(strstr(a, "Job.work (/srv/app.py:12) 82\n"));
}
END_TEST

START_TEST(repeated_stacks_are_stored_once)
{
	for (unsigned int i = 0; i < 50; i++)
		save(i);
	ck_assert_int_eq(number("SELECT count(*) FROM windows"), 50);
	ck_assert_int_eq(number("SELECT count(*) FROM counts"), 50);
	ck_assert_int_eq(number("SELECT count(*) FROM additions"), 1);
	ck_assert_int_eq(number("SELECT functions FROM additions"), 9);
	ck_assert_int_eq(number("SELECT processes FROM additions"), 2);
	/* Of 10 samples; and all that they are of. */
	ck_assert_int_le(number("SELECT max(length(data)) FROM counts"), 80);
	ck_assert_int_le(number("SELECT max(length(data)) FROM additions"), 400);
	/* Another plopd remembers nothing: it begins a dictionary of its own, once. */
	store_close(store);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	save(50);
	save(51);
	ck_assert_int_eq(number("SELECT count(*) FROM additions"), 2);
	ck_assert_int_eq(number("SELECT count(DISTINCT dictionary) FROM windows"), 2);
}
END_TEST

START_TEST(windows_are_listed)
{
	json_t *list = NULL, *w;

	for (unsigned int i = 0; i < 4; i++)
		save(i);
	list = windows_listed(reader, 2, NULL);
	ck_assert_uint_eq(json_array_size(list), 2);
	w = json_array_get(list, 0);
	ck_assert_double_eq(json_number_value(json_object_get(w, "start")), 1700000060.25);
	ck_assert_double_eq(json_number_value(json_object_get(w, "end")), 1700000090.25);
	w = json_array_get(list, 1);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "id")), 4);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "hz")), 100);
	ck_assert(json_is_false(json_object_get(w, "running")));
	ck_assert_int_eq(json_integer_value(json_object_get(w, "ticks")), 6000);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "python")), KNOWN_TOTAL);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "other")), 5893);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "truncated")), 5);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "samples")), KNOWN_TOTAL);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(w, "lost"), "fault")),
			 4);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(w, "lost"), "drain")),
			 3);
	w = json_object_get(w, "processes");
	ck_assert_uint_eq(json_array_size(w), 2);
	w = json_array_get(w, 1);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "pid")), 200);
	ck_assert_double_eq(json_number_value(json_object_get(w, "start_time")), 1699999000.5);
	ck_assert_str_eq(json_string_value(json_object_get(w, "comm")), "say \"hi\"");
	ck_assert_str_eq(json_string_value(json_object_get(w, "python")), "3.13.0");
	ck_assert_int_eq(json_integer_value(json_object_get(w, "samples")), 16);
	json_decref(list);
}
END_TEST

static int64_t member(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* Of others' processes a list for one user has nothing, not even in its sums. */
START_TEST(windows_of_one_user)
{
	_cleanup_(profile_freep) struct profile *p = window(0), *out = NULL;
	struct selectors s = { .owned = true, .uid = 1000 };
	json_t *list = NULL, *windows[2], *running = NULL;

	p->processes[0].info.uid = PROCESS_NO_UID;
	p->processes[1].info.uid = 1000;
	free(p->processes[1].info.service);
	p->processes[1].info.service = strdup("shop");
	ck_assert_int_eq(store_save(store, p), 0);
	list = windows_listed(reader, 10, &s);
	running = window_put(p, &s);
	windows[0] = json_array_get(list, 0);
	windows[1] = running;
	for (int i = 0; i < 2; i++) {
		const json_t *w = windows[i], *processes = json_object_get(w, "processes");
		const json_t *one = json_array_get(processes, 0);

		ck_assert_uint_eq(json_array_size(processes), 1);
		ck_assert_int_eq(member(one, "pid"), 200);
		ck_assert_str_eq(json_string_value(json_object_get(one, "service")), "shop");
		ck_assert_int_eq(member(w, "ticks"), 16);
		ck_assert_int_eq(member(w, "python"), 16);
		ck_assert_int_eq(member(w, "samples"), 16);
		ck_assert_int_eq(member(w, "other") + member(w, "truncated"), 0);
		ck_assert_int_eq(member(json_object_get(w, "lost"), "fault"), 0);
	}
	json_decref(list);
	json_decref(running);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, &s, &out), 0);
	ck_assert_uint_eq(out->samples_total, 16);
	ck_assert_uint_eq(out->nprocesses, 1);
	/* nobody's is nobody's, whoever asks */
	s.uid = PROCESS_NO_UID;
	list = windows_listed(reader, 10, &s);
	ck_assert_int_eq(member(json_array_get(list, 0), "samples"), 0);
	json_decref(list);
}
END_TEST

/* What the client may get is a bound for what is made for it. */
START_TEST(a_list_has_a_bound)
{
	_cleanup_buf_ struct buf b = { .limit = 1000 };

	for (unsigned int i = 0; i < 4; i++)
		save(i);
	ck_assert_int_eq(store_windows(reader, 0, UINT64_MAX, 10, NULL, &b), -EFBIG);
	buf_clear(&b);
	ck_assert_int_eq(store_windows(reader, 0, UINT64_MAX, 1, NULL, &b), 0);
}
END_TEST

START_TEST(the_running_window_looks_like_a_stored_one)
{
	_cleanup_(profile_freep) struct profile *p = window(0);
	json_t *list = NULL, *stored, *running = NULL;

	save(0);
	list = windows_listed(reader, 10, NULL);
	running = window_put(p, NULL);
	stored = json_array_get(list, 0);
	ck_assert(json_is_null(json_object_get(running, "id")));
	json_object_set_new(stored, "id", json_null());
	ck_assert(json_equal(stored, running));
	json_decref(running);
	p->running = true;
	running = window_put(p, NULL);
	ck_assert(json_is_true(json_object_get(running, "running")));
	json_decref(running);
	json_decref(list);
}
END_TEST

/* What is done in steps of some time is done to its end. */
static int expire(uint64_t retention_ns, uint64_t max_bytes)
{
	struct store_facts before, after = {};
	int r = 0;

	store_keep(store, retention_ns, max_bytes);
	do {
		before = after;
		if (r == 0)
			r = store_expire(store);
		while (r == 0 && store_is_mending(store))
			r = store_check(store);
		if (r == 0)
			r = store_facts(store, &after);
	} while (r == 0 && after.windows != before.windows);
	return r;
}

START_TEST(facts_and_expiry_by_age)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct store_facts f;

	ck_assert_int_eq(store_facts(store, &f), 0);
	ck_assert_uint_eq(f.windows, 0);
	ck_assert_uint_eq(f.oldest_ns, 0);
	ck_assert_uint_gt(f.bytes, 0);
	for (unsigned int i = 0; i < 300; i++)
		save(i);
	/* The last ten end within so long. */
	ck_assert_int_eq(expire(300 * NSEC_PER_SEC, 0), 0);
	ck_assert_int_eq(store_reader_facts(reader, &f), 0);
	ck_assert_uint_eq(f.windows, 10);
	ck_assert_uint_eq(f.oldest_ns, KNOWN_START + 290 * 30 * NSEC_PER_SEC);
	ck_assert_int_eq(number("SELECT count(*) FROM counts"), 10);
	ck_assert_int_eq(number("SELECT count(*) FROM additions"), 1);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), 0);
	ck_assert_uint_eq(p->samples_total, 10 * KNOWN_TOTAL);
	/* However short they are kept, the newest is not older than itself. */
	ck_assert_int_eq(expire(1, 0), 0);
	ck_assert_int_eq(store_facts(store, &f), 0);
	ck_assert_uint_eq(f.windows, 1);
	ck_assert_int_eq(number("SELECT functions FROM additions"), 9);
}
END_TEST

/* A window of its own kind: count stacks that no other window has. */
static void save_unlike(unsigned int n, unsigned int count)
{
	_cleanup_(profile_freep) struct profile *p = window(n);
	char name[40];

	for (unsigned int i = 0; i < count; i++) {
		noise_put(name, 32);
		known_add(p, 0, 1, (uint32_t[]){ known_frame(p, name, "/srv/generated.py", 1, 1) },
			  1, 1);
	}
	ck_assert_int_eq(store_save(store, p), 0);
}

START_TEST(unused_dictionaries_go)
{
	_cleanup_(profile_freep) struct profile *p = NULL;

	/* 256 windows have one dictionary. */
	save_unlike(0, 10);
	for (unsigned int i = 1; i < 3 * 256 + 16; i++)
		save(i);
	ck_assert_int_eq(number("SELECT count(DISTINCT dictionary) FROM windows"), 4);
	ck_assert_int_eq(number("SELECT count(*) FROM additions"), 4);
	ck_assert_int_eq(number("SELECT max(functions) FROM additions"), 19);
	ck_assert_int_eq(expire((3 * 256 + 6) * 30 * NSEC_PER_SEC, 0), 0);
	ck_assert_int_eq(number("SELECT max(functions) FROM additions"), 19);
	ck_assert_int_eq(expire(20 * 30 * NSEC_PER_SEC, 0), 0);
	ck_assert_int_eq(number("SELECT max(functions) FROM additions"), 9);
	/* The last 16 windows have one, and 4 before them another. */
	ck_assert_int_eq(number("SELECT count(*) FROM additions"), 2);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), 0);
	ck_assert_uint_eq(p->samples_total, 20 * KNOWN_TOTAL);
}
END_TEST

START_TEST(expiry_by_size)
{
	enum { MAX = 600 * 1024 };
	struct store_facts before, after;

	store_keep(store, 0, MAX);
	for (unsigned int i = 0; i < 40; i++)
		save_unlike(i * 120, 900);
	ck_assert_int_eq(store_facts(store, &before), 0);
	ck_assert_uint_gt(before.bytes, 2 * MAX);
	ck_assert_int_eq(expire(0, MAX), 0);
	ck_assert_int_eq(store_facts(store, &after), 0);
	ck_assert_uint_gt(after.windows, 0);
	ck_assert_uint_lt(after.windows, 40);
	ck_assert_uint_gt(after.oldest_ns, before.oldest_ns);
	ck_assert_int_le(
		number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"),
		MAX);
	/* The newest is still there. */
	ck_assert_int_eq(number("SELECT max(end_ns) FROM windows"),
			 (int64_t)(KNOWN_START + (39 * 120 + 1) * 30 * NSEC_PER_SEC));
	/* Nothing to do is no change. */
	ck_assert_int_eq(expire(0, MAX), 0);
	ck_assert_int_eq(store_facts(store, &before), 0);
	ck_assert_uint_eq(before.windows, after.windows);
}
END_TEST

/* A file can be broken in ways that SQLite does not see. */
START_TEST(an_answer_has_a_limit)
{
	_cleanup_(profile_freep) struct profile *whole = NULL, *none = NULL, *again = NULL;
	size_t bytes;

	save(0);
	save(1);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &whole), 0);
	bytes = profile_bytes(whole);
	store_reader_limit(reader, bytes / 2);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &none), -E2BIG);
	ck_assert_ptr_null(none);
	/* what is loaded to find it is not counted: it may be of others */
	store_reader_limit(reader, bytes);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &again), 0);
	ck_assert_uint_eq(again->samples_total, whole->samples_total);
}
END_TEST

/*
 * Many windows, no two of whose stacks are alike, are an answer all the same if the lightest may be
 * cut off.
 */
START_TEST(an_answer_is_pruned)
{
	_cleanup_(profile_freep) struct profile *whole = NULL, *none = NULL, *pruned = NULL;
	size_t bytes;

	for (int i = 0; i < 30; i++)
		save_unlike(i, 300);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &whole), 0);
	bytes = profile_bytes(whole);
	store_reader_limit(reader, bytes / 3);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &none), -E2BIG);
	store_reader_prune(reader);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &pruned), 0);
	ck_assert_uint_le(profile_bytes(pruned), bytes / 3);
	ck_assert_uint_eq(pruned->samples_total, whole->samples_total);
	ck_assert_uint_eq(pruned->nprocesses, whole->nprocesses);
	ck_assert_int_eq(memcmp(&pruned->tally, &whole->tally, sizeof(whole->tally)), 0);
	ck_assert_uint_gt(profile_other(pruned), 0);
	ck_assert_uint_eq(profile_other(whole), 0);
}
END_TEST

/* What is new in a window is of the process that brings it; what is there takes but a row. */
START_TEST(bytes_are_told_by_process)
{
	_cleanup_(profile_freep) struct profile *first = window(0), *second = window(1);
	uint64_t bytes[2] = {}, again[2] = {};

	ck_assert_uint_eq(first->nprocesses, 2);
	ck_assert_int_eq(store_save_for(store, first, bytes), 0);
	ck_assert_int_eq(store_save_for(store, second, again), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_gt(bytes[i], again[i]);
		ck_assert_uint_gt(again[i], 0);
	}
	ck_assert_uint_lt(bytes[0] + bytes[1], 16384);
}
END_TEST

START_TEST(broken_blobs_are_refused)
{
	static const char *const damage[] = {
		"UPDATE counts SET data=x'ff'",
		"UPDATE counts SET hash=hash+1",
		"UPDATE counts SET data=(SELECT data FROM additions)",
		"UPDATE counts SET data=substr(data, 1, length(data) - 1)",
		"UPDATE additions SET data=x'00'",
		"UPDATE additions SET data=substr(data, 2)",
		"UPDATE additions SET hash=-hash",
		"UPDATE additions SET nodes=nodes+1",
		"UPDATE additions SET nodes=1 << 40",
		"UPDATE additions SET texts=-1",
		"UPDATE windows SET dictionary=dictionary+1",
		"UPDATE windows SET dictionary=0",
		"UPDATE windows SET dictionary=-1",
		"UPDATE windows SET samples=samples+1",
		"DELETE FROM additions",
		"DELETE FROM counts",
	};
	char path[128];

	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
	for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
		_cleanup_(profile_freep) struct profile *p = NULL;
		struct store_file file;
		sqlite3 *db = NULL;

		save((unsigned int)i);
		ck_assert_int_eq(store_file(dir.path, &file), 0);
		ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
		ck_assert_int_eq(sqlite3_exec(db, damage[i], NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		ck_assert_msg(store_profile(reader, 0, UINT64_MAX, NULL, &p) == -EBADMSG, "%s",
			      damage[i]);
		ck_assert_ptr_null(p);
		ck_assert_int_eq(store_distrust(store, &file), 0);
	}
}
END_TEST

CHECK_MAIN_WITH("store/store", setup, teardown, a_window_comes_back_whole, extremes_come_back,
		time_ranges_are_half_open, a_query_is_the_merge_of_its_windows,
		selectors_as_in_memory, states_come_back, version_5_goes_on,
		repeated_stacks_are_stored_once, windows_are_listed, a_list_has_a_bound,
		windows_of_one_user, the_running_window_looks_like_a_stored_one,
		facts_and_expiry_by_age, unused_dictionaries_go, expiry_by_size,
		an_answer_has_a_limit, an_answer_is_pruned, bytes_are_told_by_process,
		broken_blobs_are_refused);
