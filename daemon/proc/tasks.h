/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "util/macro.h"

/* The threads of a process as the kernel has them: /proc/PID/task. What is beyond is left out. */
#define TASKS_MAX 32768

struct task {
	pid_t tid;
	pid_t own_tid; /* in the process's own pid namespace; 0: not known */
	char *comm;    /* owned UTF-8; NULL: not asked for */
};

struct tasks {
	struct task *tasks; /* by tid; owned */
	size_t n;
	size_t beyond; /* how many there are beyond TASKS_MAX */
};

/* Calls task for the tid of each, in no order, until it returns other than 0, and returns that. -ESRCH: there is no such process. */
int tasks_each(pid_t pid, int (*task)(pid_t tid, void *ctx), void *ctx);
/* -ESRCH: there is no such process. */
int tasks_read(pid_t pid, struct tasks *ret);
/* The same without their names, which costs a file for each thread less; and one more if the process is in no pid namespace of its own. */
int tasks_list(pid_t pid, struct tasks *ret);
void tasks_done(struct tasks *t);
#define _cleanup_tasks_ _cleanup_(tasks_done)
/* By tid, or by own_tid; NULL: none. */
const struct task *tasks_find(const struct tasks *t, pid_t tid);
const struct task *tasks_find_own(const struct tasks *t, pid_t own_tid);

/* What a thread does at a moment. */
struct task_state {
	char letter;      /* as in proc(5): R, S, D, T, t, Z, ...; 0: it has ended */
	long syscall;     /* the system call that it is blocked in; -1: none, or not known */
	uint64_t args[6]; /* ... and its arguments */
	bool worker;      /* made by the kernel for the process: it never runs the process's code */
};
int task_state_read(pid_t pid, pid_t tid, struct task_state *ret);

/* Its letter, and how often it has left a CPU: two equal counts, and it slept at both, then it slept in between. -EBADMSG: not told. */
int task_switches_read(pid_t pid, pid_t tid, char *ret_letter, uint64_t *ret);

/* The text of /proc/PID/task/TID/syscall. -EBADMSG: it is none; -ENODATA: blocked in no system call, or not blocked. */
int task_syscall_parse(const char *text, long *ret, uint64_t args[6]);
/* Whether it is futex(), whose first argument is the address that is waited on. */
bool syscall_is_futex(long number);
