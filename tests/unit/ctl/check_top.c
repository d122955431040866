/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "ctl/top_model.h"

static struct top_model *model;
static struct top_row *rows;
static size_t n;
static const struct top_target all;

static void setup(void)
{
	ck_assert_int_eq(top_model_new(&all, &model), 0);
	rows = NULL;
}

static void teardown(void)
{
	free(rows);
	top_model_free(model);
}

static int feed(const char *format, ...)
{
	va_list ap;
	json_error_t error;
	json_t *o;
	int r;

	va_start(ap, format);
	o = json_vpack_ex(&error, 0, format, ap);
	va_end(ap);
	ck_assert_msg(o != NULL, "%s", error.text);
	r = top_model_feed(model, o);
	json_decref(o);
	return r;
}

/*
 * A window that began at start, as of end, with two functions, hot called by main, and two
 * processes.
 */
static void feed_window(double start, double end, int hot, int in_main, int first, int second)
{
	ck_assert_int_eq(feed("{s:f s:f s:i s:i s:i s:{s:i s:i} s:i s:[{s:s s:s s:i s:i s:i}{s:s "
			      "s:s s:i s:i s:i}]"
			      "s:[{s:i s:f s:s s:s s:s s:i}{s:i s:f s:s s:s s:s s:i}]}",
			      "start", start, "end", end, "ticks", 2 * (hot + in_main) + 3,
			      "python", hot + in_main, "other", hot + in_main, "lost", "fault", 1,
			      "drain", 2, "samples", hot + in_main, "nodes", "function", "main",
			      "file", "/a.py", "line", 1, "self", in_main, "total", hot + in_main,
			      "function", "hot", "file", "/b.py", "line", 7, "self", hot, "total",
			      hot, "processes", "pid", 11, "start_time", 5.0, "comm", "python3",
			      "service", "shop", "python", "3.13.0", "samples", first, "pid", 12,
			      "start_time", 6.0, "comm", "worker", "service", "", "python",
			      "2.7.18", "samples", second),
			 0);
}

static void get(enum top_kind kind, enum top_sort sort, const char *filter)
{
	free(rows);
	rows = NULL;
	ck_assert_int_eq(top_model_rows(model, kind, sort, filter, &rows, &n), 0);
}

static void is_function(size_t i, const char *name, double self, double total, double rate)
{
	ck_assert_uint_lt(i, n);
	ck_assert_str_eq(rows[i].name, name);
	ck_assert_double_eq_tol(rows[i].self, self, 1e-9);
	ck_assert_double_eq_tol(rows[i].total, total, 1e-9);
	ck_assert_double_eq_tol(rows[i].rate, rate, 1e-9);
}

START_TEST(first_is_the_window_so_far)
{
	feed_window(100, 104, 30, 10, 40, 0);
	get(TOP_FUNCTIONS, TOP_SELF, NULL);
	ck_assert_uint_eq(n, 0);
	ck_assert_double_eq_tol(top_model_pending(model), 4, 1e-9);
	top_model_publish(model);
	get(TOP_FUNCTIONS, TOP_SELF, NULL);
	ck_assert_uint_eq(n, 2);
	is_function(0, "hot", 75, 75, 7.5);
	is_function(1, "main", 25, 100, 2.5);
	ck_assert_str_eq(rows[0].place, "/b.py");
	ck_assert_int_eq(rows[0].line, 7);
	get(TOP_FUNCTIONS, TOP_TOTAL, NULL);
	is_function(0, "main", 25, 100, 2.5);
	ck_assert_double_eq_tol(top_model_rates(model)->ticks, 83 / 4.0, 1e-9);
	ck_assert_double_eq_tol(top_model_rates(model)->python, 10, 1e-9);
	ck_assert_double_eq_tol(top_model_rates(model)->other, 10, 1e-9);
	ck_assert_double_eq_tol(top_model_rates(model)->lost, 0.75, 1e-9);
	ck_assert_double_eq_tol(top_model_rates(model)->samples, 10, 1e-9);
}
END_TEST

START_TEST(what_was_before_is_forgotten)
{
	feed_window(100, 120, 3000, 1000, 400, 0);
	top_model_forget(model);
	ck_assert_double_eq_tol(top_model_pending(model), 0, 1e-9);
	feed_window(100, 121, 3000, 1010, 400, 10);
	top_model_publish(model);
	get(TOP_FUNCTIONS, TOP_SELF, NULL);
	ck_assert_uint_eq(n, 1);
	is_function(0, "main", 100, 100, 10);
	ck_assert_double_eq_tol(top_model_rates(model)->samples, 10, 1e-9);
	ck_assert_double_eq_tol(top_model_rates(model)->seconds, 1, 1e-9);
}
END_TEST

