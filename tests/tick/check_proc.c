/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes that fork, execute programs and end, and threads that are made. */
#include "scene.h"

#define CHILD_TGID 4800u

static struct kernel_task child;
static struct signal_struct living = { { 1 } }, ended = { { 0 } };

static void setup_child(void)
{
	struct plop_layout l = layout_of(0x030d);

	setup(&l, 5);
	kernel.step = 10;
	child = tick_task;
	child.task.tgid = child.task.pid = (int)CHILD_TGID;
	child.task.mm = &tick_mms[1];
}

static void run_child(void)
{
	kernel.current = &child;
}

/* A child is profiled from its first tick on, with an image of its own. */
START_TEST(children)
{
	const struct plop_record_fork *f;
	struct tick_result r;

	setup_child();
	tick_once(plop_tick);
	ck_assert_ptr_eq((void *)tick_process(TICK_TGID)->mm, &tick_mms[0]);
	kernel_records_clear();
	plop_fork(&tick_task.task, &child.task);
	ck_assert_uint_eq(kernel_records(), 1);
	f = kernel_record(0).data;
	ck_assert_uint_eq(kernel_record(0).size, sizeof(*f));
	ck_assert_uint_eq(f->head.type, PLOP_RECORD_FORK);
	ck_assert_uint_eq(f->head.tgid, CHILD_TGID);
	ck_assert_uint_eq(f->parent, TICK_TGID);
	ck_assert_uint_eq(f->parent_image, TICK_IMAGE);
	ck_assert_uint_eq(f->head.image, tick_process(CHILD_TGID)->image);
	ck_assert_uint_ne(f->head.image, TICK_IMAGE);
	run_child();
	r = tick_once(plop_tick);
	expect_frames(&r, 5, 5);
	ck_assert_uint_eq(r.stack->image, f->head.image);
	ck_assert_uint_eq(r.stack->tgid, CHILD_TGID);
}
END_TEST

START_TEST(programs)
{
	const struct plop_record_exec *x;
	struct tick_result r;
	uint64_t file;

	setup_child();
	plop_fork(&tick_task.task, &child.task);
	run_child();
	tick_once(plop_tick);
	kernel_records_clear();
	plop_exec(&child.task);
	ck_assert_uint_eq(kernel_records(), 1);
	x = kernel_record(0).data;
	ck_assert_uint_eq(kernel_record(0).size, sizeof(*x));
	ck_assert_uint_eq(x->head.type, PLOP_RECORD_EXEC);
	ck_assert_uint_eq(x->head.image, tick_process(CHILD_TGID)->image);
	ck_assert_uint_eq(x->uid, 1000);
	file = x->file;
	ck_assert_uint_eq(kernel_record(0).flags, BPF_RB_FORCE_WAKEUP);
	ck_assert_uint_eq(tick_process(CHILD_TGID)->state, PLOP_STATE_NEW);
	/* of which program it is can be asked for later */
	ck_assert_uint_eq(tick_process(CHILD_TGID)->runtime, file);
	/* not the process that the last tick has remembered */
	r = tick_once(plop_tick);
	ck_assert(r.other && r.lost < 0 && !r.stack);
	/* what it forks is looked at by itself */
	kernel_records_clear();
	plop_fork(&child.task, &tick_task.task);
	ck_assert_uint_eq(kernel_records(), 0);
	ck_assert_uint_eq(tick_process(TICK_TGID)->state, PLOP_STATE_NEW);
	/* that it forked is told all the same, for when it is known; nobody else did */
	ck_assert_uint_ge(plop_forked[CHILD_TGID % PLOP_FORKED_PLACES],
			  tick_process(CHILD_TGID)->image);
	ck_assert_uint_eq(plop_forked[(CHILD_TGID + 1) % PLOP_FORKED_PLACES], 0);
	/* another file has another number, and the same has the same */
	plop_exec(&tick_task.task);
	plop_exec(&child.task);
	x = kernel_record(0).data;
	ck_assert_uint_ne(x->file, file);
	x = kernel_record(1).data;
	ck_assert_uint_eq(x->file, file);
	/* plopd is not woken for a plain one, nor asked for it by its first ticks */
	kernel_records_clear();
	plop_plain[file % PLOP_PLAIN_PROGRAMS] = file;
	plop_exec(&child.task);
	ck_assert_uint_eq(kernel_record(0).flags, BPF_RB_NO_WAKEUP);
	ck_assert_uint_eq(tick_process(CHILD_TGID)->wait, PLOP_WAIT_PLAIN_NS);
	plop_plain[file % PLOP_PLAIN_PROGRAMS] = 0;
	plop_exec(&child.task);
	ck_assert_uint_eq(kernel_record(1).flags, BPF_RB_FORCE_WAKEUP);
	ck_assert_uint_eq(tick_process(CHILD_TGID)->wait, PLOP_WAIT_FIRST_NS);
}
END_TEST

