/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * The few kernel types that plop's programs look into, written by hand and trimmed to the fields
 * read. CO-RE moves each access to where the running kernel keeps the field, so neither this file
 * nor the builder's kernel decides an offset. Sources: include/linux/sched.h, mm_types.h, fs.h,
 * include/linux/sched/signal.h, arch/<arch>/include/asm/processor.h.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>

#define __VMLINUX_H__

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct thread_struct {
	unsigned long fsbase;
};
#elif defined(__TARGET_ARCH_arm64)
struct thread_struct {
	struct {
		unsigned long tp_value;
	} uw;
};
#else
#error "plop knows x86-64 and arm64"
#endif

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
};

struct super_block {
	unsigned int s_dev;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_generation;
	long long i_ctime_sec; /* 6.11 */
	unsigned int i_ctime_nsec;
};

struct timespec64 {
	long long tv_sec;
	long tv_nsec;
};
struct inode___6_6 {
	struct timespec64 __i_ctime;
};
struct inode___older {
	struct timespec64 i_ctime;
};

struct dentry {
	struct inode *d_inode;
};
struct vfsmount;
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
};

struct fs_struct {
	struct path root, pwd;
};

struct mm_struct {
	struct file *exe_file;
	unsigned long start_code, arg_start, arg_end, env_end;
};

struct css_set;

typedef struct {
	unsigned int val;
} kuid_t;

struct ns_common {
	unsigned int inum;
};

struct user_namespace {
	struct ns_common ns;
	struct user_namespace *parent;
	int level; /* 0: that of the host */
	kuid_t owner;
};

typedef struct {
	unsigned int val;
} kgid_t;

struct cred {
	kuid_t uid, suid, euid, fsuid;
	kgid_t gid, sgid, egid, fsgid;
	struct user_namespace *user_ns;
};

/*
 * struct pt_regs: the user's registers at the entry to the kernel. Named apart from the C
 * library's.
 */
#if defined(__TARGET_ARCH_x86)
struct pt_regs___kernel {
	unsigned long di;
	unsigned long si;
	unsigned long orig_ax;
};
#else
struct pt_regs___kernel {
	unsigned long regs[31];
	unsigned long orig_x0;
	int syscallno;
};
#endif

#define PF_EXITING  0x00000004 /* include/linux/sched.h */
#define PF_DUMPCORE 0x00000200
/*
 * Threads that the kernel makes for a process and that never run its code: io_uring's from 5.12 on,
 * and from 6.4 on all of them, vhost's too. Up to 5.17 the second was PF_USED_ASYNC, which a thread
 * has that has loaded a kernel module.
 */
#define PF_IO_WORKER   0x00000010
#define PF_USER_WORKER 0x00004000
#define PF_WORKER      (PF_IO_WORKER | PF_USER_WORKER)

struct sched_entity {
	unsigned long long exec_start;
};

struct sched_info {
	unsigned long long last_arrival;
};

struct task_struct {
	unsigned int flags;
	unsigned int __state; /* 5.14; "state" before */
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct signal_struct *signal;
	const struct cred *real_cred;
	struct task_struct *real_parent;
	unsigned long long start_boottime;
	char comm[16];
	struct fs_struct *fs;
	struct css_set *cgroups;
	struct sched_entity se;
	struct sched_info sched_info; /* with CONFIG_SCHED_INFO */
	struct thread_struct thread;
};

#pragma clang attribute pop