/*
 * Somebody who has no process has no tick: the time goes by all the same, however short the windows
 * are.
 */
START_TEST(nothing_takes_time)
{
	for (int window = 100; window < 104; window += 2) {
		for (int second = 0; second < 2; second++)
			ck_assert_int_eq(feed("{s:f s:f s:i s:i s:i s:{} s:i s:[] s:[]}", "start",
					      (double)window, "end", window + second + 0.005,
					      "ticks", 0, "python", 0, "other", 0, "lost",
					      "samples", 0, "nodes", "processes"),
					 0);
	}
	ck_assert_double_eq_tol(top_model_pending(model), 1.01, 1e-9);
}
END_TEST

START_TEST(differences_of_one_window)
{
	feed_window(100, 104, 30, 10, 40, 0);
	top_model_publish(model);
	feed_window(100, 105, 30, 20, 45, 5);
	feed_window(100, 106, 40, 20, 45, 15);
	top_model_publish(model);
	get(TOP_FUNCTIONS, TOP_SELF, NULL);
	ck_assert_uint_eq(n, 2);
	is_function(0, "main", 50, 100, 5);
	is_function(1, "hot", 50, 50, 5);
	get(TOP_PROCESSES, TOP_SELF, NULL);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(rows[0].pid, 12);
	ck_assert_str_eq(rows[0].name, "worker");
	ck_assert_double_eq_tol(rows[0].rate, 7.5, 1e-9);
	ck_assert_double_eq_tol(rows[1].self, 25, 1e-9);
	ck_assert_str_eq(rows[1].name, "shop");
	/* who did nothing is not shown */
	feed_window(100, 107, 40, 30, 45, 25);
	top_model_publish(model);
	get(TOP_FUNCTIONS, TOP_SELF, NULL);
	ck_assert_uint_eq(n, 1);
	is_function(0, "main", 100, 100, 10);
}
END_TEST

START_TEST(another_window_begins_at_zero)
{
	feed_window(100, 130, 300, 100, 400, 0);
	top_model_publish(model);
	feed_window(130, 131, 5, 5, 10, 0);
	top_model_publish(model);
	get(TOP_FUNCTIONS, TOP_SELF, NULL);
	ck_assert_uint_eq(n, 2);
	is_function(0, "main", 50, 100, 5);
	ck_assert_double_eq_tol(top_model_rates(model)->seconds, 1, 1e-9);
	/* the end of one and the start of the next add up */
	feed_window(130, 132, 15, 5, 20, 0);
	feed_window(160, 161, 0, 10, 10, 0);
	top_model_publish(model);
	get(TOP_FUNCTIONS, TOP_SELF, NULL);
	is_function(0, "main", 50, 100, 5);
	is_function(1, "hot", 50, 50, 5);
}
END_TEST

START_TEST(what_is_not_collected_yet_takes_no_time)
{
	feed_window(100, 101, 10, 0, 10, 0);
	top_model_publish(model);
	feed_window(100, 102, 10, 0, 10, 0);
	ck_assert_double_eq_tol(top_model_pending(model), 0, 1e-9);
	feed_window(100, 103, 30, 0, 30, 0);
	ck_assert_double_eq_tol(top_model_pending(model), 2, 1e-9);
	top_model_publish(model);
	get(TOP_FUNCTIONS, TOP_SELF, NULL);
	is_function(0, "hot", 100, 100, 10);
	/* but a host that is idle is so */
	feed_window(100, 106, 30, 0, 30, 0);
	top_model_publish(model);
	get(TOP_FUNCTIONS, TOP_SELF, NULL);
	ck_assert_uint_eq(n, 0);
	ck_assert_double_eq_tol(top_model_rates(model)->samples, 0, 1e-9);
}
END_TEST

START_TEST(filtered_in_any_case)
{
	feed_window(100, 104, 30, 10, 40, 4);
	top_model_publish(model);
	get(TOP_FUNCTIONS, TOP_SELF, "HO");
	ck_assert_uint_eq(n, 1);
	is_function(0, "hot", 75, 75, 7.5);
	get(TOP_FUNCTIONS, TOP_SELF, "a.py");
	ck_assert_uint_eq(n, 1);
	get(TOP_FUNCTIONS, TOP_SELF, "nothing");
	ck_assert_uint_eq(n, 0);
	get(TOP_PROCESSES, TOP_SELF, "12");
	ck_assert_uint_eq(n, 1);
	get(TOP_PROCESSES, TOP_SELF, "SHOP");
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(rows[0].pid, 11);
}
END_TEST

