/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that leave their CPU and come back: how long, with which stack, and what they waited for.
 */
#include "scene.h"

#define FUTEX_OP_WAIT 0
#define NANOSLEEP     35
#if defined(__TARGET_ARCH_x86)
#define FUTEX 202
#else
#define FUTEX 98
#endif

/*
 * Where the condition variable of a GIL is, on which threads wait for it: GIL_COND of
 * off_cpu.bpf.c.
 */
#define COND 32
/* The GIL of interpreter n; of those up to 3.11, all of them. */
#define GIL(n) (MADE_RUNTIME + 0xa00 + (n)*0x100ull)

static struct kernel_task idle;

static void in_syscall(struct kernel_task *t, int number, uint64_t first, uint64_t second)
{
#if defined(__TARGET_ARCH_x86)
	t->regs.orig_ax = (unsigned long)number;
	t->regs.di = first;
	t->regs.si = second;
#else
	t->regs.syscallno = number;
	t->regs.orig_x0 = first;
	t->regs.regs[1] = second;
#endif
}

/*
 * Wall-clock time of the process is recorded; by a trusted user, or by one who has so many samples
 * a second.
 */
static void begin(uint64_t per_second)
{
	struct plop_filter w = { .off_cpu = 1, .budget = per_second != 0 };

	idle = (struct kernel_task){};
	kernel.now = 1000 * MS;
	tick_wanted_set(TICK_TGID, &w);
	plop_trusted = per_second ? 0 : 1;
	if (per_second)
		tick_budget(1)->step = 1000 * MS / per_second;
	in_syscall(&tick_task, -1, 0, 0);
}

static void leave(unsigned int state)
{
	tick_task.task.__state = state;
	kernel.current = &tick_task;
	plop_switch(state == 0, &tick_task.task, &idle.task);
	ck_assert_ptr_null(tick_broken());
}

static void come_back(void)
{
	kernel.current = &idle;
	plop_switch(false, &idle.task, &tick_task.task);
	kernel.current = &tick_task;
	ck_assert_ptr_null(tick_broken());
}

/* The only one that was sent. */
static struct plop_record_wait wait_of(void)
{
	struct plop_record_wait r = {};
	unsigned int n = 0;

	for (size_t i = 0; i < kernel_records(); i++) {
		const struct plop_record *head = kernel_record(i).data;

		if (head->type != PLOP_RECORD_WAIT)
			continue;
		ck_assert_uint_eq(kernel_record(i).size, sizeof(r));
		memcpy(&r, head, sizeof(r));
		n++;
	}
	ck_assert_uint_eq(n, 1);
	kernel_records_clear();
	return r;
}

START_TEST(times_off_cpu)
{
	EACH_LAYOUT
	{
		const struct plop_half *half;
		struct plop_record_wait r;

		setup(&each.l, 4);
		begin(0);
		half = &tick_cpu()->half[0];
		in_syscall(&tick_task, NANOSLEEP, 0, 0);
		leave(1);
		ck_assert_uint_eq(records_of(PLOP_RECORD_WAIT), 0);
		kernel.now += 7 * MS;
		plop_wakeup(&tick_task.task);
		kernel.now += 2 * MS;
		come_back();
		r = wait_of();
		ck_assert_uint_eq(r.kind, PLOP_WAIT_SLEEPING);
		ck_assert_int_eq(r.syscall, NANOSLEEP);
		ck_assert_uint_eq(r.disk, 0);
		ck_assert_uint_eq(r.ns, 9 * MS);
		ck_assert_uint_eq(r.runnable_ns, 2 * MS);
		ck_assert_uint_eq(r.tid, TICK_TGID);
		ck_assert_uint_eq(half->nstacks, 1);
		ck_assert_uint_eq(half->stacks[0].channel, PLOP_CHANNEL_OFF_CPU);
		ck_assert_uint_eq(half->stacks[0].depth, 4);
		ck_assert_uint_eq(half->stacks[0].hash, r.hash);
		ck_assert_uint_eq(half->counters[PLOP_C_WAITS], 1);
		/* not its turn any more, and for a disk */
		in_syscall(&tick_task, -1, 0, 0);
		leave(0);
		kernel.now += MS;
		come_back();
		r = wait_of();
		ck_assert_uint_eq(r.kind, PLOP_WAIT_RUNNABLE);
		ck_assert_uint_eq(r.runnable_ns, MS);
		leave(2);
		come_back();
		r = wait_of();
		ck_assert_uint_eq(r.kind, PLOP_WAIT_SLEEPING);
		ck_assert_int_eq(r.syscall, -1);
		ck_assert_uint_eq(r.disk, 1);
	}
}
END_TEST

