/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/windows.h"

static struct diff_windows *w;
static struct profile *p;
static uint32_t process, other;

static void setup(void)
{
	static char comm[] = "app", job[] = "job", service[] = "shop";
	struct process_info info = process_info_of(7);

	info.comm = comm;
	info.service = service;
	ck_assert_int_eq(diff_windows_new(&w), 0);
	ck_assert_int_eq(profile_new(NSEC_PER_SEC, 100, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
	info.pid = 8;
	info.comm = job;
	info.service = (char *)"";
	ck_assert_int_eq(profile_process(p, &info, "3.11.2", &other), 0);
}

static void teardown(void)
{
	diff_windows_free(w);
	profile_free(p);
}

/* Functions by one letter each, root first, on a line that moves. */
static void add(uint32_t who, const char *functions, int line, uint64_t count)
{
	uint32_t frames[16], function, stack, n = 0;
	char name[2] = "";

	for (; functions[n]; n++) {
		*name = functions[n];
		ck_assert_int_eq(dict_python(p->dict, name, "/x.py", line, &function), 0);
		ck_assert_int_eq(dict_frame(p->dict, function, line, &frames[n]), 0);
	}
	ck_assert_int_eq(dict_stack(p->dict, frames, n, &stack), 0);
	ck_assert_int_eq(profile_add(p, who, 0, stack, count), 0);
}

static void end(void)
{
	p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
	ck_assert_int_eq(diff_windows_add(w, p), 0);
	profile_clear(p);
	p->start_ns = p->end_ns;
}

static uint32_t number(const char *name)
{
	for (uint32_t i = 0; i < dict_functions(w->dict); i++)
		if (streq(dict_get_function(w->dict, i)->name, name))
			return i;
	ck_abort_msg("no %s", name);
	return 0;
}

static void counted(uint32_t window, const char *name, double self, double total)
{
	uint32_t f = number(name), times = 0;

	for (uint32_t i = 0; i < w->ncounts; i++) {
		if (w->counts[i].window != window || w->counts[i].function != f)
			continue;
		ck_assert_double_eq(w->counts[i].self, self);
		ck_assert_double_eq(w->counts[i].total, total);
		times++;
	}
	ck_assert_uint_eq(times, total > 0);
}

static double called(const char *caller, const char *callee)
{
	double samples = 0;

	for (uint32_t i = 0; i < w->calls.n; i++)
		if (w->calls.pairs[i].a == number(caller) && w->calls.pairs[i].b == number(callee))
			samples += w->calls.pairs[i].samples;
	return samples;
}

START_TEST(functions_are_counted)
{
	add(process, "ab", 1, 3);
	add(process, "ab", 9, 2);  /* another line is the same function */
	add(process, "aba", 1, 4); /* a recursion is anywhere once */
	add(other, "ac", 1, 1);
	end();
	end(); /* nothing in it */
	add(process, "ac", 1, 7);
	end();
	ck_assert_int_eq(diff_windows_close(w), 0);
	ck_assert_uint_eq(w->n, 2);
	ck_assert_uint_eq(w->seen, 2);
	ck_assert_double_eq(w->totals[0], 10);
	ck_assert_double_eq(w->totals[1], 7);
	counted(0, "a", 4, 10);
	counted(0, "b", 5, 9);
	counted(0, "c", 1, 1);
	counted(1, "a", 0, 7);
	counted(1, "b", 0, 0);
	counted(1, "c", 7, 7);
	ck_assert_double_eq(called("a", "b"), 9);
	ck_assert_double_eq(called("b", "a"), 4);
	ck_assert_double_eq(called("a", "c"), 8);
	ck_assert_double_eq(w->samples, 17);
	ck_assert_double_eq(w->seconds, 60);
	ck_assert_uint_eq(w->hz_least, 100);
	ck_assert_uint_eq(w->nparts, 2);
	ck_assert_str_eq(dict_get_text(w->dict, w->parts[0].name), "shop");
	ck_assert_double_eq(w->parts[0].samples, 16);
	ck_assert_str_eq(dict_get_text(w->dict, w->parts[1].name), "job");
}
END_TEST

/* Another profile, with other numbers for the same functions. */
START_TEST(numbers_may_change)
{
	struct diff_windows *first = w;

	add(process, "xyab", 1, 1);
	end();
	ck_assert_int_eq(diff_windows_close(w), 0);
	profile_free(p);
	setup();
	diff_windows_free(w);
	w = first;
	add(process, "ab", 1, 5);
	end();
	ck_assert_int_eq(diff_windows_close(w), 0);
	counted(0, "b", 1, 1);
	counted(1, "b", 5, 5);
	ck_assert_double_eq(called("a", "b"), 6);
	ck_assert_double_eq(called("y", "a"), 1);
}
END_TEST

/* However many there are, nothing is lost. */
START_TEST(many_windows_become_fewer)
{
	const uint32_t many = 5 * DIFF_WINDOWS + 3;
	double a = 0, b = 0, all = 0, sum = 0;

	for (uint32_t i = 0; i < many; i++) {
		add(process, i % 3 ? "ab" : "a", 1, 1 + i % 5);
		all += 1 + i % 5;
		b += i % 3 ? 1 + i % 5 : 0;
		end();
	}
	ck_assert_int_eq(diff_windows_close(w), 0);
	ck_assert_uint_eq(w->seen, many);
	ck_assert_uint_le(w->n, DIFF_WINDOWS);
	ck_assert_uint_gt(w->n, DIFF_WINDOWS / 2);
	for (uint32_t i = 0; i < w->n; i++)
		sum += w->totals[i];
	ck_assert_double_eq(sum, all);
	sum = 0;
	for (uint32_t i = 0; i < w->ncounts; i++) {
		ck_assert_uint_lt(w->counts[i].window, w->n);
		ck_assert(i == 0 || w->counts[i].window >= w->counts[i - 1].window);
		if (w->counts[i].function == number("a"))
			a += w->counts[i].total;
		else
			sum += w->counts[i].total;
	}
	ck_assert_double_eq(a, all);
	ck_assert_double_eq(sum, b);
	/* each window but the last is of as many as the others */
	for (uint32_t i = 0; i + 1 < w->n; i++)
		ck_assert_double_gt(w->totals[i], 8 * 1);
}
END_TEST

/* Of many functions there are fewer windows, so that all of it takes no more memory than it may. */
START_TEST(many_functions)
{
	double sum = 0, all = 0;

	for (uint32_t i = 0; i < 300; i++) {
		for (uint32_t f = 0; f < 4000; f++) {
			uint32_t function, frame, stack;
			char name[16];

			snprintf(name, sizeof(name), "f%u", f);
			ck_assert_int_eq(dict_python(p->dict, name, "/x.py", 1, &function), 0);
			ck_assert_int_eq(dict_frame(p->dict, function, 1, &frame), 0);
			ck_assert_int_eq(dict_stack(p->dict, &frame, 1, &stack), 0);
			ck_assert_int_eq(profile_add(p, process, 0, stack, 1), 0);
		}
		all += 4000;
		end();
	}
	ck_assert_int_eq(diff_windows_close(w), 0);
	ck_assert_uint_ge(w->n, DIFF_WINDOWS_FEW / 2);
	ck_assert_uint_le(w->n, DIFF_WINDOWS_FEW);
	ck_assert_uint_lt(diff_windows_bytes(w), 8u << 20);
	for (uint32_t i = 0; i < w->ncounts; i++)
		sum += w->counts[i].self;
	ck_assert_double_eq(sum, all);
}
END_TEST

CHECK_MAIN_WITH("diff/windows", setup, teardown, functions_are_counted, numbers_may_change,
		many_windows_become_fewer, many_functions);
