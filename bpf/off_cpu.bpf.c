// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Time off CPU, measured where it begins and ends: at the scheduler's switch. Attached only while
 * somebody records off-CPU time. A thread of a process with such a filter that leaves its CPU is
 * walked there and then, as its memory and its registers are still at hand; when it comes back,
 * what it waited for goes up in one record.
 */
#include "tick.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_FUTEX 202 /* arch/x86/entry/syscalls/syscall_64.tbl */
#else
#define SYSCALL_FUTEX 98 /* include/uapi/asm-generic/unistd.h */
#endif

#define TASK_UNINTERRUPTIBLE 0x0002 /* include/linux/sched.h */
#define TASK_NOLOAD          0x0400

/*
 * Fill levels of the ring buffer, in bytes: from one on plopd is woken, beyond the other records
 * are dropped.
 */
#define WAITS_WAKE 262144
#define WAITS_FULL RECORDS_FULL
_Static_assert(WAITS_WAKE < WAITS_FULL, "plopd is woken before any are dropped");

#define SLEEPER_PROBES 8

/*
 * struct _gil_runtime_state (internal/pycore_gil.h, 3.8 to 3.15): four words, then the condition
 * variable on which threads wait until the GIL is let go. Its futexes are all within it
 * (nptl/pthread_cond_wait.c of glibc).
 */
#define GIL_LOCKED    16
#define GIL_COND      32
#define GIL_COND_SIZE 48  /* sizeof(pthread_cond_t) */
#define GIL_NEAR      208 /* more than from any of its futexes to another */

/* include/uapi/linux/futex.h */
#define FUTEX_WAIT        0
#define FUTEX_WAKE        1
#define FUTEX_WAIT_BITSET 9
#define FUTEX_CMD_MASK    127

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PLOP_MAX_SLEEPERS);
	__type(key, __u32);
	__type(value, struct plop_sleeper);
} sleepers SEC(".maps");

/* Whom the walks for such a process are charged to; 0: a trusted user's channel wants it. */
static __always_inline __u32 off_cpu_budget(const struct plop_filter *w)
{
	return w->off_cpu & plop_trusted ? 0 : w->budget;
}

/* Takes a free place for a user. */
static __always_inline bool sleeper_take(struct plop_sleeper *s, __u64 key, __u32 budget)
{
	__u32 all = 0;
	struct plop_budget *b = budget ? bpf_map_lookup_elem(&budgets, &budget) : NULL;
	struct plop_budget *users = b ? bpf_map_lookup_elem(&budgets, &all) : NULL;

	if ((users && !plop_user_may(b->sleepers, users->sleepers, PLOP_MAX_USERS_SLEEPERS)) ||
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
	s->since = s->woken = s->back = 0;
	s->key = 0;
}

/* The place of a thread: its own, or, with make, a free one that it takes for budget. */
static __always_inline struct plop_sleeper *sleeper_find(__u64 key, bool make, __u32 budget)
{
	__u64 h = plop_mix(key);

	for (__u32 i = 0; i < SLEEPER_PROBES; i++) {
		__u32 n = (h + i) & (PLOP_MAX_SLEEPERS - 1);
		struct plop_sleeper *s = bpf_map_lookup_elem(&sleepers, &n);

		if (!s)
			return NULL;
		if (s->key == key)
			return s;
		/* or somebody took it for the same thread just now */
		if (make && s->key == 0 && (sleeper_take(s, key, budget) || s->key == key))
			return s;
	}
	return NULL;
}

/*
 * The lock of the interpreter that the current thread, which was just walked, is in; 0: not known.
 */
static __always_inline __u64 gil_read(const struct plop_layout *l, const struct plop_process *p,
				      const struct plop_cpu *cpu)
{
	__u64 gil = PLOP_GIL_PLACE(l, p->runtime), interp;
	struct thread_facts facts;

	if (!PLOP_GIL_IS_KNOWN(l))
		return 0;
	if (PLOP_GIL_IS_POINTED(l)) {
		/*
		 * scratch may hold another's state: a caller's, or what a search looked at last
		 * that found none
		 */
		thread_facts_read(&facts, true);
		if (cpu->last_thread != PLOP_THREAD_KEY(p->image, facts.thread))
			return 0;
		if (bpf_probe_read_user(&interp, sizeof(interp),
					(void *)(cpu->last_state + PLOP_TS_INTERP(l))) ||
		    bpf_probe_read_user(&gil, sizeof(gil), (void *)PLOP_GIL_PLACE(l, interp)))
			return 0;
	}
	return gil;
}

/* The system call that a task is in, -1: none. *ret: its first argument. */
static __always_inline __s32 syscall_read(struct task_struct *task, __u64 *ret)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(task);

	*ret = 0;
	/* it has no registers of user space */
	if (task->flags & PF_WORKER)
		return -1;
#if defined(__TARGET_ARCH_x86)
	*ret = regs->di;
	return (__s64)regs->orig_ax < 0 ? -1 : (__s32)regs->orig_ax;
#else
	*ret = regs->orig_x0;
	return regs->syscallno;
#endif
}

