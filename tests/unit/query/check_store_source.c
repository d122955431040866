/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>

#include "../store/dir.h"
#include "check_main.h"
#include "query/question.h"
#include "query/store_source.h"

/* What is read from roll-ups is what is read from windows. */
static struct dir dir;
static struct store *store;

#define BEGIN   (UINT64_C(1700006400) * NSEC_PER_SEC - 8 * 60 * NSEC_PER_SEC)
#define LENGTH  (60 * NSEC_PER_SEC)
#define WINDOWS 1100 /* more than 18 hours */

static uint32_t frame_of(struct profile *p, const char *function, int line)
{
	uint32_t id, frame;

	ck_assert_int_eq(dict_python(p->dict, function, "/srv/app.py", 1, &id), 0);
	ck_assert_int_eq(dict_frame(p->dict, id, line, &frame), 0);
	return frame;
}

static void add(struct profile *p, uint32_t process, const uint32_t *frames, uint32_t depth,
		uint64_t count)
{
	uint32_t stack;

	ck_assert_int_eq(dict_stack(p->dict, frames, depth, &stack), 0);
	ck_assert_int_eq(profile_add(p, process, 7 + depth, stack, count), 0);
}

/* Of two services one has another version from window 100 on, one from 700 to 710 only. */
static void save_window(unsigned int i)
{
	static char shop[] = "shop", blog[] = "blog";
	const char *version = i < 100 ? "1" : "2";
	struct process_info info = process_info_of(100);
	uint32_t process, frames[3];
	struct profile *p = NULL;

	ck_assert_int_eq(profile_new(BEGIN + i * LENGTH, 100, &p), 0);
	p->end_ns = p->start_ns + LENGTH;
	info.service = i % 3 ? shop : blog;
	info.version = (char *)(i >= 700 && i < 711 ? "3" : version);
	ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
	frames[0] = frame_of(p, "main", 2);
	frames[1] = frame_of(p, "view", 5 + (int)(i % 7));
	frames[2] = frame_of(p, "main", 3);
	add(p, process, frames, 2, 1000 + i % 13);
	add(p, process, frames, 3, 10);
	p->tally.ticks = p->tally.python = p->samples_total;
	ck_assert_int_eq(store_save(store, p), 0);
	profile_free(p);
}

static void setup(void)
{
	dir_make(&dir);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	store_roll_up(store, 0, 0);
	for (unsigned int i = 0; i < WINDOWS; i++)
		save_window(i);
}

static void teardown(void)
{
	store_close(store);
	dir_done(&dir);
}

static void roll(void)
{
	do {
		ck_assert_int_eq(store_check(store), 0);
	} while (store_is_mending(store));
}

static struct store_source source;

static void begin(struct question *k, enum question_about about, const char *label,
		  const struct query_parameter *p, size_t n)
{
	struct query query = {}, new = {};
	struct refusal why = {};

	source = (struct store_source){ .source = { .read = store_source_read },
					.state_dir = dir.path };
	ck_assert_int_eq(query_parse_sides(p, n, BEGIN, &query, &new, &why), 0);
	if (label)
		ck_assert_int_eq(query_set_label(&query, label, &why), 0);
	if (about == QUESTION_DIFF)
		question_init_diff(k, &source.source, &query, &new);
	else
		question_init(k, &source.source, about, &query);
	query_done(&new);
}

/* The answer to parameters of both sides, or of the only one. */
static char *ask(enum question_about about, const char *label, const struct query_parameter *p,
		 size_t n)
{
	struct question k;
	char *answer;

	begin(&k, about, label, p, n);
	question_read(&k);
	ck_assert_int_eq(k.r, 0);
	ck_assert_int_eq(question_write(&k), 0);
	buf_putc(&k.answer, '\0');
	answer = strdup(k.answer.data);
	question_clear(&k);
	return answer;
}

#define ALL                        \
	{ "from", "1" },           \
	{                          \
		"to", "1800000000" \
	}

START_TEST(deploys_are_as_exact)
{
	static const struct query_parameter all[] = { ALL };
	_cleanup_free_ char *windows = ask(QUESTION_DEPLOYS, NULL, all, ARRAY_SIZE(all));
	_cleanup_free_ char *rolled = NULL;

	ck_assert_ptr_nonnull(strstr(windows, "\"version\":\"3\",\"before\":\"2\""));
	roll();
	rolled = ask(QUESTION_DEPLOYS, NULL, all, ARRAY_SIZE(all));
	ck_assert_str_eq(windows, rolled);
}
END_TEST

START_TEST(values_have_all_samples)
{
	static const struct query_parameter all[] = { ALL, { "service", "shop" } };
	static const struct query_parameter none[] = { ALL, { "service", "shup" } };
	_cleanup_free_ char *windows = ask(QUESTION_LABELS, "version", all, ARRAY_SIZE(all));
	_cleanup_free_ char *rolled = NULL, *empty = NULL;

	roll();
	rolled = ask(QUESTION_LABELS, "version", all, ARRAY_SIZE(all));
	empty = ask(QUESTION_LABELS, "version", none, ARRAY_SIZE(none));
	ck_assert_str_eq(windows, rolled);
	ck_assert_ptr_nonnull(
		strstr(rolled, "{\"label\":\"version\",\"values\":[{\"value\":\"2\","));
	ck_assert_str_eq(empty, "{\"label\":\"version\",\"values\":[],\"left_out\":0}\n");
}
END_TEST