#define ARGUMENTS  MADE_TASKS
#define ARGUMENTS_ 0x7d /* bytes, with the environment */
#define LIST       (MADE_TASKS + 0x1000)

/* The child executes its program; what is told of that, whose launch may be known. */
static const struct plop_record_exec *launched(bool known)
{
	const struct plop_record_exec *x;

	kernel_records_clear();
	plop_exec(&child.task);
	ck_assert_uint_eq(kernel_records(), 1);
	x = kernel_record(0).data;
	ck_assert_int_eq(x->known, known);
	ck_assert_uint_eq(kernel_record(0).flags, known ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP);
	return x;
}

static void setup_launch(void)
{
	uint64_t file;

	setup_child();
	plop_fork(&tick_task.task, &child.task);
	run_child();
	tick_mms[1].start_code = MADE_BASE;
	tick_mms[1].arg_start = ARGUMENTS;
	tick_mms[1].arg_end = ARGUMENTS + 0x20;
	tick_mms[1].env_end = ARGUMENTS + ARGUMENTS_;
	/* of what is no interpreter, or not known as that, nobody asks how it was launched */
	file = launched(false)->file;
	ck_assert_uint_eq(launched(false)->launch, 0);
	plop_plain[file % PLOP_PLAIN_PROGRAMS] = file | PLOP_PROGRAM_PYTHON;
}

static void launch_set(uint64_t launch, const struct plop_launch *l)
{
	struct plop_launch whole = *l;

	whole.check = plop_launch_check(&whole, launch);
	plop_launches[PLOP_LAUNCH_PLACE(launch, 1000)] = whole;
}

