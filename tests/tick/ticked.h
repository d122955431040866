/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Ticks of bpf/ on this machine, in one process with one interpreter's layout. See kernel.h for
 * what they run on.
 */
#include "kernel.h"
#include "plop/events.h"
#include "plop/layout.h"
#include "plop/seen.h"

#define TICK_TGID   4711u
#define TICK_IMAGE  0x1122334455ull
#define TICK_LAYOUT 3u

/* The programs. */
int plop_tick(struct bpf_perf_event_data *ctx);
int plop_tick_bound(struct bpf_perf_event_data *ctx);
int plop_tick_chan(struct bpf_perf_event_data *ctx);
int plop_tick_async(struct bpf_perf_event_data *ctx);
int plop_assign(struct plop_async_assign *ctx);
int plop_fork(struct task_struct *parent, struct task_struct *child);
int plop_exec(struct task_struct *task);
int plop_exec_bound(struct task_struct *task);
int plop_exit(struct task_struct *task);
int plop_rename(struct task_struct *task, const char *comm);
int plop_switch(bool preempt, struct task_struct *prev, struct task_struct *next);
int plop_sw_async(bool preempt, struct task_struct *prev, struct task_struct *next);
int plop_wakeup(struct task_struct *task);

/* What user space and the programs tell each other beside the maps, see bpf/plop.bpf.h. */
extern volatile __u32 plop_active, plop_seconds, plop_trusted;
extern volatile __u64 plop_changes, plop_table_full, plop_renames_woken;
extern volatile __u64 plop_quiet[PLOP_USER_PLACES / 64];
extern volatile __u64 plop_plain[PLOP_PLAIN_PROGRAMS];
extern volatile struct plop_launch plop_launches[PLOP_LAUNCHES];
extern volatile __u64 plop_forked[PLOP_FORKED_PLACES];
extern volatile struct plop_part plop_part_most[PLOP_PARTS];

/* What became of one tick. */
struct tick_result {
	long lost;  /* enum plop_lost; -1: it was not */
	bool other; /* it was of no Python process */
	/* else it has a stack: */
	const struct plop_stack *stack;
	/* stack->depth of them, innermost first; good until the next one */
	const struct plop_frame *frames;
};

/*
 * A kernel that has just started, and a profiled process, whose memory is read by memory. The
 * thread that runs is tick_task, with tid TICK_TGID and no thread pointer.
 */
extern struct kernel_task tick_task;
/* Its memory, and one that is another's; both execute files of their own. */
extern struct mm_struct tick_mms[2];
void tick_begin(const struct reader *memory, const struct plop_layout *l, __u64 runtime);

/* That thread now runs. */
void tick_thread(__u32 tid, __u64 thread);

/* The maps. */
struct plop_cpu *tick_cpu(void);
struct plop_process *tick_process(__u32 tgid); /* NULL: it is not known */
void tick_process_set(__u32 tgid, const struct plop_process *p);
void tick_wanted_set(__u32 tgid, const struct plop_filter *w);
struct plop_filter *tick_wanted(__u32 tgid); /* NULL: nothing is wanted of it */
struct plop_channel *tick_channel(__u32 n);
struct plop_budget *tick_budget(__u32 n);
struct plop_async *tick_async(__u32 n);
struct plop_seen_set *tick_seen(__u64 key);

/*
 * One tick, filed in a half that is empty; ends the test program when an invariant does not hold.
 */
struct tick_result tick_once(int (*program)(struct bpf_perf_event_data *));
/* The same of channel n. */
struct tick_result tick_once_set(__u32 n, int (*program)(struct bpf_perf_event_data *));

/*
 * What is true of a CPU's tables whatever was ticked on: each tick is one of python, other or lost,
 * for all and for each channel; every stack lies within the frames, and is found by its hash; those
 * that were counted are those that were filed. Returns what is not so, NULL: nothing.
 */
const char *tick_broken(void);
