/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "plop/places.h"
#include "target/launches.h"
#include "util/clock.h"

#define LAUNCH 0x1234567
#define OTHER  (LAUNCH + PLOP_LAUNCHES / 2) /* at the same place */
#define LAYOUT 3
#define USER   1000

/* What the kernel side is told, and which layouts are in use. */
static struct plop_launch told[PLOP_LAUNCHES];
static int uses;

void sampler_launch_set(struct sampler *s, uint64_t launch, uid_t uid, const struct plop_launch *l)
{
	told[PLOP_LAUNCH_PLACE(launch, uid)] = l ? *l : (struct plop_launch){};
}

void sampler_layout_use(struct sampler *s, uint32_t n, bool begins)
{
	ck_assert_uint_eq(n, LAYOUT);
	uses += begins ? 1 : -1;
}

static struct launches l;
static struct process_info info;
static struct python_process python;

static void setup(void)
{
	l = (struct launches){};
	memset(told, 0, sizeof(told));
	uses = 0;
	info = process_info_of(100);
	info.uid = USER;
	python = (struct python_process){ .verdict = PYTHON_YES, .own = true, .runtime = 0x5000 };
}

static struct plop_record_exec record(uint32_t tgid, uint64_t launch)
{
	return (struct plop_record_exec){
		.head = { .type = PLOP_RECORD_EXEC, .tgid = tgid, .image = 1000 + tgid },
		.launch = launch,
		.code = 0x1000,
		.born = 7 * NSEC_PER_SEC,
		.uid = USER,
		.parent = 50
	};
}

/* A process of that launch begins and is looked at; whether the next is known by it. */
static bool learnt(uint64_t launch, uint64_t now)
{
	const struct plop_record_exec r = record(100, launch), next = record(101, launch);
	struct python_process found;
	struct process_info of;
	int n;

	launches_meet(&l, &r);
	launches_learn(&l, NULL, 100, r.head.image, &info, &python, LAYOUT, now);
	n = launches_find(&l, &next, &found, &of);
	if (n == 0)
		process_info_done(&of);
	return n == 0;
}

START_TEST(it_is_what_another_was)
{
	struct plop_record_exec next = record(200, LAUNCH);
	const struct plop_launch *at = &told[PLOP_LAUNCH_PLACE(LAUNCH, USER)];
	char service[] = "shop";
	struct python_process found;
	struct process_info of;

	setup();
	info.service = service;
	ck_assert_int_eq(launches_find(&l, &next, &found, &of), -ENOENT);
	ck_assert(learnt(LAUNCH, 1));
	ck_assert_uint_eq(at->offset, 0x4000);
	ck_assert_uint_eq(at->list, 0);
	ck_assert_uint_eq(at->until, 1 + LAUNCH_LASTS_NS);
	ck_assert_int_eq(uses, 1);
	next.code = 0x21000;
	ck_assert_int_eq(launches_find(&l, &next, &found, &of), 0);
	ck_assert_uint_eq(found.runtime, 0x25000);
	ck_assert_int_eq(of.pid, 200);
	ck_assert_int_eq(of.parent, 50);
	ck_assert_uint_eq(of.start_ticks, 7 * (uint64_t)sysconf(_SC_CLK_TCK));
	ck_assert_str_eq(of.service, "shop");
	process_info_done(&of);
	/* one that is linked to its libpython: the kernel side finds it */
	python = (struct python_process){ .verdict = PYTHON_YES,
					  .list = 0x1800,
					  .bias = 0x700000,
					  .dynamic = 0x30,
					  .runtime = 0x700400 };
	ck_assert(learnt(LAUNCH, 2));
	ck_assert_uint_eq(at->offset, 0x400);
	ck_assert_uint_eq(at->list, 0x800);
	ck_assert_uint_eq(at->dynamic, 0x30);
	ck_assert_uint_eq(at->until, 2 + LAUNCH_FILES_LAST_NS);
	ck_assert_int_eq(launches_find(&l, &next, &found, &of), 0);
	ck_assert_uint_eq(found.runtime, 0);
	process_info_done(&of);
	ck_assert_int_eq(uses, 1);
	launches_done(&l);
}
END_TEST

START_TEST(what_tells_nothing_of_others)
{
	char version[] = "git-3f2a91c0b7de";

	setup();
	ck_assert(!learnt(0, 1));
	info.overwritten = true;
	ck_assert(!learnt(LAUNCH, 1));
	info.overwritten = false;
	info.uid = PROCESS_NO_UID;
	ck_assert(!learnt(LAUNCH, 1));
	info.uid = USER;
	python.own = false;
	ck_assert(!learnt(LAUNCH, 1));
	python.own = true;
	python.verdict = PYTHON_UNSUPPORTED;
	ck_assert(!learnt(LAUNCH, 1));
	python.verdict = PYTHON_YES;
	/* it executed another program since */
	launches_meet(&l, &(struct plop_record_exec){ .head = { .tgid = 100, .image = 5 },
						      .launch = LAUNCH,
						      .uid = USER });
	launches_learn(&l, NULL, 100, 6, &info, &python, LAYOUT, 1);
	ck_assert_int_eq(uses, 0);
	/* files of its code may change any time */
	info.version = version;
	ck_assert(learnt(LAUNCH, 1));
	ck_assert_uint_eq(told[PLOP_LAUNCH_PLACE(LAUNCH, USER)].until, 1 + LAUNCH_FILES_LAST_NS);
	info.says_version = true;
	ck_assert(learnt(LAUNCH, 1));
	ck_assert_uint_eq(told[PLOP_LAUNCH_PLACE(LAUNCH, USER)].until, 1 + LAUNCH_LASTS_NS);
	launches_done(&l);
}
END_TEST

START_TEST(each_has_its_end)
{
	const uint64_t over = 1 + LAUNCH_LASTS_NS + LAUNCH_LATE_NS;

	setup();
	ck_assert(learnt(LAUNCH, 1));
	ck_assert_uint_gt(launches_bytes(&l), sizeof(struct launch));
	/* as long as a process of it may not be known, no other has its place */
	ck_assert(!learnt(OTHER, over - 1));
	launches_cycle(&l, NULL, over - 1);
	ck_assert_int_eq(uses, 1);
	ck_assert(learnt(OTHER, over));
	ck_assert_int_eq(uses, 1);
	launches_cycle(&l, NULL, 2 * over);
	ck_assert_int_eq(uses, 0);
	ck_assert_uint_eq(launches_bytes(&l), 0);
	ck_assert_uint_eq(told[PLOP_LAUNCH_PLACE(OTHER, USER)].until, 0);
	launches_done(&l);
}
END_TEST

CHECK_MAIN("target/launches", it_is_what_another_was, what_tells_nothing_of_others,
	   each_has_its_end);