/* All that a process begins with tells launches apart. */
START_TEST(launches)
{
	struct plop_launch l = { .layout = TICK_LAYOUT };
	struct fs_struct other;
	struct tick_result r;
	struct dentry name;
	struct cred cred;
	uint64_t launch;

	setup_launch();
	launch = launched(false)->launch;
	ck_assert_uint_ne(launch, 0);
	ck_assert_uint_eq(launched(false)->launch, launch);
	ck_assert_uint_eq(launched(false)->parent, 1);
	for (unsigned int i = 0; i < ARGUMENTS_; i++) {
		made_put(&m, ARGUMENTS + i, 1, 1);
		ck_assert_uint_ne(launched(false)->launch, launch);
		made_put(&m, ARGUMENTS + i, 0, 1);
	}
	tick_mms[1].env_end++;
	ck_assert_uint_ne(launched(false)->launch, launch);
	tick_mms[1].env_end--;
	tick_mms[1].arg_end++;
	ck_assert_uint_ne(launched(false)->launch, launch);
	tick_mms[1].arg_end--;
	kernel.cgroups[3] = 7;
	ck_assert_uint_ne(launched(false)->launch, launch);
	kernel.cgroups[3] = 0;
	child.task.comm[9] = 'x';
	ck_assert_uint_ne(launched(false)->launch, launch);
	child.task.comm[9] = 0;
	cred = *child.task.real_cred;
	cred.euid.val++;
	child.task.real_cred = &cred;
	ck_assert_uint_ne(launched(false)->launch, launch);
	cred.euid.val--;
	other = *child.task.fs;
	name = *other.pwd.dentry;
	other.pwd.dentry = &name;
	child.task.fs = &other;
	ck_assert_uint_ne(launched(false)->launch, launch);
	child.task.fs = tick_task.task.fs;
	tick_mms[1].exe_file->f_inode->i_ctime_nsec = 9;
	ck_assert_uint_ne(launched(false)->launch, launch);
	tick_mms[1].exe_file->f_inode->i_ctime_nsec = 0;
	ck_assert_uint_eq(launched(false)->launch, launch);
	/* what cannot be told: more than is looked at, or is not there */
	tick_mms[1].env_end = ARGUMENTS + 16 * 1024 + 1;
	ck_assert_uint_eq(launched(false)->launch, 0);
	tick_mms[1].env_end = MADE_BASE + MADE_SIZE + 1;
	tick_mms[1].arg_start = MADE_BASE + MADE_SIZE - 1;
	ck_assert_uint_eq(launched(false)->launch, 0);
	tick_mms[1].arg_start = ARGUMENTS;
	tick_mms[1].env_end = ARGUMENTS + ARGUMENTS_;
	/* it is known for a while what it is */
	l.until = kernel.now + 1000 * MS;
	launch_set(launch, &l);
	ck_assert_uint_eq(launched(true)->launch, launch);
	ck_assert_uint_eq(tick_process(CHILD_TGID)->state, PLOP_STATE_PROFILED);
	r = tick_once(plop_tick);
	expect_frames(&r, 5, 5);
	kernel.now += 2000 * MS;
	launched(false);
	ck_assert_uint_eq(tick_process(CHILD_TGID)->state, PLOP_STATE_NEW);
	/* what is not whole, or another's, says nothing */
	l.until = kernel.now + 1000 * MS;
	launch_set(launch ^ 1, &l);
	plop_launches[PLOP_LAUNCH_PLACE(launch, 1000)] =
		plop_launches[PLOP_LAUNCH_PLACE(launch ^ 1, 1000)];
	launched(false);
	launch_set(launch, &l);
	plop_launches[PLOP_LAUNCH_PLACE(launch, 1000)].offset++;
	launched(false);
	/* on kernels without bpf_loop() there are none */
	launch_set(launch, &l);
	launched(true);
	kernel_records_clear();
	plop_exec_bound(&child.task);
	ck_assert_uint_eq(((const struct plop_record_exec *)kernel_record(0).data)->launch, 0);
}
END_TEST

/* Where its libpython lies the first tick finds for which the loader has it. */
START_TEST(launches_with_a_library)
{
	struct plop_launch l = {
		.layout = TICK_LAYOUT, .offset = 0x40, .list = LIST - MADE_BASE, .dynamic = 0x1d30
	};
	const uint64_t links = LIST + 0x100, bias = MADE_RUNTIME - 0x40;
	struct tick_result r;
	uint64_t launch;

	setup_launch();
	launch = launched(false)->launch;
	l.until = kernel.now + 1000 * MS;
	launch_set(launch, &l);
	launched(true);
	ck_assert_uint_eq(tick_process(CHILD_TGID)->state, PLOP_STATE_LAUNCHED);
	/* nobody is asked what it is meanwhile */
	kernel.now += 100 * MS;
	for (int i = 0; i < 2; i++) {
		r = tick_once(plop_tick);
		ck_assert(r.other && r.lost < 0 && !r.stack);
		ck_assert_uint_eq(records_of(PLOP_RECORD_CHECK), 0);
		/* then the list has the program alone, in a ring */
		made_put(&m, LIST, LIST + 0x10, 8);
		made_put(&m, LIST + 0x18, links, 8);
		made_put(&m, links + 0x10, 0x1d30 + 1, 8);
		made_put(&m, links + 0x18, links, 8);
	}
	made_put(&m, links + 0x18, links + 0x40, 8);
	made_put(&m, links + 0x40, bias, 8);
	made_put(&m, links + 0x50, bias + 0x1d30, 8);
	r = tick_once(plop_tick);
	expect_frames(&r, 5, 5);
	ck_assert_uint_eq(tick_process(CHILD_TGID)->runtime, MADE_RUNTIME);
	/* one that is not known any more when it comes to its first tick */
	launched(true);
	launch_set(launch + PLOP_LAUNCHES / 2, &l);
	kernel.now += 100 * MS;
	r = tick_once(plop_tick);
	ck_assert(r.other && r.lost < 0 && !r.stack);
	ck_assert_uint_eq(tick_process(CHILD_TGID)->state, PLOP_STATE_NEW);
	ck_assert_uint_eq(records_of(PLOP_RECORD_CHECK), 1);
}
END_TEST

