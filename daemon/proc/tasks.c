/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "proc/parse.h"
#include "proc/tasks.h"
#include "proc/text.h"
#include "util/array.h"

/* PF_IO_WORKER, from Linux 5.12 on, and PF_USER_WORKER, from 6.4 on: see bpf/vmlinux.h. */
#define PF_WORKER (0x10u | 0x4000u)

bool syscall_is_futex(long number)
{
	return number == SYS_futex;
}

int task_syscall_parse(const char *text, long *ret, uint64_t args[6])
{
	uint64_t found[6];
	char *end;
	long number;

	if (strncmp(text, "running", strlen("running")) == 0)
		return -ENODATA;
	number = strtol(text, &end, 10);
	if (end == text)
		return -EBADMSG;
	if (number < 0)
		return -ENODATA;
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		const char *from = end;

		found[i] = strtoull(from, &end, 16);
		if (end == from)
			return -EBADMSG;
	}
	*ret = number;
	memcpy(args, found, sizeof(found));
	return 0;
}

/* A small file below /proc/PID/task/TID, with a NUL behind. Returns its size, < 0: it cannot be read. */
static ssize_t task_file(pid_t pid, pid_t tid, const char *name, char *buffer, size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	char path[96];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buffer, size - 1);
	if (n < 0)
		return -errno;
	buffer[n] = '\0';
	return n;
}

int task_state_read(pid_t pid, pid_t tid, struct task_state *ret)
{
	struct task_state s = { .syscall = -1 };
	struct proc_stat stat;
	char text[1024];
	ssize_t n = task_file(pid, tid, "stat", text, sizeof(text));

	if (n < 0)
		return (int)n;
	if (proc_stat_parse(text, (size_t)n, &stat) < 0)
		return -EBADMSG;
	s.letter = stat.state;
	s.worker = stat.flags & PF_WORKER;
	/* one that runs, or is about to, is in no call that could be told */
	if (s.letter != 'R' && !s.worker && task_file(pid, tid, "syscall", text, sizeof(text)) > 0)
		(void)task_syscall_parse(text, &s.syscall, s.args);
	*ret = s;
	return 0;
}

/* The number behind a line's name; 0: there is no such line. */
static uint64_t status_number(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

int task_switches_read(pid_t pid, pid_t tid, char *ret_letter, uint64_t *ret)
{
	char text[8192];
	ssize_t n = task_file(pid, tid, "status", text, sizeof(text));
	const char *state;

	if (n < 0)
		return (int)n;
	state = strstr(text, "\nState:\t");
	if (!state || !strstr(text, "\nvoluntary_ctxt_switches:"))
		return -EBADMSG;
	*ret_letter = state[strlen("\nState:\t")];
	*ret = status_number(text, "\nvoluntary_ctxt_switches:") +
	       status_number(text, "\nnonvoluntary_ctxt_switches:");
	return 0;
}

/* The innermost namespace comes last; kernels before 4.1 had no such line. */
static pid_t own_tid(const char *status)
{
	const char *line = strstr(status, "\nNSpid:");
	const char *end, *at;

	if (!line)
		return 0;
	line += strlen("\nNSpid:");
	end = line + strcspn(line, "\n");
	for (at = end; at > line && at[-1] != '\t' && at[-1] != ' '; at--)
		;
	return (pid_t)strtol(at, NULL, 10);
}

/* Whether the process is in the pid namespace of this /proc: then its threads have the same tids there. */
static bool is_near(pid_t pid)
{
	char text[8192];
	const char *line;

	if (task_file(pid, pid, "status", text, sizeof(text)) < 0)
		return false;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return false;
	line += strlen("\nNSpid:");
	line += strspn(line, " \t");
	/* one number and no other */
	return line[strspn(line, "0123456789")] == '\n';
}

static int task_own_tid(pid_t pid, pid_t tid, pid_t *ret)
{
	char text[8192];
	ssize_t n = task_file(pid, tid, "status", text, sizeof(text));

	if (n < 0)
		return (int)n;
	*ret = own_tid(text);
	return 0;
}

static int task_read(pid_t pid, pid_t tid, struct task *ret)
{
	char text[64];
	struct task t = { .tid = tid };
	ssize_t n = task_own_tid(pid, tid, &t.own_tid);

	if (n < 0)
		return (int)n;
	n = task_file(pid, tid, "comm", text, sizeof(text));
	if (n < 0)
		return (int)n;
	t.comm = text_sanitize(text, n > 0 && text[n - 1] == '\n' ? (size_t)n - 1 : (size_t)n);
	if (!t.comm)
		return -ENOMEM;
	*ret = t;
	return 0;
}

static int by_tid(const void *a, const void *b)
{
	pid_t x = ((const struct task *)a)->tid, y = ((const struct task *)b)->tid;

	return (x > y) - (x < y);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int tasks_each(pid_t pid, int (*task)(pid_t tid, void *ctx), void *ctx)
{
	_cleanup_(closedirp) DIR *folder = NULL;
	const struct dirent *entry;
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r == 0 && (entry = readdir(folder))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid > 0)
			r = task(tid, ctx);
	}
	return r;
}

struct collection {
	struct tasks tasks;
	uint32_t room;
	pid_t pid;
	int (*read)(pid_t pid, pid_t tid, struct task *ret);
};

static int collect(pid_t tid, void *ctx)
{
	struct collection *c = ctx;
	struct tasks *t = &c->tasks;
	void *array = t->tasks;
	int r;

	if (t->n == TASKS_MAX) {
		t->beyond++;
		return 0;
	}
	r = array_reserve(&array, (uint32_t)t->n, &c->room, sizeof(*t->tasks));
	if (r < 0)
		return r;
	t->tasks = array;
	r = c->read(c->pid, tid, &t->tasks[t->n]);
	t->n += r == 0;
	return r == -ENOMEM ? r : 0;
}

static int tasks_collect(pid_t pid, int (*read)(pid_t pid, pid_t tid, struct task *ret),
			 struct tasks *ret)
{
	struct collection c = { .pid = pid, .read = read };
	int r = tasks_each(pid, collect, &c);

	if (r == 0 && c.tasks.n == 0)
		r = -ESRCH;
	if (r < 0) {
		tasks_done(&c.tasks);
		return r;
	}
	qsort(c.tasks.tasks, c.tasks.n, sizeof(*c.tasks.tasks), by_tid);
	*ret = c.tasks;
	return 0;
}

int tasks_read(pid_t pid, struct tasks *ret)
{
	return tasks_collect(pid, task_read, ret);
}

static int task_near(pid_t pid, pid_t tid, struct task *ret)
{
	*ret = (struct task){ .tid = tid, .own_tid = tid };
	return 0;
}

static int task_far(pid_t pid, pid_t tid, struct task *ret)
{
	*ret = (struct task){ .tid = tid };
	return task_own_tid(pid, tid, &ret->own_tid);
}

int tasks_list(pid_t pid, struct tasks *ret)
{
	return tasks_collect(pid, is_near(pid) ? task_near : task_far, ret);
}

void tasks_done(struct tasks *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->tasks[i].comm);
	free(t->tasks);
	*t = (struct tasks){};
}

const struct task *tasks_find(const struct tasks *t, pid_t tid)
{
	const struct task key = { .tid = tid };

	return t->n ? bsearch(&key, t->tasks, t->n, sizeof(*t->tasks), by_tid) : NULL;
}

const struct task *tasks_find_own(const struct tasks *t, pid_t own)
{
	for (size_t i = 0; i < t->n && own > 0; i++) {
		if (t->tasks[i].own_tid == own)
			return &t->tasks[i];
	}
	return NULL;
}
