// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Time off CPU, measured where it begins and ends: at the scheduler's switch. Attached only while somebody records wall-clock
 * time. A thread of a wanted process that leaves its CPU is walked there and then, as its memory and its registers are
 * still at hand; when it comes back, what it waited for goes up in one record.
 */
#include "tick.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_FUTEX 202 /* arch/x86/entry/syscalls/syscall_64.tbl */
#else
#define SYSCALL_FUTEX 98 /* include/uapi/asm-generic/unistd.h */
#endif

#define TASK_UNINTERRUPTIBLE 0x0002 /* include/linux/sched.h */
#define TASK_NOLOAD          0x0400

/* Fill levels of the ring buffer, in bytes: from one on plopd is woken, beyond the other records are dropped. */
#define WAITS_WAKE 262144
#define WAITS_FULL RECORDS_FULL

#define SLEEPER_PROBES 8

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PLOP_MAX_SLEEPERS);
	__type(key, __u32);
	__type(value, struct plop_sleeper);
} sleepers SEC(".maps");

/* Whom the walks for a wanted process are charged to; 0: a trusted user's set wants it. */
static __always_inline __u32 wall_budget(const struct plop_wanted *w)
{
	return w->wall & plop_trusted ? 0 : w->budget;
}

/*
 * Takes a free place for a user, who may have as many as then are left to all users: so one has at most half of theirs, and
 * whoever comes later still finds some.
 */
static __always_inline bool sleeper_take(struct plop_sleeper *s, __u64 key, __u32 budget)
{
	__u32 all = 0;
	struct plop_budget *b = budget ? bpf_map_lookup_elem(&budgets, &budget) : NULL;
	struct plop_budget *users = b ? bpf_map_lookup_elem(&budgets, &all) : NULL;

	if ((users && b->sleepers + users->sleepers >= PLOP_MAX_USERS_SLEEPERS) ||
	    __sync_val_compare_and_swap(&s->key, 0, key) != 0)
		return false;
	s->budget = users ? budget : 0;
	if (users) {
		__sync_fetch_and_add(&b->sleepers, 1);
		__sync_fetch_and_add(&users->sleepers, 1);
	}
	return true;
}

static __always_inline void sleeper_free(struct plop_sleeper *s)
{
	__u32 all = 0, budget = s->budget;
	struct plop_budget *b = budget ? bpf_map_lookup_elem(&budgets, &budget) : NULL;
	struct plop_budget *users = b ? bpf_map_lookup_elem(&budgets, &all) : NULL;

	if (users) {
		__sync_fetch_and_add(&b->sleepers, -1);
		__sync_fetch_and_add(&users->sleepers, -1);
	}
	s->since = 0;
	s->key = 0;
}

/* The place of a thread: its own, or, with make, a free one that it takes for budget. */
static __always_inline struct plop_sleeper *sleeper_find(__u64 key, bool make, __u32 budget)
{
	__u64 h = mix(key);

	for (__u32 i = 0; i < SLEEPER_PROBES; i++) {
		__u32 n = (h + i) & (PLOP_MAX_SLEEPERS - 1);
		struct plop_sleeper *s = bpf_map_lookup_elem(&sleepers, &n);

		if (!s)
			return NULL;
		if (s->key == key)
			return s;
		if (make && s->key == 0 && sleeper_take(s, key, budget))
			return s;
	}
	return NULL;
}

/* Whether a futex lies inside of the lock of the interpreter that the thread state in s->ts belongs to. */
static __always_inline bool is_gil(const struct plop_layout *l, const struct plop_process *p,
				   struct scratch *s, __u64 futex)
{
	__u64 gil = p->runtime + l->gil_at, interp;

