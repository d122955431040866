/* SPDX-License-Identifier: BSD-2-Clause */
#include <semaphore.h>

#include "../store/dir.h"
#include "check_main.h"
#include "target/shares.h"
#include "target/targets.h"
#include "window/windows.h"

/* The windows alone: no sampler, no socket. Cycles are made by hand, and so is the time. */
static struct windows w;
static struct cycle beat;
static struct shares shares;
static struct config config;
static struct dir folder;

/*
 * The time now, which nothing but the tests moves on. That day begins with a window; the first one
 * has half an hour left.
 */
#define MIDNIGHT_NS (20000 * 86400 * NSEC_PER_SEC)
#define FIRST_NS    (MIDNIGHT_NS + 1800 * NSEC_PER_SEC)
static struct time_of_day now;
static bool early; /* the clock is set to a time before 1970 */

static uint64_t test_clock(clockid_t id)
{
	switch (id) {
	case CLOCK_REALTIME:
		return early ? 0 : now.real;
	case CLOCK_BOOTTIME:
		return now.boot;
	default:
		return now.mono;
	}
}

static void pass(uint64_t ns)
{
	now.real += ns;
	now.mono += ns;
	now.boot += ns;
}

static void setup(void)
{
	_cleanup_free_ char *error = NULL;
	sd_event *loop;

	dir_make(&folder);
	config = (struct config){ .hz = 100,
				  .window_ns = 3600 * NSEC_PER_SEC,
				  .retention_ns = 3600 * NSEC_PER_SEC,
				  .max_store = 1 << 30,
				  .state_dir = folder.path };
	now = (struct time_of_day){ FIRST_NS, 1000 * NSEC_PER_SEC, 1000 * NSEC_PER_SEC };
	ck_assert_int_ge(sd_event_new(&loop), 0);
	cycle_init(&beat, loop, test_clock, NULL, NULL);
	ck_assert_int_ge(windows_init(&w, &beat, &config, &shares, &error), 0);
}

static void teardown(void)
{
	windows_done(&w);
	sd_event_unref(beat.loop);
	dir_done(&folder);
}

/* A complete cycle, elapsed after the one before and just now, that counted some ticks. */
static void cycle(uint64_t elapsed_ns, uint64_t ticks)
{
	struct tally t = { .ticks = ticks, .other = ticks };

	pass(elapsed_ns);
	cycle_swapped(&beat);
	windows_cycle(&w, beat.number, &t);
	cycle_complete(&beat);
}

static void end_window(uint64_t ticks)
{
	w.close_cycle = beat.number + 1;
	cycle(NSEC_PER_SEC, ticks);
}

/* A question whose reading of the store waits until it is let go. */
struct question {
	struct windows_held held;
	sem_t go;
	uint64_t ticks, windows; /* in the answer */
	bool answered;
};

static uint64_t stored(struct question *q)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;

	ck_assert_int_eq(store_reader_open(folder.path, &reader, NULL), 0);
	if (q)
		store_reader_pass_over(reader, q->held.starts, q->held.n);
	ck_assert_int_eq(store_profile(reader, 0, INT64_MAX, NULL, &p), 0);
	return p->tally.ticks;
}

static void question_run(void *ctx)
{
	struct question *q = ctx;

	sem_wait(&q->go);
	q->ticks = stored(q);
}

static int question_add(const struct profile *p, void *ctx)
{
	struct question *q = ctx;

	q->ticks += p->tally.ticks;
	q->windows++;
	return 0;
}

static void question_done(void *ctx)
{
	struct question *q = ctx;

	ck_assert_int_eq(windows_each_held(&w, &q->held, question_add, q), 0);
	windows_answered(&w);
	q->answered = true;
}

static void ask(struct question *q)
{
	*q = (struct question){};
	sem_init(&q->go, 0, 0);
	ck_assert_int_eq(windows_ask(&w, question_run, question_done, q, &q->held), 0);
}

static void wait_for_answer(struct question *q)
{
	while (!q->answered)
		ck_assert_int_ge(sd_event_run(beat.loop, UINT64_MAX), 0);
}

static unsigned int kept(void)
{
	unsigned int n = 0;

	for (int i = 0; i < WINDOWS_SAVING_MAX; i++)
		n += w.saving[i].window != NULL;
	return n;
}

/*
 * The window is in the store when that is read, and still in memory when the answer is put
 * together.
 */
START_TEST(saved_before_the_store_is_read)
{
	struct question q;

	cycle(NSEC_PER_SEC, 5);
	end_window(7);
	ask(&q);
	while (stored(NULL) != 12)
		usleep(1000);
	sem_post(&q.go);
	wait_for_answer(&q);
	ck_assert_uint_eq(q.ticks, 12);
	ck_assert_uint_eq(q.windows, 2);
}
END_TEST

/* A window that was saved stays in memory for a question asked before, and no longer. */
START_TEST(kept_for_the_question)
{
	struct question q;

	cycle(NSEC_PER_SEC, 5);
	ask(&q);
	end_window(7);
	while (!w.saving[0].finished)
		ck_assert_int_ge(sd_event_run(beat.loop, UINT64_MAX), 0);
	ck_assert_uint_eq(w.facts.windows, 1);
	ck_assert_uint_eq(kept(), 1);
	cycle(NSEC_PER_SEC, 3);
	sem_post(&q.go);
	wait_for_answer(&q);
	ck_assert_uint_eq(q.ticks, 15);
	ck_assert_uint_eq(kept(), 0);
}
END_TEST

