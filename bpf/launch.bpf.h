/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * What a process begins with, as one number: see PLOP_LAUNCHES. All that plopd would read of the
 * process goes into it. It begins with plop_seed, so nobody can make one that is another's.
 */
#include "launched.bpf.h"

#define LAUNCH_WORDS 16   /* that are read at a time */
#define LAUNCH_STEPS 128u /* as often at most: 16 kB of arguments and environment */

/*
 * How far arguments and environment are read; one for each CPU, as no other exec comes between. Not
 * on the stack: up to 6.12 those of a program and of what it calls have 512 bytes together.
 */
struct launch_walk {
	__u64 at, end, hash;
	__u64 failed;
	__u64 words[LAUNCH_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* user space: possible CPUs */
	__type(key, __u32);
	__type(value, struct launch_walk);
} launch_walks SEC(".maps") __weak;

static __always_inline __u64 launch_add(__u64 h, __u64 word)
{
	return plop_mix(h ^ word) + plop_seed;
}

/* at: what the loop is given: it takes nothing but what is on the stack. */
static long launch_step(__u32 i, struct launch_walk **at)
{
	struct launch_walk *w = *at;
	__u64 n = w->end - w->at, last = sizeof(w->words) / 8 - 1;

	if (n == 0)
		return 1;
	if (n > sizeof(w->words))
		n = sizeof(w->words);
	/* what is beyond the last word's end is of what was read before */
	if (n % 8)
		w->words[n / 8 & last] = 0;
	if (!IS_WITHIN(n, sizeof(w->words)) || bpf_probe_read_user(w->words, n, (void *)w->at)) {
		w->failed = 1;
		return 1;
	}
	w->at += n;
	n = (n + 7) / 8;
	for (__u32 k = 0; k < LAUNCH_WORDS && k < n; k++)
		w->hash = launch_add(w->hash, w->words[k]);
	return 0;
}

/* When a file was changed last, be it in its name: no other content has the same. 0: not known. */
static __always_inline __u64 changed(struct inode *inode)
{
	const struct inode___6_6 *named = (void *)inode;
	const struct inode___older *older = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return inode->i_ctime_sec * 1000000000ull + inode->i_ctime_nsec;
	if (bpf_core_field_exists(named->__i_ctime))
		return named->__i_ctime.tv_sec * 1000000000ull + named->__i_ctime.tv_nsec;
	if (bpf_core_field_exists(older->i_ctime))
		return older->i_ctime.tv_sec * 1000000000ull + older->i_ctime.tv_nsec;
	return 0;
}

/*
 * A pointer is a number where it was copied: the verifier lets nobody reckon with others. A
 * function of its own, so that not each copy has its place on the stack.
 */
static __noinline __u64 launch_number(const void *at)
{
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), at);
	return number;
}

#define LAUNCH_POINTER(from, member) launch_number(&(from)->member)

static __always_inline __u64 launch_folder(__u64 h, const struct path *p)
{
	struct inode *inode = p->dentry->d_inode;

	h = launch_add(h, LAUNCH_POINTER(p, mnt));
	h = launch_add(h, LAUNCH_POINTER(p, dentry));
	h = launch_add(h, inode->i_ino);
	return launch_add(h, (__u64)inode->i_sb->s_dev << 32 | inode->i_generation);
}

/* Of a task that has just executed the program with this number; 0: it cannot be told. */
static __always_inline __u64 launch_of(struct task_struct *task, __u64 file)
{
	struct mm_struct *mm = task->mm;
	struct file *exe = mm->exe_file;
	const struct cred *cred = task->real_cred;
	__u64 h = launch_add(plop_seed, file), size = mm->env_end - mm->arg_start, change;
	__u32 cpu = bpf_get_smp_processor_id();
	struct launch_walk *w = bpf_map_lookup_elem(&launch_walks, &cpu);

	if (!w || !exe || !cred || size == 0 || size > LAUNCH_STEPS * LAUNCH_WORDS * 8)
		return 0;
	change = changed(exe->f_inode);
	if (!change)
		return 0;
	h = launch_add(h, change);
	h = launch_add(h, LAUNCH_POINTER(exe, f_path.mnt));
	h = launch_add(h, LAUNCH_POINTER(exe, f_path.dentry));
	h = launch_add(h, (__u64)cred->uid.val << 32 | cred->euid.val);
	h = launch_add(h, (__u64)cred->suid.val << 32 | cred->fsuid.val);
	h = launch_add(h, (__u64)cred->gid.val << 32 | cred->egid.val);
	h = launch_add(h, (__u64)cred->sgid.val << 32 | cred->fsgid.val);
	h = launch_add(h, LAUNCH_POINTER(cred, user_ns));
	h = launch_folder(h, &task->fs->root);
	h = launch_folder(h, &task->fs->pwd);
	h = launch_add(h, LAUNCH_POINTER(task, cgroups));
	h = launch_add(h, bpf_get_current_cgroup_id());
	h = launch_add(h, *(__u64 *)&task->comm[0]);
	h = launch_add(h, *(__u64 *)&task->comm[8]);
	h = launch_add(h, size << 32 | (mm->arg_end - mm->arg_start));
	w->at = mm->arg_start;
	w->end = mm->env_end;
	w->hash = h;
	w->failed = 0;
	bpf_loop(LAUNCH_STEPS, launch_step, &w, 0);
	return w->failed || w->at != w->end ? 0 : w->hash;
}