static uint64_t gil_put(unsigned int interp)
{
	if (m.l.gil_where == PLOP_GIL_RUNTIME)
		return MADE_RUNTIME + m.l.gil_at;
	made_put(&m, MADE_INTERP(interp) + m.l.gil_at, GIL(interp), 8);
	return GIL(interp);
}

/* What a thread that waits on a futex waits for. */
static uint32_t kind_at(uint64_t futex)
{
	in_syscall(&tick_task, FUTEX, futex, FUTEX_OP_WAIT);
	leave(1);
	kernel.now += MS;
	come_back();
	return wait_of().kind;
}

/*
 * Each interpreter may have a GIL of its own, from 3.12 on: the one that counts is that of the one
 * in use, whoever called it.
 */
START_TEST(waits_for_the_gil)
{
	EACH_LAYOUT
	{
		if (each.l.gil_where == PLOP_GIL_UNKNOWN)
			continue;
		for (unsigned int n = 1; n <= 3; n++) {
			bool own = each.l.gil_where == PLOP_GIL_POINTER;
			uint64_t gil;

			setup_nested(&each.l, n);
			begin(0);
			for (unsigned int i = 0; i < n; i++)
				gil = gil_put(i);
			ck_assert_uint_eq(kind_at(gil + COND), PLOP_WAIT_GIL);
			/* looked for the first time, and remembered */
			ck_assert_uint_eq(kind_at(gil + COND), PLOP_WAIT_GIL);
			if (own && n > 1)
				ck_assert_uint_eq(kind_at(GIL(0) + COND), PLOP_WAIT_SLEEPING);
			ck_assert_uint_eq(kind_at(MADE_CODE(0)), PLOP_WAIT_SLEEPING);
			/*
			 * a thread that the interpreter does not know waits for no GIL of its own
			 */
			tick_thread(TICK_TGID + 9, MADE_THREAD(9));
			if (own)
				ck_assert_uint_eq(kind_at(gil + COND), PLOP_WAIT_SLEEPING);
		}
	}
}
END_TEST

/*
 * What was woken because its time was up, and not because it was given the GIL, could not have run.
 */
START_TEST(runnable_without_the_gil)
{
	struct plop_layout l = layout_of(0x030d);
	struct kernel_task holder;
	uint64_t gil;

	setup(&l, 3);
	begin(0);
	gil = gil_put(0);
	holder = tick_task;
	holder.task.pid++;
	for (unsigned int given = 0; given < 2; given++) {
		struct plop_record_wait r;

		in_syscall(&tick_task, FUTEX, gil + COND, FUTEX_OP_WAIT);
		leave(1);
		kernel.now += 5 * MS;
		in_syscall(&holder, given ? FUTEX : -1, gil + COND, 1);
		kernel.current = &holder;
		plop_wakeup(&tick_task.task);
		kernel.now += 3 * MS;
		come_back();
		r = wait_of();
		ck_assert_uint_eq(r.kind, PLOP_WAIT_GIL);
		ck_assert_uint_eq(r.ns, 8 * MS);
		ck_assert_uint_eq(r.runnable_ns, given ? 3 * MS : 0);
	}
}
END_TEST

