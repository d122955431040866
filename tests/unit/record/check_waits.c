/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/syscall.h>

#include "check_main.h"
#include "record/waits.h"

#define MS UINT64_C(1000000)

struct fixture {
	struct waits *waits;
	struct sink *sink;
	uint32_t process;
};

static void fixture_init(struct fixture *f, uint64_t begun_ns)
{
	struct process_info info = process_info_of(5);

	info.start_ticks = 9;
	info.comm = (char *)"p";
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
		ns += p->samples[i].state == state ? p->samples[i].off_cpu_ns : 0;
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

/*
 * Only what lies between the recording's begin and its end counts, of the sleep and of the wait for
 * a CPU behind it.
 */
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

/*
 * The leaf that stands on top of a stack of so many frames with that root and has most of the time.
 */
static const char *leaf_below(const struct fixture *f, const char *root, uint64_t ns)
{
	const struct profile *p = sink_profile(f->sink);

	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct dict_stack *k = dict_get_stack(p->dict, p->samples[i].stack);
		const struct dict_frame *leaf, *first = dict_get_frame(p->dict, k->frames[0]);

		leaf = dict_get_frame(p->dict, k->frames[k->depth - 1]);
		if (p->samples[i].off_cpu_ns == ns && k->depth > 1 &&
		    streq(dict_get_function(p->dict, first->function)->name, root))
			return dict_get_function(p->dict, leaf->function)->name;
	}
	return "";
}

#define BEFORE "[began before the recording]"

static struct plop_record_wait back_of(uint64_t ended_ns, uint32_t kind, uint64_t runnable_ns)
{
	uint32_t tid = (uint32_t)getpid();

	return (struct plop_record_wait){ .head = { .type = PLOP_RECORD_WAIT, .tgid = tid },
					  .ns = ended_ns,
					  .runnable_ns = runnable_ns,
					  .tid = tid,
					  .kind = kind,
					  .syscall = -1 };
}

static uint32_t finish(struct fixture *f)
{
	uint32_t unread;

	ck_assert_int_eq(waits_from_before(f->waits, f->sink, own_process, f, 200 * MS, &unread),
			 0);
	ck_assert_int_eq(waits_settle(f->waits, f->sink, true), 0);
	return unread;
}

