// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Follows processes: a forked child of a profiled process is profiled from its first tick, a
 * process that executes another program is examined anew, one that ends frees its entry, and plopd
 * looks at the title of one that renames itself. These programs run in the context of the task, not
 * of a tick, so they may change the process table.
 */
#include "launch.bpf.h"

volatile __u64 plop_changes = 0;
volatile __u64 plop_table_full = 0;
volatile __u64 plop_renames_woken = 0;
volatile __u64 plop_plain[PLOP_PLAIN_PROGRAMS] = {};
volatile struct plop_launch plop_launches[PLOP_LAUNCHES] = {};
volatile __u64 plop_forked[PLOP_FORKED_PLACES] = {};

/* Processes of the table by their user's place, and of all but root's. Written by both sides. */
volatile __u32 plop_user_processes[PLOP_USER_PLACES] = {};
volatile __u32 plop_users_processes = 0;

#define USER_NOBODY 65534
#define NAMESPACES  32 /* that can lie in one another (kernel/user_namespace.c) */

/*
 * Of all that a namespace which root has made is for (a container, most likely), the namespace is
 * the user. The verifier takes a pointer under RCU for one that may be NULL, where the kernel's
 * type information says which are (those that clang has built).
 */
static __always_inline __u32 user_place(struct task_struct *task)
{
	const struct cred *cred = task->real_cred;
	struct user_namespace *ns;
	__u32 uid, outermost = 0;

	if (!cred)
		return PLOP_USER_PLACE(USER_NOBODY, plop_seed);
	uid = cred->uid.val;
	ns = cred->user_ns;
	for (int i = 0; i < NAMESPACES && ns->level > 0; i++) {
		uid = ns->owner.val;
		outermost = ns->ns.inum;
		ns = ns->parent;
	}
	return PLOP_USER_PLACE(uid ? uid : outermost, plop_seed);
}

/* Whether its user may have one more in the table; then it is counted. */
static __always_inline bool user_charge(__u32 place)
{
	if (place == 0)
		return true;
	/* for the verifier, which does not know what the compiler does */
	barrier_var(place);
	place &= PLOP_USER_PLACES - 1;
	if (!plop_user_may((__s32)plop_user_processes[place], (__s32)plop_users_processes,
			   PLOP_MAX_USERS_PROCESSES))
		return false;
	__sync_fetch_and_add(&plop_user_processes[place], 1);
	__sync_fetch_and_add(&plop_users_processes, 1);
	return true;
}

static __always_inline void user_discharge(__u32 place)
{
	if (place == 0)
		return;
	barrier_var(place);
	place &= PLOP_USER_PLACES - 1;
	__sync_fetch_and_add(&plop_user_processes[place], -1);
	__sync_fetch_and_add(&plop_users_processes, -1);
}

/* What a process is for with all its children, this one is for. */
static __always_inline void filter_fork(__u32 from, __u32 to)
{
	struct plop_filter *w = bpf_map_lookup_elem(&filters, &from), copy = {};

	if (!w || !(w->children | w->off_cpu_children))
		return;
	copy.ticks = w->ticks & w->children;
	copy.children = w->children;
	copy.off_cpu = copy.off_cpu_children = w->off_cpu_children;
	copy.budget = w->budget;
	bpf_map_update_elem(&filters, &to, &copy, BPF_ANY);
}

/* A thread that is made inherits a recording's event, until plopd has given it one of its own. */
static __always_inline void thread_born(__u32 tgid, __u32 maker, __u32 made)
{
	struct plop_filter *w = bpf_map_lookup_elem(&filters, &tgid);

	if (w && w->threads && records_room())
		record_send(PLOP_RECORD_THREAD, tgid, PLOP_THREAD(maker, made),
			    BPF_RB_FORCE_WAKEUP);
}

/*
 * A process, or another program of one, begins; who was not in the table, as others are not
 * followed, is from now on.
 */