/* By windows, by ten minutes, and by six hours: each step has what it had, whatever is read. */
START_TEST(steps_are_as_exact)
{
	static const char *const steps[] = { "300", "600", "21600" };
	static const size_t most[] = { 400, 111, 5 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct query_parameter p[] = { ALL, { "step", steps[i] } };
		_cleanup_free_ char *windows = ask(QUESTION_WINDOWS, NULL, p, ARRAY_SIZE(p));
		_cleanup_free_ char *rolled = NULL;
		json_t *answer = json_loads(windows, 0, NULL), *one;
		json_int_t sum = 0;
		size_t k;

		if (i == 0)
			roll();
		rolled = ask(QUESTION_WINDOWS, NULL, p, ARRAY_SIZE(p));
		ck_assert_str_eq(windows, rolled);
		ck_assert_uint_le(json_array_size(json_object_get(answer, "windows")), most[i]);
		json_array_foreach(json_object_get(answer, "windows"), k, one)
			sum += json_integer_value(json_object_get(one, "samples"));
		one = json_array_get(json_object_get(answer, "services"), 0);
		ck_assert_str_eq(json_string_value(json_object_get(one, "service")), "shop");
		ck_assert_int_gt(sum, 1000 * WINDOWS);
		json_decref(answer);
	}
}
END_TEST

START_TEST(steps_are_bounded)
{
	static const struct query_parameter p[] = { ALL, { "step", "60" } };
	struct refusal why = {};
	struct question k;

	begin(&k, QUESTION_WINDOWS, NULL, p, ARRAY_SIZE(p));
	question_read(&k);
	ck_assert_int_eq(k.r, -E2BIG);
	question_refuse(&k, &why);
	ck_assert_uint_eq(why.status, 413);
	ck_assert_str_eq(why.error,
			 "there are windows in more than 400 steps of 60 s of that time");
	ck_assert_str_eq(why.hint, "ask for a longer step, or for a shorter time");
	question_clear(&k);
}
END_TEST

/* All points of a series: samples, and what of them is the function's. */
struct points {
	double samples, self, total;
	size_t n;
};

static struct points points_of(const struct query_parameter *p, size_t n)
{
	_cleanup_free_ char *text = ask(QUESTION_SERIES, NULL, p, n);
	json_t *answer = json_loads(text, 0, NULL), *list, *one;
	struct points sum = {};
	size_t i;

	ck_assert_ptr_nonnull(answer);
	list = json_object_get(answer, "points");
	sum.n = json_array_size(list);
	json_array_foreach(list, i, one)
	{
		double samples = json_number_value(json_object_get(one, "samples"));

		sum.samples += samples;
		sum.self += samples * json_number_value(json_object_get(one, "self"));
		sum.total += samples * json_number_value(json_object_get(one, "total"));
		if (samples > 0)
			ck_assert_double_gt(json_number_value(json_object_get(one, "cpus")), 0.1);
	}
	json_decref(answer);
	return sum;
}

START_TEST(a_series_adds_up)
{
	/* 18 hours; and all that there is, of which no more is read than there is */
	const struct query_parameter p[] = { ALL, { "function", "view" }, { "version", "2" } };
	const struct query_parameter short_time[] = { { "from", "1700006400" },
						      { "to", "1700010000" },
						      { "function", "main" } };
	const struct query_parameter nobody[] = { ALL, { "function", "nobody" } };
	struct points windows = points_of(p, ARRAY_SIZE(p)), rolled, one;

	roll();
	rolled = points_of(p, ARRAY_SIZE(p));
	ck_assert_double_gt(windows.samples, 900000);
	ck_assert_double_eq_tol(windows.samples, rolled.samples, 1e-3);
	ck_assert_double_eq_tol(windows.self, rolled.self, 1e-3);
	ck_assert_double_eq_tol(windows.total, rolled.total, 1e-3);
	ck_assert_double_eq_tol(rolled.total, rolled.samples, 1e-3);
	/* a function that calls itself is counted once */
	one = points_of(short_time, ARRAY_SIZE(short_time));
	ck_assert_uint_eq(one.n, 60);
	ck_assert_double_eq_tol(one.total, one.samples, 1e-3);
	ck_assert_double_eq_tol(one.self, 600, 1e-3);
	one = points_of(nobody, ARRAY_SIZE(nobody));
	ck_assert_double_gt(one.samples, 900000);
	ck_assert_double_eq_tol(one.total, 0, 1e-9);
}
END_TEST