	if (l->gil_where == PLOP_GIL_UNKNOWN || l->free_threaded)
		return false;
	if (l->gil_where == PLOP_GIL_POINTER) {
		/* interp follows next (cpython/pystate.h, 3.12 to 3.15) */
		interp = FIELD64(s->ts, l->ts_next + 8, PLOP_TS_MAX);
		if (bpf_probe_read_user(&gil, sizeof(gil), (void *)(interp + l->gil_at)))
			return false;
	}
	return futex - gil < l->gil_size;
}

/* Why prev, which is the current task, leaves its CPU. */
static __always_inline void reason_read(struct plop_sleeper *e, struct task_struct *prev,
					bool preempt, const struct plop_process *p)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(prev);
	__u32 n = bpf_get_smp_processor_id(), layout = p->layout, state = prev->__state;
	struct plop_layout *l = bpf_map_lookup_elem(&layouts, &layout);
	struct scratch *s = bpf_map_lookup_elem(&scratch, &n);
	__u64 futex;

	e->syscall = -1;
	e->disk = 0;
	if (preempt || state == 0 || !l || !s) {
		e->kind = PLOP_WAIT_RUNNABLE;
		return;
	}
	e->kind = PLOP_WAIT_SLEEPING;
	e->disk = state & TASK_UNINTERRUPTIBLE && !(state & TASK_NOLOAD);
#if defined(__TARGET_ARCH_x86)
	e->syscall = (__s64)regs->orig_ax < 0 ? -1 : (__s32)regs->orig_ax;
	futex = regs->di;
#else
	e->syscall = regs->syscallno;
	futex = regs->orig_x0;
#endif
	if (e->syscall == SYSCALL_FUTEX && is_gil(l, p, s, futex))
		e->kind = PLOP_WAIT_GIL;
}

/* Sends the time off CPU of a place, which ended at now. */
static __always_inline void wait_send(struct plop_cpu *cpu, const struct plop_sleeper *e,
				      __u64 pid_tgid, __u64 now)
{
	__u64 waiting = bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA);
	struct plop_record_wait r = {
		.head = { .type = PLOP_RECORD_WAIT, .tgid = pid_tgid >> 32, .image = e->image },
		.hash = e->hash,
		.since = e->since,
		.ns = now - e->since,
		.tid = pid_tgid,
		.kind = e->kind,
		.syscall = e->syscall,
		.disk = e->disk,
	};
	__u64 *counters;

	if (e->kind == PLOP_WAIT_RUNNABLE)
		r.runnable_ns = r.ns;
	else if (e->woken > e->since)
		r.runnable_ns = now - e->woken;
	cpu->entered++;
	counters = cpu->half[plop_active & 1].counters;
	if (waiting > WAITS_FULL || e->kind == PLOP_WAIT_BEYOND ||
	    bpf_ringbuf_output(&records, &r, sizeof(r),
			       waiting > WAITS_WAKE ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP)) {
		counters[PLOP_C_WAITS_DROPPED]++;
		counters[PLOP_C_WAIT_NS_DROPPED] += r.ns;
	} else {
		counters[PLOP_C_WAITS]++;
	}
	cpu->left++;
}

/*
 * When a thread that leaves had come back, which once in some hundred times is not seen: by the scheduler's own account how
 * long ago that was (both of its clock), else when it was woken, else now.
 */
static __always_inline __u64 arrival(struct task_struct *prev, const struct plop_sleeper *e)
{
	__u64 now = bpf_ktime_get_ns(), ran = 0;

	if (bpf_core_field_exists(prev->sched_info.last_arrival))
		ran = prev->se.exec_start - prev->sched_info.last_arrival;
	else if (e->woken > e->since)
		ran = now - e->woken;
	return ran < now - e->since ? now - ran : now;
}