static __always_inline bool process_begin(__u32 tgid, struct plop_process *p)
{
	struct plop_process *before = bpf_map_lookup_elem(&processes, &tgid);

	if (before && before->user == p->user &&
	    bpf_map_update_elem(&processes, &tgid, p, BPF_EXIST) == 0)
		return true;
	/* it may be another user's by now, as what a service manager forks */
	if (before) {
		__u32 user = before->user;

		if (bpf_map_delete_elem(&processes, &tgid) == 0)
			user_discharge(user);
	}
	if (!user_charge(p->user))
		return false;
	if (bpf_map_update_elem(&processes, &tgid, p, BPF_NOEXIST) == 0)
		return true;
	user_discharge(p->user);
	return false;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(plop_fork, struct task_struct *parent, struct task_struct *child)
{
	struct plop_record_fork r = {};
	struct plop_process *p, copy;
	__u32 from = parent->tgid, to = child->tgid;

	if (from == to) {
		thread_born(from, parent->pid, child->pid);
		return 0;
	}
	filter_fork(from, to);
	/* before it is seen what the parent is: that it is known comes before this is read */
	plop_forked[from % PLOP_FORKED_PLACES] = bpf_ktime_get_ns();
	p = bpf_map_lookup_elem(&processes, &from);
	if (!p)
		return 0;
	copy = *p;
	plop_process_begin(&copy, bpf_ktime_get_ns());
	/* that of the parent after vfork(), else a copy of it */
	if (copy.mm)
		copy.mm = (__u64)child->mm;
	copy.user = user_place(child);
	if (!process_begin(to, &copy)) {
		__sync_fetch_and_add(&plop_table_full, 1);
		return 0;
	}
	if (copy.state == PLOP_STATE_NEW)
		return 0;
	r.head.type = PLOP_RECORD_FORK;
	r.head.tgid = to;
	r.head.image = copy.image;
	r.parent = from;
	r.parent_image = p->image;
	bpf_ringbuf_output(&records, &r, sizeof(r), BPF_RB_NO_WAKEUP);
	return 0;
}

/*
 * The file of the program that a process executes, as a number. The generation tells apart those
 * that had the inode one after another.
 */
static __always_inline __u64 program_file(struct task_struct *task)
{
	struct file *exe = task->mm->exe_file;
	struct inode *inode;

	if (!exe)
		return 0;
	inode = exe->f_inode;
	return plop_mix(plop_mix(inode->i_ino) ^ (__u64)inode->i_sb->s_dev << 32 ^
			inode->i_generation) &
	       ~(__u64)PLOP_PROGRAM_PYTHON;
}

static __always_inline int executed(struct task_struct *task, bool use_loop)
{
	const struct cred *cred = task->real_cred;
	struct plop_record_exec r = {};
	struct plop_process p = {};
	__u32 tgid = task->tgid;
	__u64 program;
	bool plain;

	r.file = program_file(task);
	r.uid = cred ? cred->uid.val : ~0u;
	r.code = task->mm->start_code;
	r.born = task->start_boottime;
	r.parent = task->real_parent->tgid;
	program = plop_plain[r.file % PLOP_PLAIN_PROGRAMS];
	plain = r.file && program == r.file;
	plop_process_begin(&p, bpf_ktime_get_ns());
	p.state = PLOP_STATE_NEW;
	p.runtime = r.file;
	if (plain)
		p.wait = PLOP_WAIT_PLAIN_NS;
	p.user = user_place(task);
	if (use_loop && r.file && program == (r.file | PLOP_PROGRAM_PYTHON)) {
		r.launch = launch_of(task, r.file);
		r.known = launch_known(&p, r.launch, r.uid, r.code);
	}
	if (!process_begin(tgid, &p)) {
		r.known = 0;
		__sync_fetch_and_add(&plop_table_full, 1);
	}
	__sync_fetch_and_add(&plop_changes, 1);
	r.head.type = PLOP_RECORD_EXEC;
	r.head.tgid = tgid;
	r.head.image = p.image;
	/* others are looked at with whatever wakes plopd next, once a second at least */
	bpf_ringbuf_output(&records, &r, sizeof(r),
			   plain || r.known ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(plop_exec, struct task_struct *task)
{
	return executed(task, true);
}

/* For kernels without bpf_loop(): no launch is known. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(plop_exec_bound, struct task_struct *task)
{
	return executed(task, false);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(plop_exit, struct task_struct *task)
{
	__u32 tgid = task->tgid, user;
	struct plop_process *p;

	/*
	 * do_exit() (kernel/exit.c) has counted this thread out before: 0 means that it was the
	 * last one
	 */
	if (task->signal->live.counter != 0)
		return 0;
	bpf_map_delete_elem(&filters, &tgid);
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p)
		return 0;
	if (p->state != PLOP_STATE_NEW)
		record_send(PLOP_RECORD_EXIT, tgid, p->image, BPF_RB_NO_WAKEUP);
	user = p->user;
	/* plopd may have taken it out just now */
	if (bpf_map_delete_elem(&processes, &tgid) == 0)
		user_discharge(user);
	__sync_fetch_and_add(&plop_changes, 1);
	return 0;
}

/*
 * setproctitle() and its like name the main thread by prctl(PR_SET_NAME), as well as writing over
 * the command line.
 */
SEC("tp_btf/task_rename")
int BPF_PROG(plop_rename, struct task_struct *task, const char *comm)
{
	__u64 now = bpf_ktime_get_ns(), flags = BPF_RB_NO_WAKEUP;
	__u32 tgid = task->tgid;
	struct plop_process *p;

	if (task->pid != task->tgid)
		return 0;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p || p->state == PLOP_STATE_NEW || now - p->asked < PLOP_RENAMES_APART_NS ||
	    !records_room())
		return 0;
	p->asked = now;
	/* however many do that, plopd wakes up no more often than one would have it */
	if (now - plop_renames_woken >= PLOP_RENAMES_APART_NS) {
		plop_renames_woken = now;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	record_send(PLOP_RECORD_RENAME, tgid, p->image, flags);
	return 0;
}