START_TEST(ends)
{
	struct plop_filter w = { .ticks = 1 };
	struct tick_result r;

	setup_child();
	tick_wanted_set(TICK_TGID, &w);
	tick_once(plop_tick);
	kernel_records_clear();
	/* a thread of it */
	tick_task.task.signal = &living;
	plop_exit(&tick_task.task);
	ck_assert_uint_eq(kernel_records(), 0);
	ck_assert_ptr_nonnull(tick_process(TICK_TGID));
	tick_task.task.signal = &ended;
	plop_exit(&tick_task.task);
	ck_assert_uint_eq(records_of(PLOP_RECORD_EXIT), 1);
	ck_assert_ptr_null(tick_process(TICK_TGID));
	ck_assert_ptr_null(tick_wanted(TICK_TGID));
	r = tick_once(plop_tick);
	ck_assert(r.other && r.lost < 0);
	/* one that was never known, and one in which nothing was found: nobody is told */
	plop_exit(&tick_task.task);
	plop_exec(&child.task);
	child.task.signal = &ended;
	plop_exit(&child.task);
	ck_assert_uint_eq(records_of(PLOP_RECORD_EXIT), 1);
}
END_TEST

/* What is wanted of a process passes on where it is wanted of its children too. */
START_TEST(wanted_children)
{
	struct plop_filter w = { .ticks = 7,
				 .children = 5,
				 .off_cpu = 6,
				 .off_cpu_children = 2,
				 .threads = 1,
				 .budget = 9 };

	setup_child();
	tick_wanted_set(TICK_TGID, &w);
	plop_fork(&tick_task.task, &child.task);
	ck_assert_ptr_nonnull(tick_wanted(CHILD_TGID));
	ck_assert_uint_eq(tick_wanted(CHILD_TGID)->ticks, 5);
	ck_assert_uint_eq(tick_wanted(CHILD_TGID)->children, 5);
	ck_assert_uint_eq(tick_wanted(CHILD_TGID)->off_cpu, 2);
	ck_assert_uint_eq(tick_wanted(CHILD_TGID)->off_cpu_children, 2);
	ck_assert_uint_eq(tick_wanted(CHILD_TGID)->threads, 0);
	ck_assert_uint_eq(tick_wanted(CHILD_TGID)->budget, 9);

	setup_child();
	w.children = w.off_cpu_children = 0;
	tick_wanted_set(TICK_TGID, &w);
	plop_fork(&tick_task.task, &child.task);
	ck_assert_ptr_null(tick_wanted(CHILD_TGID));
}
END_TEST

START_TEST(threads)
{
	struct plop_filter w = { .threads = 1 };
	const struct plop_record *x;

	setup_child();
	child.task.tgid = (int)TICK_TGID;
	plop_fork(&tick_task.task, &child.task);
	ck_assert_uint_eq(kernel_records(), 0);
	tick_wanted_set(TICK_TGID, &w);
	plop_fork(&tick_task.task, &child.task);
	ck_assert_uint_eq(records_of(PLOP_RECORD_THREAD), 1);
	x = kernel_record(0).data;
	ck_assert_uint_eq(PLOP_THREAD_MAKER(x->image), TICK_TGID);
	ck_assert_uint_eq(PLOP_THREAD_MADE(x->image), CHILD_TGID);
	/* the last quarter of the ring buffer is left to what tells of processes */
	kernel.ring_waiting = 2u * 1024 * 1024 / 4 * 3;
	plop_fork(&tick_task.task, &child.task);
	ck_assert_uint_eq(records_of(PLOP_RECORD_THREAD), 1);
	child.task.tgid = (int)CHILD_TGID;
	plop_fork(&tick_task.task, &child.task);
	ck_assert_uint_eq(records_of(PLOP_RECORD_FORK), 1);
}
END_TEST