static __always_inline void leave(struct task_struct *prev, const struct plop_wanted *w,
				  bool preempt, bool tasks)
{
	__u32 budget = wall_budget(w);
	__u32 tgid = prev->tgid, n = bpf_get_smp_processor_id();
	__u64 pid_tgid = (__u64)tgid << 32 | prev->pid, truncated = 0;
	struct plop_process *p = bpf_map_lookup_elem(&processes, &tgid);
	struct scratch *s = bpf_map_lookup_elem(&scratch, &n);
	struct plop_cpu *cpu = bpf_map_lookup_elem(&cpus, &n);
	struct plop_sleeper *e;
	long lost;

	if (!p || p->state != PLOP_STATE_PROFILED || !cpu || !s || prev->flags & PF_EXITING)
		return;
	e = sleeper_find(pid_tgid, true, budget);
	if (!e)
		return;
	if (e->since)
		wait_send(cpu, e, pid_tgid, arrival(prev, e));
	e->image = p->image;
	e->hash = 0;
	e->woken = 0;
	if (!budget_take(budget, true)) {
		e->kind = PLOP_WAIT_BEYOND;
		e->syscall = -1;
		e->disk = 0;
		e->since = bpf_ktime_get_ns();
		return;
	}
	cpu->entered++;
	lost = python_tick(cpu, &cpu->half[plop_active & 1], p, pid_tgid, PLOP_SET_WALL,
			   budget ? budget : PLOP_PART_TRUSTED, &truncated, true, tasks);
	if (!lost)
		e->hash = s->walk.hash;
	reason_read(e, prev, preempt, p);
	cpu->left++;
	/* last: a place without a time is not one to look at */
	e->since = bpf_ktime_get_ns();
}

static __always_inline void back(struct task_struct *next, const struct plop_wanted *w)
{
	__u64 pid_tgid = (__u64)next->tgid << 32 | next->pid, now = bpf_ktime_get_ns();
	struct plop_record_wait r = { .head = { .type = PLOP_RECORD_WAIT, .tgid = next->tgid },
				      .ns = now,
				      .tid = next->pid };
	__u32 n = bpf_get_smp_processor_id();
	struct plop_cpu *cpu = bpf_map_lookup_elem(&cpus, &n);
	struct plop_sleeper *e = sleeper_find(pid_tgid, false, 0);

	if (!cpu)
		return;
	if (!e) {
		/* it left before anybody watched, if it has ever run; or found no place */
		if (records_room() && budget_take(wall_budget(w), true))
			bpf_ringbuf_output(&records, &r, sizeof(r), BPF_RB_NO_WAKEUP);
		return;
	}
	if (e->since)
		wait_send(cpu, e, pid_tgid, now);
	sleeper_free(e);
}

static __always_inline const struct plop_wanted *wall_wanted(__u32 tgid)
{
	struct plop_wanted *w = tgid ? bpf_map_lookup_elem(&wanted, &tgid) : NULL;

	return w && w->wall ? w : NULL;
}

static __always_inline void switched(struct task_struct *prev, struct task_struct *next,
				     bool preempt, bool tasks)
{
	const struct plop_wanted *w = wall_wanted(prev->tgid);

	if (w)
		leave(prev, w, preempt, tasks);
	w = wall_wanted(next->tgid);
	if (w)
		back(next, w);
}

/* Interrupts are off here (__schedule(), kernel/sched/core.c), so no tick comes between. */
SEC("?tp_btf/sched_switch")
int BPF_PROG(plop_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	switched(prev, next, preempt, false);
	return 0;
}

/* In its stead while a recording wants to know of asyncio tasks as well. */
SEC("?tp_btf/sched_switch")
int BPF_PROG(plop_sw_async, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	switched(prev, next, preempt, true);
	return 0;
}

SEC("?tp_btf/sched_wakeup")
int BPF_PROG(plop_wakeup, struct task_struct *task)
{
	struct plop_sleeper *e;

	if (!wall_wanted(task->tgid))
		return 0;
	e = sleeper_find((__u64)task->tgid << 32 | task->pid, false, 0);
	if (e)
		e->woken = bpf_ktime_get_ns();
	return 0;
}