/* The thread of this test, as one that came back in the recording, in each way that can be told. */
START_TEST(began_before)
{
	static const struct {
		uint32_t kind;
		uint64_t runnable_ns;
		enum sample_state state;
		const char *leaf;
	} ways[] = {
		{ PLOP_WAIT_RUNNABLE, 0, SAMPLE_RUNNABLE, "[runnable]" },
		{ PLOP_WAIT_SLEEPING, 10 * MS, SAMPLE_SLEEPING, "[sleeping: futex]" },
		{ PLOP_WAIT_UNTOLD, 0, SAMPLE_OFF_CPU, "[off CPU]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct plop_record_wait back = back_of(130 * MS, ways[i].kind, ways[i].runnable_ns);
		uint64_t ns = 30 * MS - ways[i].runnable_ns;
		struct fixture f;

		back.syscall = ways[i].kind == PLOP_WAIT_SLEEPING ? SYS_futex : -1;
		fixture_init(&f, 100 * MS);
		waits_threads(f.waits, getpid());
		/* from then on its times come as others do */
		ck_assert_int_eq(waits_add(f.waits, &back, f.process, UINT64_MAX), 0);
		ck_assert_int_eq(waits_add(f.waits, &back, f.process, UINT64_MAX), 0);
		ck_assert_uint_eq(finish(&f), 0);
		ck_assert_uint_eq(total(&f, ways[i].state), ns);
		ck_assert_str_eq(leaf_below(&f, BEFORE, ns), ways[i].leaf);
		if (ways[i].runnable_ns)
			ck_assert_uint_eq(total(&f, SAMPLE_RUNNABLE), ways[i].runnable_ns);
		fixture_done(&f);
	}
}
END_TEST

/* A futex that is the GIL is told once it is known where that is. */
START_TEST(began_before_at_the_gil)
{
	struct plop_record_wait back = back_of(130 * MS, PLOP_WAIT_SLEEPING, 10 * MS);
	struct fixture f;
	pid_t pid;
	uint32_t n;

	back.syscall = SYS_futex;
	back.hash = 0x5040;
	fixture_init(&f, 100 * MS);
	waits_threads(f.waits, getpid());
	ck_assert(waits_unread(f.waits, &pid, &n) && pid == getpid() && n >= 1);
	ck_assert(!waits_unread(f.waits, &pid, &n));
	ck_assert_int_eq(waits_add(f.waits, &back, f.process, UINT64_MAX), 0);
	waits_gil(f.waits, getpid(), 0x4000, 208);
	waits_gil(f.waits, getpid(), 0x5000, 208);
	finish(&f);
	ck_assert_uint_eq(total(&f, SAMPLE_WAITING_GIL), 30 * MS);
	ck_assert_uint_eq(total(&f, SAMPLE_RUNNABLE), 0);
	fixture_done(&f);
}
END_TEST

static struct asleep_thread read_of(uint64_t at_ns, struct asleep_frame *frame)
{
	return (struct asleep_thread){ .tid = (uint32_t)getpid(),
				       .switches = UINT64_MAX,
				       .at_ns = at_ns,
				       .syscall = SYS_read,
				       .frames = frame,
				       .n = 1 };
}

/* What was read of a thread counts for the wait that it was read in, and for no other. */
START_TEST(read_from_outside)
{
	struct asleep_frame frame = { PLOP_FRAME_PYTHON, (char *)"f", (char *)"/f.py", 1, 2 };
	struct asleep_thread early = read_of(99 * MS, &frame), within = read_of(120 * MS, &frame),
			     late = read_of(131 * MS, &frame);
	struct plop_record_wait back = back_of(130 * MS, PLOP_WAIT_SLEEPING, 0);
	struct fixture f;

	back.syscall = SYS_futex;
	fixture_init(&f, 100 * MS);
	waits_threads(f.waits, getpid());
	ck_assert_int_eq(waits_read(f.waits, f.sink, getpid(), &early), 0);
	ck_assert_int_eq(waits_add(f.waits, &back, f.process, UINT64_MAX), 0);
	ck_assert_int_eq(waits_read(f.waits, f.sink, getpid(), &late), 0);
	finish(&f);
	ck_assert_str_eq(leaf_below(&f, BEFORE, 30 * MS), "[sleeping: futex]");
	fixture_done(&f);

	fixture_init(&f, 100 * MS);
	waits_threads(f.waits, getpid());
	ck_assert_int_eq(waits_read(f.waits, f.sink, getpid(), &late), 0);
	ck_assert_int_eq(waits_add(f.waits, &back, f.process, UINT64_MAX), 0);
	ck_assert_int_eq(waits_read(f.waits, f.sink, getpid(), &within), 0);
	finish(&f);
	ck_assert_str_eq(leaf_below(&f, "f", 30 * MS), "[sleeping: read]");
	fixture_done(&f);
}
END_TEST

/* One that was not seen to come back at all. */
START_TEST(throughout)
{
	struct asleep_frame frame = { PLOP_FRAME_PYTHON, (char *)"f", (char *)"/f.py", 1, 2 };
	struct asleep_thread within = read_of(120 * MS, &frame);
	struct plop_sleeper woken = { .key = (uint64_t)getpid() << 32 | (uint32_t)getpid(),
				      .woken = 150 * MS };
	struct fixture f;
	uint32_t id;

	/* its switches are not those of this thread now: it has run since it was read */
	fixture_init(&f, 100 * MS);
	waits_threads(f.waits, getpid());
	ck_assert_int_eq(waits_read(f.waits, f.sink, getpid(), &within), 0);
	ck_assert_uint_ge(finish(&f), 1);
	ck_assert_str_eq(leaf_below(&f, BEFORE, 100 * MS), "[off CPU]");
	fixture_done(&f);
	/* woken, and not on a CPU yet */
	fixture_init(&f, 100 * MS);
	waits_threads(f.waits, getpid());
	waits_sleeping(f.waits, &woken, f.process, 200 * MS);
	finish(&f);
	ck_assert_uint_eq(total(&f, SAMPLE_SLEEPING), 50 * MS);
	ck_assert_uint_eq(total(&f, SAMPLE_RUNNABLE), 50 * MS);
	fixture_done(&f);
	/* ... and one that was on a CPU all the time */
	fixture_init(&f, 100 * MS);
	waits_threads(f.waits, getpid());
	ck_assert_int_eq(dict_stack(sink_profile(f.sink)->dict, NULL, 0, &id), 0);
	ck_assert_int_eq(profile_add(sink_profile(f.sink), f.process, (uint32_t)getpid(), id, 1),
			 0);
	ck_assert_uint_eq(finish(&f), 0);
	ck_assert_uint_eq(total(&f, SAMPLE_OFF_CPU) + total(&f, SAMPLE_SLEEPING), 0);
	fixture_done(&f);
}
END_TEST

CHECK_MAIN("record/waits", clipped, still_asleep, without_a_stack, began_before,
	   began_before_at_the_gil, read_from_outside, throughout);