/* What a thread that could run was at when it lost its CPU within a call of the GIL's futex. */
static __always_inline __u32 gil_kind(struct task_struct *prev, __u64 gil, __u64 futex)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(prev);
	__u32 locked = 0, op;

#if defined(__TARGET_ARCH_x86)
	op = regs->si & FUTEX_CMD_MASK;
#else
	op = regs->regs[1] & FUTEX_CMD_MASK;
#endif
	if (bpf_probe_read_user(&locked, sizeof(locked), (void *)(gil + GIL_LOCKED)))
		return PLOP_WAIT_RUNNABLE;
	if (!locked && op == FUTEX_WAKE)
		return PLOP_WAIT_LET_GO;
	/* its time was up, and another has it */
	if (locked && (op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET) &&
	    futex - gil - GIL_COND < GIL_COND_SIZE)
		return PLOP_WAIT_GIL;
	return PLOP_WAIT_RUNNABLE;
}

/* Why prev, which is the current task, leaves its CPU. */
static __always_inline void reason_read(struct plop_sleeper *e, struct task_struct *prev,
					bool preempt, const struct plop_process *p,
					const struct plop_cpu *cpu)
{
	__u32 layout = p->layout, state = prev->__state;
	struct plop_layout *l = bpf_map_lookup_elem(&layouts, &layout);
	__u64 futex, gil = 0;
	__s32 syscall = syscall_read(prev, &futex);

	if (l && syscall == SYSCALL_FUTEX)
		gil = gil_read(l, p, cpu);
	e->syscall = -1;
	e->disk = 0;
	e->gil = 0;
	if (preempt || state == 0 || !l) {
		e->kind = PLOP_WAIT_RUNNABLE;
		if (gil && PLOP_GIL_HAS(l, gil, futex))
			e->kind = gil_kind(prev, gil, futex);
		if (e->kind == PLOP_WAIT_LET_GO)
			e->gil = futex;
		return;
	}
	e->kind = PLOP_WAIT_SLEEPING;
	e->disk = state & TASK_UNINTERRUPTIBLE && !(state & TASK_NOLOAD);
	e->syscall = syscall;
	if (!gil || !PLOP_GIL_HAS(l, gil, futex))
		return;
	e->kind = PLOP_WAIT_GIL;
	if (futex - gil - GIL_COND < GIL_COND_SIZE)
		e->gil = futex;
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
	counters = cpu->half[PLOP_HALF_FILLING(plop_active)].counters;
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
 * When a thread that leaves had come back, which once in some hundred times is not seen: by the
 * scheduler's own account how long ago that was (both of its clock), else when it was woken, else
 * now.
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

/*
 * Sends what is known of a place whose thread is the current one, and leaves. Who lost its CPU
 * while it let go of the GIL and now waits at the same one wants it back: it could have made no use
 * of a CPU before. A function of its own, as back() is: see tasks_thread_find().
 */
static __noinline void before_send(struct plop_cpu *cpu, struct plop_sleeper *e,
				   struct task_struct *prev, __u64 pid_tgid)
{
	__u64 futex, back = e->back ? e->back : arrival(prev, e);

	if (e->kind == PLOP_WAIT_LET_GO) {
		e->kind = PLOP_WAIT_RUNNABLE;
		e->woken = 0;
		if (syscall_read(prev, &futex) == SYSCALL_FUTEX &&
		    futex - e->gil + GIL_NEAR < 2 * GIL_NEAR)
			e->kind = PLOP_WAIT_GIL;
	}
	wait_send(cpu, e, pid_tgid, back);
}

static __always_inline void leave(struct task_struct *prev, const struct plop_filter *w,
				  struct plop_process *p, bool preempt, bool tasks)
{
	__u32 budget = off_cpu_budget(w);
	__u32 tgid = prev->tgid, n = bpf_get_smp_processor_id();
	__u64 pid_tgid = PLOP_SLEEPER_KEY(tgid, prev->pid), truncated = 0, now;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &n);
	struct plop_cpu *cpu = bpf_map_lookup_elem(&cpus, &n);
	struct plop_sleeper *e;
	long lost;

	if (!cpu || !s)
		return;
	e = sleeper_find(pid_tgid, !(prev->flags & PF_EXITING), budget);
	if (!e)
		return;
	if (e->since)
		before_send(cpu, e, prev, pid_tgid);
	if (prev->flags & PF_EXITING) {
		sleeper_free(e);
		return;
	}
	e->image = p->image;
	e->hash = 0;
	e->woken = e->back = 0;
	if (!budget_take(budget, true)) {
		e->kind = PLOP_WAIT_BEYOND;
		e->syscall = -1;
		e->disk = 0;
		e->since = bpf_ktime_get_ns();
		return;
	}
	cpu->entered++;
	lost = python_tick(cpu, &cpu->half[PLOP_HALF_FILLING(plop_active)], p, pid_tgid,
			   PLOP_CHANNEL_OFF_CPU, PLOP_PART_OF(budget), true, &truncated, true,
			   tasks);
	if (!lost)
		e->hash = s->walk.hash;
	reason_read(e, prev, preempt, p, cpu);
	cpu->left++;
	/*
	 * who was woken while it was walked has been runnable ever since; plop_wakeup() took it for
	 * one that nobody saw leave
	 */
	e->image = p->image;
	now = bpf_ktime_get_ns();
	if (e->woken)
		e->woken = now + 1;
	/* last: a place without a time is not one to look at */
	e->since = now;
}

