/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>

#include "check_main.h"
#include "util/worker.h"

/*
 * What a job writes on the worker is read by its done() on the loop, and the other way round,
 * without locks of its own: a build by preset threads says whether that holds.
 */
#define JOBS 200

struct job {
	pthread_t thread;
	unsigned int number, order;
	bool done, again;
};

static sd_event *loop;
static struct worker *worker;
static unsigned int ran, finished;

static void setup(void)
{
	ck_assert_int_ge(sd_event_new(&loop), 0);
	ck_assert_int_eq(worker_new(loop, "tested", JOBS, &worker), 0);
	ran = finished = 0;
}

static void teardown(void)
{
	worker_free(TAKE_PTR(worker));
	loop = sd_event_unref(loop);
}

static void run(void *ctx)
{
	struct job *j = ctx;

	j->thread = pthread_self();
	j->order = ran++;
}

static void done(void *ctx)
{
	struct job *j = ctx;

	ck_assert(!pthread_equal(j->thread, pthread_self()));
	ck_assert_uint_eq(j->order, finished++);
	j->done = true;
	if (j->again) {
		j->again = j->done = false;
		ck_assert_int_eq(worker_continue(worker, run, done, j), 0);
	}
}

START_TEST(each_runs_once_and_in_its_order)
{
	struct job jobs[JOBS] = {};
	unsigned int all = JOBS;

	for (unsigned int i = 0; i < JOBS; i++) {
		jobs[i].again = i % 10 == 0;
		all += jobs[i].again;
		ck_assert_int_eq(worker_submit(worker, run, done, &jobs[i]), 0);
		if (i % 50 == 49)
			ck_assert_int_ge(sd_event_run(loop, 0), 0);
	}
	while (finished < all)
		ck_assert_int_ge(sd_event_run(loop, UINT64_MAX), 0);
	for (unsigned int i = 0; i < JOBS; i++)
		ck_assert(jobs[i].done);
}
END_TEST

/* Holds the worker up until it is let go. */
static void wait_for(void *ctx)
{
	pthread_mutex_lock(ctx);
	pthread_mutex_unlock(ctx);
}

START_TEST(the_queue_has_an_end)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct job job = {}, more = {};

	pthread_mutex_lock(&gate);
	ck_assert_int_eq(worker_submit(worker, wait_for, NULL, &gate), 0);
	for (unsigned int i = 1; i < JOBS; i++)
		ck_assert_int_eq(worker_submit(worker, run, NULL, &job), 0);
	ck_assert_int_eq(worker_submit(worker, run, NULL, &more), -EAGAIN);
	/* but not for what goes on */
	ck_assert_int_eq(worker_continue(worker, run, done, &more), 0);
	pthread_mutex_unlock(&gate);
	finished = JOBS - 1;
	while (!more.done)
		ck_assert_int_ge(sd_event_run(loop, UINT64_MAX), 0);
}
END_TEST

START_TEST(what_waits_at_the_end_is_run)
{
	struct job jobs[JOBS] = {};

	for (unsigned int i = 0; i < JOBS; i++)
		ck_assert_int_eq(worker_submit(worker, run, done, &jobs[i]), 0);
	worker_free(TAKE_PTR(worker));
	for (unsigned int i = 0; i < JOBS; i++)
		ck_assert(jobs[i].done);
}
END_TEST

CHECK_MAIN_WITH("util/worker", setup, teardown, each_runs_once_and_in_its_order,
		the_queue_has_an_end, what_waits_at_the_end_is_run);
