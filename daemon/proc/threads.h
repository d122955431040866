/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "util/macro.h"

/* The threads of a process as the kernel has them: /proc/PID/task. What is beyond is left out. */
#define PROC_THREADS_MAX 32768

struct proc_thread {
	pid_t tid;
	pid_t own_tid; /* in the process's own pid namespace; 0: not known */
	char *comm;    /* owned UTF-8; NULL: not asked for */
};

struct proc_threads {
	struct proc_thread *threads; /* by tid; owned */
	size_t n;
	size_t beyond; /* how many there are beyond PROC_THREADS_MAX */
};

/*
 * Calls task for the tid of each, in no order, until it returns other than 0, and returns that.
 * -ESRCH: there is no such process.
 */
int tasks_each(pid_t pid, int (*thread)(pid_t tid, void *ctx), void *ctx);
/* -ESRCH: there is no such process. */
int proc_threads_read(pid_t pid, struct proc_threads *ret);
/*
 * The same without their names, which costs a file for each thread less; and one more if the
 * process is in no pid namespace of its own.
 */
int proc_threads_list(pid_t pid, struct proc_threads *ret);
void proc_threads_done(struct proc_threads *t);
#define _cleanup_proc_threads_ _cleanup_(proc_threads_done)
/* By tid, or by own_tid; NULL: none. */
const struct proc_thread *proc_threads_find(const struct proc_threads *t, pid_t tid);
const struct proc_thread *proc_threads_find_own(const struct proc_threads *t, pid_t own_tid);

/* What a thread does at a moment. */
struct proc_thread_state {
	char letter;      /* as in proc(5): R, S, D, T, t, Z, ...; 0: it has ended */
	long syscall;     /* the system call that it is blocked in; -1: none, or not known */
	uint64_t args[6]; /* ... and its arguments */
	bool worker;      /* made by the kernel for the process: it never runs the process's code */
};
int proc_thread_state_read(pid_t pid, pid_t tid, struct proc_thread_state *ret);

/*
 * Its letter, and how often it has left a CPU: two equal counts, and it slept at both, then it
 * slept in between. -EBADMSG: not told.
 */
int proc_thread_switches_read(pid_t pid, pid_t tid, char *ret_letter, uint64_t *ret);

/*
 * The text of /proc/PID/task/TID/syscall. -EBADMSG: it is none; -ENODATA: blocked in no system
 * call, or not blocked.
 */
int proc_thread_syscall_parse(const char *text, long *ret, uint64_t args[6]);
/* Whether it is futex(), whose first argument is the address that is waited on. */
bool syscall_is_futex(long number);