/*
 * Sends that a thread is back that left before anybody watched, if it has ever run, or found no
 * place. Its memory cannot be read from here, so what it was at is told by its system call, and by
 * whether somebody has woken it since.
 */
static __always_inline void first_send(struct task_struct *next, const struct plop_filter *w,
				       const struct plop_sleeper *e, __u64 now)
{
	struct plop_record_wait r = { .head = { .type = PLOP_RECORD_WAIT, .tgid = next->tgid },
				      .ns = now,
				      .tid = next->pid,
				      .kind = PLOP_WAIT_RUNNABLE,
				      .syscall = -1 };

	if (!e)
		r.kind = PLOP_WAIT_UNTOLD;
	if (e && e->woken) {
		r.kind = PLOP_WAIT_SLEEPING;
		r.syscall = syscall_read(next, &r.hash);
		r.runnable_ns = now - e->woken;
	}
	if (records_room() && budget_take(off_cpu_budget(w), true))
		bpf_ringbuf_output(&records, &r, sizeof(r), BPF_RB_NO_WAKEUP);
}

static __noinline void back(struct task_struct *next, const struct plop_filter *w)
{
	__u64 pid_tgid = PLOP_SLEEPER_KEY(next->tgid, next->pid), now = bpf_ktime_get_ns();
	__u32 n = bpf_get_smp_processor_id();
	struct plop_cpu *cpu = bpf_map_lookup_elem(&cpus, &n);
	/*
	 * who has none has not been woken since; or there was none to be had, as there is none now
	 */
	struct plop_sleeper *e = sleeper_find(pid_tgid, true, off_cpu_budget(w));

	if (!cpu)
		return;
	if (e && e->since && e->kind == PLOP_WAIT_LET_GO) {
		/* what it waited for shows when it leaves again */
		e->back = now;
		return;
	}
	if (e && e->since)
		wait_send(cpu, e, pid_tgid, now);
	else
		first_send(next, w, e, now);
	if (e)
		sleeper_free(e);
}

/*
 * All programs of a tree have a filter. Of those that are no Python nothing can be told, so they
 * take neither places nor records, nor any of what their user may have.
 */
static __always_inline const struct plop_filter *off_cpu_filter(__u32 tgid,
								struct plop_process **ret)
{
	struct plop_filter *w = tgid ? bpf_map_lookup_elem(&filters, &tgid) : NULL;

	if (!w || !w->off_cpu)
		return NULL;
	*ret = bpf_map_lookup_elem(&processes, &tgid);
	return *ret && (*ret)->state == PLOP_STATE_PROFILED ? w : NULL;
}

static __always_inline void switched(struct task_struct *prev, struct task_struct *next,
				     bool preempt, bool tasks)
{
	struct plop_process *p = NULL;
	const struct plop_filter *w = off_cpu_filter(prev->tgid, &p);

	if (w && p)
		leave(prev, w, p, preempt, tasks);
	w = off_cpu_filter(next->tgid, &p);
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

/*
 * Whether a thread that waits until the GIL is let go is woken by the one that did so. Else its
 * time was up: it looks whether the GIL is free, and goes on waiting (take_gil(),
 * Python/ceval_gil.c).
 */
static __always_inline bool gil_is_given(const struct plop_sleeper *e, int tgid)
{
	struct task_struct *waker = bpf_get_current_task_btf();
	__u64 futex;

	return e->gil && waker->tgid == tgid && syscall_read(waker, &futex) == SYSCALL_FUTEX &&
	       futex - e->gil + GIL_COND_SIZE < 2 * GIL_COND_SIZE;
}

/*
 * Where the waker is, which sched_wakeup may not be. A thread that waits for the GIL and has not
 * been given it can make no use of a CPU: what it waits for is the GIL, until it is.
 */
SEC("?tp_btf/sched_waking")
int BPF_PROG(plop_wakeup, struct task_struct *task)
{
	struct plop_process *p;
	const struct plop_filter *w = off_cpu_filter(task->tgid, &p);
	struct plop_sleeper *e;

	if (!w)
		return 0;
	/* one that left before anybody watched has none yet */
	e = sleeper_find(PLOP_SLEEPER_KEY(task->tgid, task->pid), true, off_cpu_budget(w));
	if (!e)
		return 0;
	if (!e->since)
		e->image = 0;
	if (!e->since || e->kind != PLOP_WAIT_GIL || gil_is_given(e, task->tgid))
		e->woken = bpf_ktime_get_ns();
	return 0;
}