/*
 * Somebody sets the clock: the window that runs ends with its true length, the next one goes by the
 * new time.
 */
static void set_clock(int64_t by_ns)
{
	const struct profile *p;

	cycle(NSEC_PER_SEC, 5);
	now.real += (uint64_t)by_ns;
	cycle(NSEC_PER_SEC, 7);
	p = w.saving[0].window;
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(p->start_ns, FIRST_NS);
	ck_assert_uint_eq(p->end_ns, FIRST_NS + 2 * NSEC_PER_SEC);
	ck_assert_uint_eq(p->tally.ticks, 12);
	ck_assert_int_eq(p->stepped_ns, 0);
	p = windows_running(&w);
	ck_assert_uint_eq(p->start_ns, now.real);
	ck_assert_int_eq(p->stepped_ns, by_ns);
	ck_assert_ptr_nonnull(w.watch.notices[NOTICE_CLOCK].text);
	ck_assert_uint_eq(w.end_ns, MIDNIGHT_NS + (uint64_t)by_ns + config.window_ns);
	/* once, not at every cycle */
	cycle(NSEC_PER_SEC, 1);
	p = windows_running(&w);
	ck_assert_uint_eq(p->tally.ticks, 1);
	ck_assert_uint_eq(p->end_ns, p->start_ns + NSEC_PER_SEC);
}

START_TEST(clock_set_forward)
{
	set_clock((int64_t)(86400 * NSEC_PER_SEC));
}
END_TEST

START_TEST(clock_set_back)
{
	set_clock(-(int64_t)(86400 * NSEC_PER_SEC));
}
END_TEST

/*
 * A clock before 1970 stands at 1970 when the machine started; that it is set is said when it is,
 * and when it is set right.
 */
START_TEST(clock_before_1970)
{
	const struct profile *p;

	cycle(NSEC_PER_SEC, 5);
	early = true;
	cycle(NSEC_PER_SEC, 5);
	ck_assert_uint_eq(kept(), 1);
	p = windows_running(&w);
	ck_assert_uint_eq(p->start_ns, now.boot);
	ck_assert_int_eq(p->stepped_ns, (int64_t)now.boot - (int64_t)now.real);
	for (int i = 0; i < 5; i++)
		cycle(NSEC_PER_SEC, 5);
	ck_assert_uint_eq(kept(), 1);
	p = windows_running(&w);
	ck_assert_uint_eq(p->end_ns, now.boot);
	early = false;
	cycle(NSEC_PER_SEC, 5);
	p = windows_running(&w);
	ck_assert_uint_eq(p->start_ns, now.real);
	ck_assert_int_eq(p->stepped_ns, (int64_t)now.real - (int64_t)now.boot);
}
END_TEST

/* A machine that sleeps: the window does not say that it ran so long, and nobody set the clock. */
START_TEST(machine_asleep)
{
	const struct profile *p;

	cycle(NSEC_PER_SEC, 5);
	now.real += 600 * NSEC_PER_SEC;
	now.boot += 600 * NSEC_PER_SEC;
	cycle(NSEC_PER_SEC, 5);
	ck_assert_uint_eq(kept(), 1);
	p = w.saving[0].window;
	ck_assert_uint_eq(p->end_ns, FIRST_NS + 2 * NSEC_PER_SEC);
	p = windows_running(&w);
	ck_assert_uint_eq(p->start_ns, now.real);
	ck_assert_int_eq(p->stepped_ns, 0);
	ck_assert_ptr_null(w.watch.notices[NOTICE_CLOCK].text);
}
END_TEST

/* Samples of one process after the other, as many as make count. */
static int add_samples(uint32_t count)
{
	struct target k = { .info = process_info_of(1) };
	char name[600];
	struct plop_stack stack = { .count = 1, .flags = PLOP_STACK_NO_THREAD };
	struct symbolized_stack y = { .stack = &stack };
	int r = 0;

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	k.info.cmdline = name;
	for (uint32_t i = 0; i < count && r == 0; i++) {
		k.info.start_ticks = i;
		r = windows_add(&w, &k, &y);
	}
	return r;
}

/* A window that takes much memory ends with its cycle, and takes no more than that before. */
START_TEST(large)
{
	cycle(NSEC_PER_SEC, 5);
	ck_assert_int_eq(add_samples(1000), 0);
	cycle(NSEC_PER_SEC, 5);
	ck_assert_uint_eq(kept(), 0);
	ck_assert_int_eq(add_samples(WINDOW_BYTES_MAX / 600), 0);
	ck_assert_uint_gt(profile_bytes(sink_profile(w.running)), WINDOW_BYTES_MAX);
	cycle(NSEC_PER_SEC, 5);
	ck_assert_uint_eq(kept(), 1);
	ck_assert_uint_eq(w.saving[0].window->tally.ticks, 15);
	ck_assert_uint_eq(windows_running(&w)->samples_total, 0);
	ck_assert_int_eq(add_samples(3 * WINDOW_BYTES_MAX / 600), -ENOMEM);
	ck_assert_uint_lt(profile_bytes(sink_profile(w.running)), 3 * WINDOW_BYTES_MAX);
}
END_TEST

CHECK_MAIN_WITH("window/windows", setup, teardown, saved_before_the_store_is_read,
		kept_for_the_question, clock_set_forward, clock_set_back, clock_before_1970,
		machine_asleep, large);
