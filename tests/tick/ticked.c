/* SPDX-License-Identifier: BSD-2-Clause */
#include "ticked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "awaits.bpf.h"

struct kernel_task tick_task;

static struct super_block disk = { .s_dev = 0x800001 };
static struct inode inodes[2] = { { .i_sb = &disk, .i_ino = 71, .i_ctime_sec = 5 },
				  { .i_sb = &disk, .i_ino = 72, .i_ctime_sec = 6 } };
static struct dentry names[2] = { { &inodes[0] }, { &inodes[1] } };
static struct file files[2] = { { .f_inode = &inodes[0], .f_path.dentry = &names[0] },
				{ .f_inode = &inodes[1], .f_path.dentry = &names[1] } };
struct mm_struct tick_mms[2] = { { .exe_file = &files[0] }, { .exe_file = &files[1] } };

/* Whose the task is: a user's who is not in a user namespace. */
static struct user_namespace hosts;
static const struct cred user = { .uid = { 1000 }, .user_ns = &hosts };

/* The folders that it is in, and who made it. */
static struct inode folder_inode = { .i_sb = &disk, .i_ino = 2 };
static struct dentry folder_name = { &folder_inode };
static struct fs_struct folders = { .root.dentry = &folder_name, .pwd.dentry = &folder_name };
static struct task_struct maker = { .tgid = 1, .pid = 1 };

static void *look(const struct kernel_map *m, __u32 key)
{
	__u64 lookups = kernel.lookups;
	void *p = kernel_map_lookup(m, &key);

	kernel.lookups = lookups;
	return p;
}

void tick_begin(const struct reader *memory, const struct plop_layout *l, __u64 runtime)
{
	const struct plop_process p = { .image = TICK_IMAGE,
					.runtime = runtime,
					.layout = TICK_LAYOUT,
					.state = PLOP_STATE_PROFILED };
	__u32 number = TICK_LAYOUT;
	struct scratch *s;

	kernel_reset();
	s = look(SHIM_MAP(&scratch), 0);
	kernel_whole(s->ts, sizeof(s->ts));
	kernel_whole(s->copy, COPY_SIZE);
	kernel_whole(s->copy + COPY_SIZE, sizeof(s->copy) - COPY_SIZE);
	plop_active = plop_seconds = plop_trusted = 0;
	memset((void *)plop_quiet, 0, sizeof(plop_quiet));
	memset((void *)plop_plain, 0, sizeof(plop_plain));
	memset((void *)plop_forked, 0, sizeof(plop_forked));
	memset((void *)plop_launches, 0, sizeof(plop_launches));
	plop_changes = plop_states_woken = plop_renames_woken = 0;
	for (size_t i = 0; i < PLOP_PARTS; i++) {
		plop_part_most[i].stacks = PLOP_HALF_STACKS;
		plop_part_most[i].frames = PLOP_HALF_FRAMES;
		plop_part_most[i].threads = PLOP_HALF_THREADS;
	}
	kernel.memory = memory;
	kernel.now = 1000 * 1000000000ull;
	kernel.current = &tick_task;
	kernel.has_sched_info = true;
	tick_task = (struct kernel_task){};
	tick_task.task.tgid = (int)TICK_TGID;
	tick_task.task.mm = &tick_mms[0];
	tick_task.task.real_cred = &user;
	tick_task.task.real_parent = &maker;
	tick_task.task.fs = &folders;
	tick_thread(TICK_TGID, 0);
	kernel_map_update(SHIM_MAP(&layouts), &number, l, BPF_ANY);
	tick_process_set(TICK_TGID, &p);
}

void tick_thread(__u32 tid, __u64 thread)
{
	tick_task.task.pid = (int)tid;
#if defined(__TARGET_ARCH_x86)
	tick_task.task.thread.fsbase = thread;
#else
	tick_task.task.thread.uw.tp_value = thread;
#endif
}

struct plop_cpu *tick_cpu(void)
{
	return look(SHIM_MAP(&cpus), 0);
}

struct plop_process *tick_process(__u32 tgid)
{
	return look(SHIM_MAP(&processes), tgid);
}

void tick_process_set(__u32 tgid, const struct plop_process *p)
{
	kernel_map_update(SHIM_MAP(&processes), &tgid, p, BPF_ANY);
	plop_changes++;
}

void tick_wanted_set(__u32 tgid, const struct plop_filter *w)
{
	kernel_map_update(SHIM_MAP(&filters), &tgid, w, BPF_ANY);
}

struct plop_filter *tick_wanted(__u32 tgid)
{
	return look(SHIM_MAP(&filters), tgid);
}

struct plop_channel *tick_channel(__u32 n)
{
	return look(SHIM_MAP(&channels), n);
}

struct plop_budget *tick_budget(__u32 n)
{
	return look(SHIM_MAP(&budgets), n);
}

struct plop_async *tick_async(__u32 n)
{
	return look(SHIM_MAP(&asyncs), n);
}

struct plop_seen_set *tick_seen(__u64 key)
{
	return look(SHIM_MAP(&seen), PLOP_SEEN_SET(key));
}

static __u64 sum(const __u64 *lost)
{
	__u64 n = 0;

	for (size_t i = 0; i < PLOP_LOST_CAUSES; i++)
		n += lost[i];
	return n;
}

#define HOLDS(condition)                   \
	do {                               \
		if (!(condition))          \
			return #condition; \
	} while (0)

