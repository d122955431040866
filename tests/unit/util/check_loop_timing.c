/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "util/clock.h"
#include "util/loop_timing.h"

#define SPAN (30 * NSEC_PER_SEC)

START_TEST(the_longest_is_kept)
{
	struct loop_timing l = { .span_ns = SPAN };

	loop_timing_add(&l, 1000, 3000, 500);
	loop_timing_add(&l, 4000, 4100, 590);
	ck_assert_uint_eq(l.longest.elapsed_ns, 2000);
	ck_assert_uint_eq(l.longest.cpu_ns, 500);
	ck_assert_uint_eq(l.events, 2);
	ck_assert_uint_eq(l.late, 0);
	/* exactly as long as is allowed, and a moment longer */
	loop_timing_add(&l, 5000, 5000 + LOOP_LONG_NS, 600);
	ck_assert_uint_eq(l.late, 0);
	loop_timing_add(&l, 5000, 5001 + LOOP_LONG_NS, 600);
	ck_assert_uint_eq(l.late, 1);
	ck_assert_uint_eq(l.longest.elapsed_ns, LOOP_LONG_NS + 1);
	ck_assert_uint_eq(l.longest.cpu_ns, 500);
}
END_TEST

START_TEST(what_is_recent)
{
	struct loop_timing l = { .span_ns = SPAN };
	uint64_t now = NSEC_PER_SEC;

	loop_timing_add(&l, now, now + 7000, 0);
	/* the span that it was in is the one before now */
	now = SPAN + NSEC_PER_SEC;
	loop_timing_add(&l, now, now + 10, 0);
	ck_assert_uint_eq(loop_timing_recent(&l).elapsed_ns, 7000);
	/* ... and now neither */
	now += SPAN;
	loop_timing_add(&l, now, now + 20, 0);
	ck_assert_uint_eq(loop_timing_recent(&l).elapsed_ns, 20);
	now += 5 * SPAN;
	loop_timing_add(&l, now, now + 3, 0);
	ck_assert_uint_eq(loop_timing_recent(&l).elapsed_ns, 3);
	ck_assert_uint_eq(l.longest.elapsed_ns, 7000);
}
END_TEST

static int work(sd_event_source *s, void *ctx)
{
	uint64_t *until = ctx;

	*until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 2 * NSEC_PER_MSEC;
	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < *until)
		;
	return sd_event_exit(sd_event_source_get_event(s), 3);
}

static void spend(uint64_t ns)
{
	uint64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		;
}

static void event(struct loop_timing *l)
{
	loop_timing_add(l, 0, 1000, clock_ns(CLOCK_THREAD_CPUTIME_ID));
}

START_TEST(what_most_of_it_was_for)
{
	struct loop_timing l;

	loop_timing_init(&l, NULL, SPAN);
	spend(NSEC_PER_MSEC);
	event(&l);
	ck_assert_ptr_null(l.longest.what);
	loop_part("short");
	spend(NSEC_PER_MSEC / 10);
	loop_part("long");
	spend(4 * NSEC_PER_MSEC);
	loop_part("short too");
	event(&l);
	ck_assert_str_eq(l.longest.what, "long");
	/* nothing is left of one event for the next, and a shorter one changes nothing */
	loop_part("another");
	spend(NSEC_PER_MSEC / 10);
	event(&l);
	ck_assert_str_eq(l.longest.what, "long");
	/* an event of one part alone */
	loop_part("alone");
	spend(10 * NSEC_PER_MSEC);
	event(&l);
	ck_assert_str_eq(l.longest.what, "alone");
	ck_assert_str_eq(loop_timing_recent(&l).what, "alone");
}
END_TEST

START_TEST(a_loop_that_runs)
{
	sd_event_source *source = NULL;
	struct loop_timing l;
	sd_event *event = NULL;
	uint64_t until = 0;

	ck_assert_int_ge(sd_event_new(&event), 0);
	loop_timing_init(&l, event, SPAN);
	ck_assert_int_eq(loop_timing_once(&l, 0), 0);
	ck_assert_uint_eq(l.events, 0);
	ck_assert_int_ge(sd_event_add_defer(event, &source, work, &until), 0);
	ck_assert_int_eq(loop_timing_run(&l), 3);
	ck_assert_uint_ge(l.events, 1);
	ck_assert_uint_ge(l.longest.cpu_ns, 2 * NSEC_PER_MSEC);
	ck_assert_uint_ge(l.longest.elapsed_ns, 2 * NSEC_PER_MSEC);
	ck_assert_uint_eq(loop_timing_recent(&l).cpu_ns, l.longest.cpu_ns);
	sd_event_source_unref(source);
	sd_event_unref(event);
}
END_TEST

CHECK_MAIN("util/loop_timing", the_longest_is_kept, what_is_recent, what_most_of_it_was_for,
	   a_loop_that_runs);
