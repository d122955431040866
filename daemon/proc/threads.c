/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "proc/parse.h"
#include "proc/threads.h"
#include "proc/text.h"
#include "util/array.h"

/* PF_IO_WORKER, from Linux 5.12 on, and PF_USER_WORKER, from 6.4 on: see bpf/vmlinux.h. */
#define PF_WORKER (0x10u | 0x4000u)

bool syscall_is_futex(long number)
{
	return number == SYS_futex;
}

int proc_thread_syscall_parse(const char *text, long *ret, uint64_t args[6])
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

/*
 * A small file below /proc/PID/task/TID, with a NUL behind. Returns its size, < 0: it cannot be
 * read.
 */
static ssize_t thread_file(pid_t pid, pid_t tid, const char *name, char *buffer, size_t size)
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

int proc_thread_state_read(pid_t pid, pid_t tid, struct proc_thread_state *ret)
{
	struct proc_thread_state s = { .syscall = -1 };
	struct proc_stat stat;
	char text[1024];
	ssize_t n = thread_file(pid, tid, "stat", text, sizeof(text));

	if (n < 0)
		return (int)n;
	if (proc_stat_parse(text, (size_t)n, &stat) < 0)
		return -EBADMSG;
	s.letter = stat.state;
	s.worker = stat.flags & PF_WORKER;
	/* one that runs, or is about to, is in no call that could be told */
	if (s.letter != 'R' && !s.worker &&
	    thread_file(pid, tid, "syscall", text, sizeof(text)) > 0)
		(void)proc_thread_syscall_parse(text, &s.syscall, s.args);
	*ret = s;
	return 0;
}

/* The number behind a line's name; 0: there is no such line. */
static uint64_t status_number(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

int proc_thread_switches_read(pid_t pid, pid_t tid, char *ret_letter, uint64_t *ret)
{
	char text[8192];
	ssize_t n = thread_file(pid, tid, "status", text, sizeof(text));
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

/*
 * Whether the process is in the pid namespace of this /proc: then its threads have the same tids
 * there.
 */
static bool is_near(pid_t pid)
{
	char text[8192];
	const char *line;

	if (thread_file(pid, pid, "status", text, sizeof(text)) < 0)
		return false;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return false;
	line += strlen("\nNSpid:");
	line += strspn(line, " \t");
	/* one number and no other */
	return line[strspn(line, "0123456789")] == '\n';
}

static int thread_own_tid(pid_t pid, pid_t tid, pid_t *ret)
{
	char text[8192];
	ssize_t n = thread_file(pid, tid, "status", text, sizeof(text));

	if (n < 0)
		return (int)n;
	*ret = own_tid(text);
	return 0;
}

static int thread_read(pid_t pid, pid_t tid, struct proc_thread *ret)
{
	char text[64];
	struct proc_thread t = { .tid = tid };
	ssize_t n = thread_own_tid(pid, tid, &t.own_tid);

	if (n < 0)
		return (int)n;
	n = thread_file(pid, tid, "comm", text, sizeof(text));
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
	pid_t x = ((const struct proc_thread *)a)->tid, y = ((const struct proc_thread *)b)->tid;

	return (x > y) - (x < y);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int tasks_each(pid_t pid, int (*thread)(pid_t tid, void *ctx), void *ctx)
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
			r = thread(tid, ctx);
	}
	return r;
}

struct collection {
	struct proc_threads threads;
	uint32_t room;
	pid_t pid;
	int (*read)(pid_t pid, pid_t tid, struct proc_thread *ret);
};

static int collect(pid_t tid, void *ctx)
{
	struct collection *c = ctx;
	struct proc_threads *t = &c->threads;
	void *array = t->threads;
	int r;

	if (t->n == PROC_THREADS_MAX) {
		t->beyond++;
		return 0;
	}
	r = array_reserve(&array, (uint32_t)t->n, &c->room, sizeof(*t->threads));
	if (r < 0)
		return r;
	t->threads = array;
	r = c->read(c->pid, tid, &t->threads[t->n]);
	t->n += r == 0;
	return r == -ENOMEM ? r : 0;
}

static int threads_collect(pid_t pid, int (*read)(pid_t pid, pid_t tid, struct proc_thread *ret),
			   struct proc_threads *ret)
{
	struct collection c = { .pid = pid, .read = read };
	int r = tasks_each(pid, collect, &c);

	if (r == 0 && c.threads.n == 0)
		r = -ESRCH;
	if (r < 0) {
		proc_threads_done(&c.threads);
		return r;
	}
	qsort(c.threads.threads, c.threads.n, sizeof(*c.threads.threads), by_tid);
	*ret = c.threads;
	return 0;
}

int proc_threads_read(pid_t pid, struct proc_threads *ret)
{
	return threads_collect(pid, thread_read, ret);
}

static int thread_near(pid_t pid, pid_t tid, struct proc_thread *ret)
{
	*ret = (struct proc_thread){ .tid = tid, .own_tid = tid };
	return 0;
}

static int thread_far(pid_t pid, pid_t tid, struct proc_thread *ret)
{
	*ret = (struct proc_thread){ .tid = tid };
	return thread_own_tid(pid, tid, &ret->own_tid);
}

int proc_threads_list(pid_t pid, struct proc_threads *ret)
{
	return threads_collect(pid, is_near(pid) ? thread_near : thread_far, ret);
}

void proc_threads_done(struct proc_threads *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->threads[i].comm);
	free(t->threads);
	*t = (struct proc_threads){};
}

const struct proc_thread *proc_threads_find(const struct proc_threads *t, pid_t tid)
{
	const struct proc_thread key = { .tid = tid };

	return t->n ? bsearch(&key, t->threads, t->n, sizeof(*t->threads), by_tid) : NULL;
}

const struct proc_thread *proc_threads_find_own(const struct proc_threads *t, pid_t own)
{
	for (size_t i = 0; i < t->n && own > 0; i++) {
		if (t->threads[i].own_tid == own)
			return &t->threads[i];
	}
	return NULL;
}