static json_t *process(int pid, const char *unit, const char *cgroup, const char *status)
{
	json_t *o = json_pack("{s:i s:f s:s s:s s:s s:s s:s s:f}", "pid", pid, "start_time", 5.0,
			      "comm", "c", "python", "3.9.2", "unit", unit, "cgroup", cgroup,
			      "status", status, "cpu_percent", 12.5);

	ck_assert_ptr_nonnull(o);
	return o;
}

START_TEST(processes_that_do_nothing_are_listed)
{
	json_t *array = json_array();

	json_array_append_new(array, process(11, "a.service", "/a", "profiled"));
	json_array_append_new(array, process(20, "b.service", "/b", "profiled"));
	json_array_append_new(array, process(21, "b.service", "/b", "PyPy"));
	ck_assert_int_eq(top_model_processes(model, array), 0);
	ck_assert_uint_eq(top_model_listed(model), 2);
	feed_window(100, 104, 30, 10, 40, 0);
	top_model_publish(model);
	get(TOP_PROCESSES, TOP_TOTAL, NULL);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(rows[0].pid, 11);
	ck_assert_double_eq_tol(rows[0].total, 12.5, 1e-9);
	ck_assert_int_eq(rows[1].pid, 20);
	/* gone, and forgotten with the second window in which it is not */
	json_array_clear(array);
	ck_assert_int_eq(top_model_processes(model, array), 0);
	ck_assert_uint_eq(top_model_listed(model), 0);
	feed_window(130, 131, 0, 0, 0, 0);
	top_model_publish(model);
	feed_window(160, 161, 0, 0, 0, 0);
	top_model_publish(model);
	get(TOP_PROCESSES, TOP_TOTAL, NULL);
	ck_assert_uint_eq(n, 0);
	json_decref(array);
}
END_TEST

START_TEST(slices)
{
	ck_assert_uint_eq(top_slice_path("/system.slice/a.service", "system.slice"), 13);
	ck_assert_uint_eq(top_slice_path("/a.slice/a-b.slice/c.service/d", "a-b.slice"), 18);
	ck_assert_uint_eq(top_slice_path("/a.slice/a-b.slice", "a-b.slice"), 18);
	ck_assert_uint_eq(top_slice_path("/user.slice", "er.slice"), 0);
	ck_assert_uint_eq(top_slice_path("/user.slices/x", "user.slice"), 0);
	ck_assert_uint_eq(top_slice_path("/", "user.slice"), 0);
	ck_assert_uint_eq(top_slice_path("", "user.slice"), 0);
}
END_TEST

START_TEST(targets)
{
	json_t *p = process(11, "a.service", "/system.slice/a.service", "profiled");
	static const struct {
		struct top_target target;
		bool has;
	} cases[] = {
		{ { .key = NULL, .value = NULL }, true },
		{ { .key = "pid", .value = "11" }, true },
		{ { .key = "pid", .value = "1" }, false },
		{ { .key = "unit", .value = "a.service" }, true },
		{ { .key = "unit", .value = "a" }, false },
		{ { .key = "cgroup", .value = "/" }, true },
		{ { .key = "cgroup", .value = "/system.slice" }, true },
		{ { .key = "cgroup", .value = "/system.slice/a.service" }, true },
		{ { .key = "cgroup", .value = "/system.slice/a" }, false },
		{ { .key = "cgroup", .value = "/system.slice/a.service/x" }, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_int_eq(top_target_has(&cases[i].target, p), cases[i].has);
	json_decref(p);
}
END_TEST

START_TEST(what_is_no_snapshot_is_refused)
{
	json_t *o = json_object();

	ck_assert_int_eq(top_model_feed(model, NULL), -EBADMSG);
	ck_assert_int_eq(feed("{}"), -EBADMSG);
	ck_assert_int_eq(feed("{s:i s:i s:[] s:i}", "start", 1, "end", 2, "nodes", "processes", 3),
			 -EBADMSG);
	ck_assert_int_eq(feed("{s:i s:i s:[] s:[]}", "start", 2, "end", 1, "nodes", "processes"),
			 -EBADMSG);
	ck_assert_int_eq(feed("{s:i s:i s:[i n s {}] s:[n s]}", "start", 1, "end", 2, "nodes", 1,
			      "x", "processes", "y"),
			 0);
	ck_assert_int_eq(top_model_processes(model, o), -EBADMSG);
	json_decref(o);
}
END_TEST

CHECK_MAIN_WITH("ctl/top", setup, teardown, first_is_the_window_so_far,
		what_was_before_is_forgotten, nothing_takes_time, differences_of_one_window,
		another_window_begins_at_zero, what_is_not_collected_yet_takes_no_time,
		filtered_in_any_case, processes_that_do_nothing_are_listed, targets, slices,
		what_is_no_snapshot_is_refused);
