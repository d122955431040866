/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>

#include "host/waits.h"

#define MS UINT64_C(1000000)

struct fixture {
	struct waits *waits;
	struct sink *sink;
	uint32_t process;
};

static void fixture_init(struct fixture *f, uint64_t begun_ns)
{
	struct process_info info = { .pid = 5,
				     .start_ticks = 9,
				     .comm = (char *)"p",
				     .exe = (char *)"",
				     .cmdline = (char *)"",
				     .cgroup = (char *)"",
				     .unit = (char *)"",
				     .container = (char *)"",
				     .service = (char *)"",
				     .version = (char *)"" };

	ck_assert_int_eq(waits_new(begun_ns, &f->waits), 0);
	ck_assert_int_eq(sink_new(1000, 100, &f->sink), 0);
	ck_assert_int_eq(profile_process(sink_profile(f->sink), &info, "3.13.0", &f->process), 0);
}

static void fixture_done(struct fixture *f)
{
	waits_free(f->waits);
	sink_free(f->sink);
}

/* The ns of one state in the profile. */
static uint64_t total(const struct fixture *f, enum sample_state state)
{
	const struct profile *p = sink_profile(f->sink);
	uint64_t ns = 0;

	for (uint32_t i = 0; i < p->nsamples; i++)
		ns += p->samples[i].state == state ? p->samples[i].wall_ns : 0;
	return ns;
}

static struct plop_record_wait wait_of(uint64_t since, uint64_t ns, uint64_t runnable_ns,
				       uint32_t kind)
{
	return (struct plop_record_wait){ .head = { .type = PLOP_RECORD_WAIT, .tgid = 5 },
					  .hash = 77,
					  .since = since,
					  .ns = ns,
					  .runnable_ns = runnable_ns,
					  .tid = 6,
					  .kind = kind,
					  .syscall = -1 };
}

/* Only what lies between the recording's begin and its end counts, of the sleep and of the wait for a CPU behind it. */
START_TEST(clipped)
{
	struct plop_record_wait before = wait_of(50 * MS, 40 * MS, 0, PLOP_WAIT_SLEEPING);
	struct plop_record_wait across = wait_of(90 * MS, 30 * MS, 5 * MS, PLOP_WAIT_SLEEPING);
	struct plop_record_wait beyond = wait_of(150 * MS, 100 * MS, 60 * MS, PLOP_WAIT_GIL);
	struct fixture f;

	fixture_init(&f, 100 * MS);
	ck_assert_int_eq(waits_add(f.waits, &before, f.process, UINT64_MAX), 0);
	ck_assert_int_eq(waits_add(f.waits, &across, f.process, UINT64_MAX), 0);
	ck_assert_int_eq(waits_add(f.waits, &beyond, f.process, 200 * MS), 0);
	ck_assert_int_eq(waits_settle(f.waits, f.sink, true), 0);
	ck_assert_uint_eq(total(&f, SAMPLE_SLEEPING), 15 * MS);
	ck_assert_uint_eq(total(&f, SAMPLE_WAITING_GIL), 40 * MS);
	ck_assert_uint_eq(total(&f, SAMPLE_RUNNABLE), 15 * MS);
	fixture_done(&f);
}
END_TEST

/* Who sleeps at the end did so until then; what a record says that cannot be is bounded. */
START_TEST(still_asleep)
{
	struct plop_sleeper s = { .key = UINT64_C(5) << 32 | 6,
				  .hash = 77,
				  .since = 120 * MS,
				  .woken = 170 * MS,
				  .kind = PLOP_WAIT_SLEEPING,
				  .syscall = -1 };
	struct plop_record_wait odd = wait_of(100 * MS, 10 * MS, 500 * MS, PLOP_WAIT_SLEEPING);
	struct fixture f;

	fixture_init(&f, 100 * MS);
	waits_sleeping(f.waits, &s, f.process, 200 * MS);
	s.since = 300 * MS;
	waits_sleeping(f.waits, &s, f.process, 200 * MS);
	ck_assert_int_eq(waits_settle(f.waits, f.sink, true), 0);
	ck_assert_uint_eq(total(&f, SAMPLE_SLEEPING), 50 * MS);
	ck_assert_uint_eq(total(&f, SAMPLE_RUNNABLE), 30 * MS);
	ck_assert_int_eq(waits_add(f.waits, &odd, f.process, 200 * MS), 0);
	ck_assert_int_eq(waits_settle(f.waits, f.sink, true), 0);
	ck_assert_uint_eq(total(&f, SAMPLE_RUNNABLE), 40 * MS);
	fixture_done(&f);
}
END_TEST

