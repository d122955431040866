/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "sampler/private.h"
#include "util/clock.h"

/*
 * Events of threads instead of CPUs: the kernel has them run only while one of these threads is on a CPU, so whoever else
 * runs costs nothing.
 *
 * Every thread has to have exactly one. Those that are there get one each; those that come inherit that of the thread that
 * makes them (attr.inherit, of its own process alone with attr.inherit_thread), with its program, once that is attached.
 * In between it cannot be told who has inherited. So: open, attach, and look again; if nobody has come in between, whoever
 * comes later is made by a thread that has an event, and inherits it. Else all over again. They are enabled at last, with
 * all that was inherited until then (perf_event_for_each_child(), kernel/events/core.c).
 */
#define ATTEMPTS 5

/* The threads of the processes: ascending. */
struct tids {
	uint32_t items[PLOP_MAX_THREAD_EVENTS];
	size_t n;
};

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* "Threads:" of /proc/PID/status (proc_pid_status(), fs/proc/array.c). 0: not there (any more). */
static size_t threads_count(uint32_t tgid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], line[256];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%u/status", tgid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Threads: %zu", &n) == 1)
			break;
	}
	return n;
}

/* Adds a process's threads. -EAGAIN: one may have been passed over, as others ended in that moment. */
static int tids_add(struct tids *t, uint32_t tgid)
{
	_cleanup_(closedirp) DIR *folder = NULL;
	const struct dirent *entry;
	size_t before = t->n;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task", tgid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		uint32_t tid = (uint32_t)strtoul(entry->d_name, NULL, 10);

		if (tid == 0)
			continue;
		if (t->n == ARRAY_SIZE(t->items))
			return -E2BIG;
		t->items[t->n++] = tid;
	}
	/* that of a process that has ended is empty: it takes no more CPU */
	return t->n - before < threads_count(tgid) ? -EAGAIN : 0;
}

static int tids_list(struct tids *ret, const uint32_t *tgids, size_t n)
{
	struct tids t = {};
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = tids_add(&t, tgids[i]);
	if (r < 0)
		return r;
	qsort(t.items, t.n, sizeof(t.items[0]), by_number);
	*ret = t;
	return 0;
}

/* Whether all of now were there before. */
static bool tids_within(const struct tids *now, const struct tids *before)
{
	for (size_t i = 0; i < now->n; i++) {
		if (!bsearch(&now->items[i], before->items, before->n, sizeof(before->items[0]),
			     by_number))
			return false;
	}
	return true;
}

/*
 * The nominal period and up to one part in 400 more or less, another one for each thread, so that none keeps step with what
 * its thread does. It cannot be changed from time to time as that of a CPU's event is: what was inherited has no descriptor.
 */
static uint64_t threads_period(const struct events *e, uint32_t random)
{
	uint64_t period = NSEC_PER_SEC / e->hz, most = period / 400;

	period = period - most + random % (2 * most + 1);
	return period / PLOP_PERIOD_STEP * PLOP_PERIOD_STEP + e->cookie;
}

static int threads_open_event(struct events *e, uint32_t tid)
{
	struct thread_events *t = e->threads;
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.disabled = 1,
		.inherit = 1,
		.inherit_thread = 1,
	};
	_cleanup_close_ int fd = -EBADF;
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	attr.sample_period = threads_period(e, random);
	fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	/* it has ended, or is about to */
	if (fd < 0 && errno == ESRCH)
		return 0;
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(e->program)) < 0)
		return -errno;
	t->fds[t->n++] = TAKE_FD(fd);
	return 0;
}

static void threads_close_all(struct thread_events *t)
{
	/* with all that was inherited from them (perf_event_release_kernel()) */
	for (size_t i = 0; i < t->n; i++)
		close(t->fds[i]);
	t->n = 0;
}

static int threads_attempt(struct events *e, const uint32_t *tgids, size_t n)
{
	struct thread_events *t = e->threads;
	struct tids before, now;
	int r = tids_list(&before, tgids, n);

	for (size_t i = 0; r >= 0 && i < before.n; i++)
		r = threads_open_event(e, before.items[i]);
	if (r >= 0)
		r = tids_list(&now, tgids, n);
	if (r >= 0 && !tids_within(&now, &before))
		r = -EAGAIN;
	for (size_t i = 0; i < t->n && r >= 0; i++)
		r = ioctl(t->fds[i], PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
	if (r < 0)
		threads_close_all(t);
	return r;
}

/* Whether PLOP_RECORD_THREAD comes for the threads that these processes make. */
static void threads_report(struct sampler *s, const struct events *e, const uint32_t *tgids,
			   size_t n)
{
	struct plop_wanted w;

	for (size_t i = 0; i < n; i++) {
		/* one that has ended is not wanted any more */
		if (sampler_wanted_read(s, tgids[i], &w) < 0)
			continue;
		w.threads |= 1u << (e->cookie - 1);
		sampler_wanted(s, tgids[i], &w);
	}
}

int threads_open(struct sampler *s, struct events *e, const uint32_t *tgids, size_t n)
{
	int r = -EAGAIN;

	e->threads = calloc(1, sizeof(*e->threads));
	if (!e->threads)
		return -ENOMEM;
	threads_report(s, e, tgids, n);
	for (int i = 0; i < ATTEMPTS && r == -EAGAIN; i++)
		r = threads_attempt(e, tgids, n);
	if (r < 0)
		threads_close(s, e);
	return r;
}

void threads_close(struct sampler *s, struct events *e)
{
	threads_close_all(e->threads);
	free(TAKE_PTR(e->threads));
	sets_unreport(s, (uint32_t)e->cookie);
}