START_TEST(processes_that_nobody_wants)
{
	struct plop_layout l = layout_of(0x030d);
	struct plop_filter none = { .ticks = 1 };

	setup(&l, 3);
	begin(0);
	tick_wanted_set(TICK_TGID, &none);
	kernel.reads = 0;
	leave(1);
	plop_wakeup(&tick_task.task);
	come_back();
	ck_assert_uint_eq(kernel.reads, 0);
	ck_assert_uint_eq(kernel_records(), 0);
	ck_assert_uint_eq(tick_cpu()->half[0].nstacks, 0);
}
END_TEST

/* Beyond a user's samples a second a time is counted, and nothing is looked at. */
START_TEST(users_who_have_had_theirs)
{
	struct plop_layout l = layout_of(0x030d);
	const unsigned int all = 400;
	const struct plop_half *half;

	setup(&l, 3);
	begin(100);
	half = &tick_cpu()->half[0];
	for (unsigned int i = 0; i < all; i++) {
		leave(1);
		kernel.now += MS / 10;
		come_back();
	}
	ck_assert_uint_eq(half->counters[PLOP_C_WAITS] + half->counters[PLOP_C_WAITS_DROPPED], all);
	ck_assert_uint_eq(records_of(PLOP_RECORD_WAIT), half->counters[PLOP_C_WAITS]);
	ck_assert_uint_eq(tick_budget(1)->lost, half->counters[PLOP_C_WAITS_DROPPED]);
	/* a quarter of a second of them at once, and a hundredth for each that passes */
	ck_assert_uint_ge(half->counters[PLOP_C_WAITS], 25);
	ck_assert_uint_le(half->counters[PLOP_C_WAITS], 25 + 40 / 10 + 2);
	/* the place that it has is given back */
	ck_assert_uint_eq(tick_budget(1)->sleepers, 0);
	leave(1);
	ck_assert_uint_eq(tick_budget(1)->sleepers, 1);
	come_back();
	leave(1);
	tick_task.task.flags = PF_EXITING;
	leave(1);
	ck_assert_uint_eq(tick_budget(1)->sleepers, 0);
	ck_assert_uint_eq(tick_budget(0)->sleepers, 0);
}
END_TEST

/* Who was away before anybody watched: what is known is that it is back. */
START_TEST(away_from_before)
{
	struct plop_layout l = layout_of(0x030d);
	struct plop_record_wait r;

	setup(&l, 3);
	begin(0);
	in_syscall(&tick_task, NANOSLEEP, 5, 0);
	come_back();
	r = wait_of();
	ck_assert_uint_eq(r.since, 0);
	ck_assert_uint_eq(r.kind, PLOP_WAIT_RUNNABLE);
	plop_wakeup(&tick_task.task);
	kernel.now += MS;
	come_back();
	r = wait_of();
	ck_assert_uint_eq(r.since, 0);
	ck_assert_uint_eq(r.kind, PLOP_WAIT_SLEEPING);
	ck_assert_int_eq(r.syscall, NANOSLEEP);
	ck_assert_uint_eq(r.hash, 5);
	ck_assert_uint_eq(r.runnable_ns, MS);
}
END_TEST

/* A full ring buffer loses times, and counts them. */
START_TEST(no_room_for_more)
{
	struct plop_layout l = layout_of(0x030d);

	setup(&l, 3);
	begin(0);
	leave(1);
	kernel.now += MS;
	kernel.ring_waiting = 2u * 1024 * 1024;
	come_back();
	ck_assert_uint_eq(kernel_records(), records_of(PLOP_RECORD_CODE));
	ck_assert_uint_eq(tick_cpu()->half[0].counters[PLOP_C_WAITS_DROPPED], 1);
	ck_assert_uint_eq(tick_cpu()->half[0].counters[PLOP_C_WAIT_NS_DROPPED], MS);
}
END_TEST

CHECK_MAIN("tick/wall", times_off_cpu, waits_for_the_gil, runnable_without_the_gil,
	   processes_that_nobody_wants, users_who_have_had_theirs, away_from_before,
	   no_room_for_more);