/* A time waits some cycles for its stack, and is not lost when none comes. */
START_TEST(without_a_stack)
{
	struct plop_record_wait w = wait_of(110 * MS, 10 * MS, 0, PLOP_WAIT_RUNNABLE);
	struct fixture f;
	int cycles = 0;

	w.runnable_ns = w.ns;
	fixture_init(&f, 100 * MS);
	ck_assert_int_eq(waits_add(f.waits, &w, f.process, UINT64_MAX), 0);
	while (total(&f, SAMPLE_RUNNABLE) == 0) {
		ck_assert_int_lt(cycles++, 10);
		ck_assert_int_eq(waits_settle(f.waits, f.sink, false), 0);
	}
	ck_assert_int_gt(cycles, 1);
	ck_assert_uint_eq(total(&f, SAMPLE_RUNNABLE), 10 * MS);
	fixture_done(&f);
}
END_TEST

static int own_process(uint32_t tgid, uint32_t *ret, void *ctx)
{
	const struct fixture *f = ctx;

	*ret = f->process;
	return 0;
}

/* The threads of this test: the one that runs was seen on a CPU, no other is there. */
START_TEST(threads_that_nobody_saw_leave)
{
	struct plop_record_wait back = wait_of(0, 130 * MS, 0, 0);
	struct fixture f;
	uint32_t id;

	fixture_init(&f, 100 * MS);
	waits_threads(f.waits, getpid());
	back.head.tgid = back.tid = (uint32_t)getpid();
	/* it came back at 130 ms; from then on its times come as others do */
	ck_assert_int_eq(waits_add(f.waits, &back, f.process, UINT64_MAX), 0);
	ck_assert_int_eq(waits_add(f.waits, &back, f.process, UINT64_MAX), 0);
	ck_assert_int_eq(waits_settle(f.waits, f.sink, true), 0);
	ck_assert_uint_eq(total(&f, SAMPLE_SLEEPING), 30 * MS);
	/* one that did not come back at all */
	waits_threads(f.waits, getpid());
	ck_assert_int_eq(waits_asleep_throughout(f.waits, f.sink, own_process, &f, 200 * MS), 0);
	ck_assert_int_eq(waits_settle(f.waits, f.sink, true), 0);
	ck_assert_uint_eq(total(&f, SAMPLE_SLEEPING), 130 * MS);
	/* ... and one that was on a CPU all the time */
	waits_threads(f.waits, getpid());
	ck_assert_int_eq(dict_stack(sink_profile(f.sink)->dict, NULL, 0, &id), 0);
	ck_assert_int_eq(profile_add(sink_profile(f.sink), f.process, (uint32_t)getpid(), id, 1),
			 0);
	ck_assert_int_eq(waits_asleep_throughout(f.waits, f.sink, own_process, &f, 200 * MS), 0);
	ck_assert_int_eq(waits_settle(f.waits, f.sink, true), 0);
	ck_assert_uint_eq(total(&f, SAMPLE_SLEEPING), 130 * MS);
	fixture_done(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("waits");
	TCase *c = tcase_create("waits");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, c);
	tcase_add_test(c, clipped);
	tcase_add_test(c, still_asleep);
	tcase_add_test(c, without_a_stack);
	tcase_add_test(c, threads_that_nobody_saw_leave);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