START_TEST(tables_that_are_full)
{
	setup_child();
	plop_table_full = 0;
	kernel.hash_entries = 1;
	plop_fork(&tick_task.task, &child.task);
	ck_assert_ptr_null(tick_process(CHILD_TGID));
	ck_assert_uint_eq(plop_table_full, 1);
	ck_assert_uint_eq(records_of(PLOP_RECORD_FORK), 0);
	/* one that has executed something is told of all the same: plopd may find room for it */
	plop_exec(&child.task);
	ck_assert_uint_eq(plop_table_full, 2);
	ck_assert_uint_eq(records_of(PLOP_RECORD_EXEC), 1);
}
END_TEST

/* Task renames itself; whether that was told, and if so whether plopd was woken. */
static bool told_of_rename(struct kernel_task *task, bool wakes)
{
	const struct plop_record *x;

	kernel_records_clear();
	plop_rename(&task->task, "another");
	if (kernel_records() == 0)
		return false;
	ck_assert_uint_eq(kernel_records(), 1);
	x = kernel_record(0).data;
	ck_assert_uint_eq(x->type, PLOP_RECORD_RENAME);
	ck_assert_uint_eq(x->tgid, (__u32)task->task.tgid);
	ck_assert_uint_eq(x->image, tick_process((__u32)task->task.tgid)->image);
	ck_assert_uint_eq(kernel_record(0).flags, wakes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
	return true;
}

/* A process that names its main thread is told of, but not each time that it does so. */
START_TEST(renames)
{
	struct kernel_task thread;

	setup_child();
	thread = tick_task;
	thread.task.pid++;
	ck_assert(!told_of_rename(&thread, false));
	ck_assert(told_of_rename(&tick_task, true));
	ck_assert(!told_of_rename(&tick_task, true));
	/* another one is told as well: it does not wake plopd once more */
	plop_fork(&tick_task.task, &child.task);
	kernel.now += PLOP_RENAMES_APART_NS / 2;
	ck_assert(!told_of_rename(&tick_task, false));
	/* since it was forked it has not been long enough */
	ck_assert(!told_of_rename(&child, false));
	kernel.now += PLOP_RENAMES_APART_NS / 2 + MS;
	ck_assert(told_of_rename(&tick_task, true));
	ck_assert(told_of_rename(&child, false));
	/* as long as there is no room, it is as if it had not been */
	kernel.now += PLOP_RENAMES_APART_NS + MS;
	kernel.ring_waiting = 2u * 1024 * 1024 / 4 * 3;
	ck_assert(!told_of_rename(&tick_task, true));
	kernel.ring_waiting = 0;
	ck_assert(told_of_rename(&tick_task, true));
	/* what is examined anyway, and who is not known */
	kernel.now += PLOP_RENAMES_APART_NS + MS;
	plop_exec(&child.task);
	kernel.now += PLOP_RENAMES_APART_NS + MS;
	ck_assert(!told_of_rename(&child, true));
	child.task.tgid = child.task.pid = 99;
	ck_assert(!told_of_rename(&child, true));
}
END_TEST

/* Where tasks are kept is set only where it still is the same program. */
START_TEST(assignments)
{
	struct plop_async_assign a = { .image = TICK_IMAGE, .tgid = TICK_TGID, .async = 5 };

	setup_child();
	ck_assert_int_eq(plop_assign(&a), 0);
	ck_assert_uint_eq(tick_process(TICK_TGID)->async, 5);
	a.image++;
	a.async = 6;
	ck_assert_int_eq(plop_assign(&a), 1);
	ck_assert_uint_eq(tick_process(TICK_TGID)->async, 5);
	a.tgid = CHILD_TGID;
	ck_assert_int_eq(plop_assign(&a), 1);
}
END_TEST

CHECK_MAIN("tick/proc", children, programs, launches, launches_with_a_library, ends,
	   wanted_children, threads, tables_that_are_full, renames, assignments);