static const char *counters_broken(const struct plop_half *half)
{
	const __u64 *c = half->counters;
	__u64 named[PLOP_LOST_CAUSES] = {};

	HOLDS(c[PLOP_C_TICKS] ==
	      c[PLOP_C_PYTHON] + c[PLOP_C_OTHER] + sum(&half->counters[PLOP_C_LOST]));
	for (size_t i = 0; i < PLOP_MAX_CHANNELS; i++) {
		const struct plop_channel_counters *s = &half->channels[i];

		HOLDS(s->ticks == s->python + s->other + sum(s->lost));
		HOLDS(s->truncated <= s->ticks);
	}
	HOLDS(c[PLOP_C_TRUNCATED] <= c[PLOP_C_TICKS]);
	for (size_t i = 0; i < PLOP_HALF_LOSSES; i++)
		for (size_t n = 0; n < PLOP_LOST_CAUSES; n++)
			named[n] += half->losses[i].lost[n];
	for (size_t n = 0; n < PLOP_LOST_CAUSES; n++)
		HOLDS(named[n] <= c[PLOP_C_LOST + n]);
	return NULL;
}

static bool is_indexed(const struct plop_half *half, __u32 n)
{
	const struct plop_stack *k = &half->stacks[n];

	for (__u32 i = 0; i < PLOP_HALF_PROBES; i++) {
		__u32 entry = half->index[((__u32)k->hash + i) & (PLOP_HALF_INDEX - 1)];

		if (entry == ((__u32)(k->hash >> 48 << 16) | (n + 1)))
			return true;
	}
	return false;
}

static const char *stacks_broken(const struct plop_half *half, __u64 *ret_counted)
{
	__u64 counted = 0, frames = 0;

	HOLDS(half->nstacks <= PLOP_HALF_STACKS);
	HOLDS(half->nframes <= PLOP_HALF_FRAMES);
	HOLDS(half->nthreads <= PLOP_HALF_THREADS);
	for (__u32 i = 0; i < half->nstacks; i++) {
		const struct plop_stack *k = &half->stacks[i];

		HOLDS(k->depth <= PLOP_MAX_DEPTH);
		HOLDS(k->frames == frames);
		HOLDS(k->read_from <= k->depth || k->read_from == PLOP_STACK_CHANGED);
		HOLDS(k->young <= 1);
		HOLDS(k->count > 0);
		HOLDS(k->depth > 0 || k->flags != 0);
		HOLDS(is_indexed(half, i));
		frames += k->depth;
		/* those of threads that leave their CPU are no ticks */
		counted += k->channel == PLOP_CHANNEL_OFF_CPU ? 0 : k->count;
	}
	HOLDS(frames == half->nframes);
	for (__u32 i = 0; i < half->nthreads; i++) {
		HOLDS(half->threads[i].stack < half->nstacks);
		HOLDS(half->threads[i].count > 0);
		if (half->stacks[half->threads[i].stack].channel != PLOP_CHANNEL_OFF_CPU)
			counted += half->threads[i].count;
	}
	*ret_counted = counted;
	return NULL;
}

const char *tick_broken(void)
{
	const struct plop_cpu *cpu = tick_cpu();
	const char *broken = NULL;

	HOLDS(cpu->entered == cpu->left);
	for (size_t h = 0; h < 2 && !broken; h++) {
		const struct plop_half *half = &cpu->half[h];
		__u64 counted = 0, python = half->counters[PLOP_C_PYTHON];

		broken = counters_broken(half);
		if (!broken)
			broken = stacks_broken(half, &counted);
		for (size_t i = 0; i < PLOP_MAX_CHANNELS; i++)
			python += half->channels[i].python;
		if (!broken)
			HOLDS(counted == python);
	}
	return broken;
}

static struct tick_result result_of(const struct plop_half *half, __u64 other, const __u64 *lost)
{
	struct tick_result r = { .lost = -1, .other = other != 0 };

	for (size_t i = 0; i < PLOP_LOST_CAUSES; i++)
		if (lost[i])
			r.lost = (long)i;
	if (half->nstacks == 0)
		return r;
	r.stack = &half->stacks[0];
	r.frames = &half->frames[r.stack->frames];
	return r;
}

/* As if user space had swapped the halves twice, and collected both. */
static struct plop_half *half_empty(void)
{
	struct plop_half *half = &tick_cpu()->half[plop_active & 1];

	plop_active += 2;
	memset(half, 0, sizeof(*half));
	return half;
}

static void run(int (*program)(struct bpf_perf_event_data *), __u64 period)
{
	struct bpf_perf_event_data ctx = { .sample_period = period };
	const char *broken;

	program(&ctx);
	broken = tick_broken();
	if (broken) {
		fprintf(stderr, "after a tick this does not hold: %s\n", broken);
		abort();
	}
}

struct tick_result tick_once(int (*program)(struct bpf_perf_event_data *))
{
	struct plop_half *half = half_empty();

	run(program, 0);
	return result_of(half, half->counters[PLOP_C_OTHER], &half->counters[PLOP_C_LOST]);
}

struct tick_result tick_once_set(__u32 n, int (*program)(struct bpf_perf_event_data *))
{
	struct plop_half *half = half_empty();

	run(program, n);
	return result_of(half, half->channels[n - 1].other, half->channels[n - 1].lost);
}