/* Ten minutes are the windows of a side that has enough of them; of another one windows are. */
START_TEST(a_day_is_compared_by_ten_minutes)
{
	static const struct query_parameter p[] = {
		ALL, { "base.to", "1700050000" }, { "base.version", "2" }, { "new.version", "3" }
	};
	_cleanup_free_ char *text = NULL;
	json_t *answer, *side;

	roll();
	text = ask(QUESTION_DIFF, NULL, p, ARRAY_SIZE(p));
	answer = json_loads(text, 0, NULL);
	side = json_object_get(answer, "base");
	ck_assert_double_eq(json_number_value(json_object_get(side, "window_s")), 600);
	ck_assert_int_ge(json_integer_value(json_object_get(side, "windows")), 48);
	side = json_object_get(answer, "new");
	ck_assert_double_eq(json_number_value(json_object_get(side, "window_s")), 60);
	ck_assert_int_eq(json_integer_value(json_object_get(side, "windows")), 11);
	json_decref(answer);
}
END_TEST

static void keep(const char *ident, uid_t uid, uint64_t in_view)
{
	struct store_recording row = {
		.ident = ident, .name = ident, .uid = uid, .user = uid, .facts = "{}"
	};
	char shop[] = "shop", version[] = "1";
	struct process_info info = process_info_of(100);
	_cleanup_(profile_freep) struct profile *p = NULL;
	uint32_t process, frames[2], other;

	ck_assert_int_eq(profile_new(BEGIN, 100, &p), 0);
	row.start_ns = BEGIN;
	row.end_ns = p->end_ns = p->start_ns + LENGTH;
	row.labels = &p->labels;
	info.service = shop;
	info.version = version;
	ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
	frames[0] = frame_of(p, "main", 2);
	frames[1] = frame_of(p, "view", 5);
	other = frame_of(p, "other", 9);
	add(p, process, &other, 1, 100000);
	add(p, process, frames, 2, in_view);
	row.samples = p->samples_total;
	ck_assert_int_eq(store_add_recording(store, &row, p, NULL), 0);
}

static double windows_of(const json_t *answer, const char *side)
{
	return json_number_value(json_object_get(json_object_get(answer, side), "windows"));
}

/* A side may be one, alone or against windows; its samples are chosen as those of windows are. */
START_TEST(recordings_are_compared)
{
	static const struct query_parameter two[] = { { "base.recording", "k1" },
						      { "new.recording", "k2" } },
					    mixed[] = { ALL,
							{ "service", "shop" },
							{ "new.recording", "k1" } },
					    none[] = { { "base.recording", "k1" },
						       { "new.recording", "k2" },
						       { "new.version", "2" } };
	_cleanup_free_ char *text = NULL, *other = NULL, *empty = NULL;
	json_t *answer, *first;

	keep("k1", 1, 100000);
	keep("k2", 1, 200000);
	text = ask(QUESTION_DIFF, NULL, two, ARRAY_SIZE(two));
	answer = json_loads(text, 0, NULL);
	first = json_array_get(json_object_get(answer, "functions"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(first, "name")), "view");
	ck_assert_str_eq(json_string_value(json_object_get(first, "verdict")), "slower");
	ck_assert_ptr_nonnull(strstr(text, "two files or recordings"));
	ck_assert_double_eq(windows_of(answer, "base"), 1);
	json_decref(answer);
	other = ask(QUESTION_DIFF, NULL, mixed, ARRAY_SIZE(mixed));
	answer = json_loads(other, 0, NULL);
	ck_assert_double_gt(windows_of(answer, "base"), 100);
	ck_assert_double_eq(windows_of(answer, "new"), 1);
	json_decref(answer);
	empty = ask(QUESTION_DIFF, NULL, none, ARRAY_SIZE(none));
	answer = json_loads(empty, 0, NULL);
	ck_assert_double_eq(windows_of(answer, "new"), 0);
	json_decref(answer);
}
END_TEST

/* One that is not there, and one that is another's, read the same. */
START_TEST(a_recording_is_its_makers)
{
	static const struct query_parameter p[] = { { "base.recording", "k1" },
						    { "new.recording", "k2" } };
	struct refusal why = {};
	struct question k;

	keep("k1", 1, 1000);
	for (int other = 0; other < 2; other++) {
		begin(&k, QUESTION_DIFF, NULL, p, ARRAY_SIZE(p));
		k.kept.see = (struct selectors){ .owned = true, .uid = 1 };
		question_read(&k);
		ck_assert_int_eq(k.r, -ENOENT);
		question_refuse(&k, &why);
		ck_assert_uint_eq(why.status, 404);
		ck_assert_str_eq(why.error, "there is no such recording");
		question_clear(&k);
		if (!other)
			keep("k2", 2, 1000);
	}
}
END_TEST

CHECK_MAIN_WITH("query/store_source", setup, teardown, deploys_are_as_exact,
		values_have_all_samples, steps_are_as_exact, steps_are_bounded, a_series_adds_up,
		a_day_is_compared_by_ten_minutes, recordings_are_compared,
		a_recording_is_its_makers);
