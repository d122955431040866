/* SPDX-License-Identifier: BSD-2-Clause */
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "perf/event.h"
#include "proc/threads.h"
#include "sampler/interruption.h"
#include "sampler/private.h"
#include "util/clock.h"

/*
 * Events of threads instead of CPUs: the kernel has them run only while one of these threads is on
 * a CPU, so whoever else runs costs nothing.
 *
 * Every thread has to have exactly one. Those that are there get one each; those that come inherit
 * that of the thread that makes them (attr.inherit, of its own process alone with
 * attr.inherit_thread), with its program, once that is attached. In between it cannot be told who
 * has inherited. So: open, attach, and look again; if nobody has come in between, whoever comes
 * later is made by a thread that has an event, and inherits it. Else all over again. They are
 * enabled at last, with all that was inherited until then (perf_event_for_each_child(),
 * kernel/events/core.c).
 */
#define ATTEMPTS 5

/*
 * How long opening them may take: beyond, as where a process hangs within execve(), they are on the
 * CPUs.
 */
#define OPEN_MS 200

/*
 * What was inherited has no descriptor, so its period stays as it is, and it ends with that from
 * which it was inherited. So a thread that was made gets an event of its own soon, and its maker
 * another one in place of that which was inherited. How soon: many threads are made together, and
 * many end at once.
 */
#define RENEW_NS (20 * NSEC_PER_MSEC)

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

static int tid_add(pid_t tid, void *ctx)
{
	struct tids *t = ctx;

	if (t->n == ARRAY_SIZE(t->items))
		return -E2BIG;
	t->items[t->n++] = (uint32_t)tid;
	return 0;
}

/*
 * Adds a process's threads. -EAGAIN: one may have been passed over, as others ended in that moment.
 */
static int tids_add(struct tids *t, uint32_t tgid)
{
	size_t before = t->n;

	if (tasks_each((pid_t)tgid, tid_add, t) == -E2BIG)
		return -E2BIG;
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
 * Opens an event for a thread, disabled. beginnings: as period_begin(). Returns 1, or 0: the thread
 * has ended, or is about to.
 */
static int thread_open(const struct events *e, uint32_t tid, unsigned int beginnings,
		       struct thread_event *ret)
{
	struct perf_event want = { .cpu = -1, .tid = (int32_t)tid };
	struct thread_event t = { .tid = tid };
	_cleanup_close_ int fd = -EBADF;
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	period_begin(&t.period, e->hz, seed, PLOP_PERIOD_STEP, (uint32_t)e->cookie, beginnings);
	want.period_ns = t.period.ns;
	fd = perf_event_open(&want, PERF_OPENER_SOCKET);
	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(e->program)) < 0)
		return -errno;
	t.fd = TAKE_FD(fd);
	*ret = t;
	return 1;
}

static void threads_close_all(struct thread_events *t)
{
	/* with all that was inherited from them (perf_event_release_kernel()) */
	for (size_t i = 0; i < t->n; i++)
		close(t->items[i].fd);
	t->n = 0;
}

static int threads_attempt(struct events *e)
{
	struct thread_events *t = e->threads;
	struct tids before, now;
	int r = tids_list(&before, t->tgids, t->ntgids);

	for (size_t i = 0; r >= 0 && i < before.n; i++) {
		r = thread_open(e, before.items[i], 1, &t->items[t->n]);
		t->n += r > 0;
	}
	if (r >= 0)
		r = tids_list(&now, t->tgids, t->ntgids);
	if (r >= 0 && !tids_within(&now, &before))
		r = -EAGAIN;
	for (size_t i = 0; i < t->n && r >= 0; i++)
		r = ioctl(t->items[i].fd, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
	if (r < 0)
		threads_close_all(t);
	return r;
}

/*
 * The CPU time of the thread while it had the event, in ns (cpu_clock_event_update(),
 * kernel/events/core.c).
 */
static int thread_time(const struct thread_event *t, uint64_t *ret)
{
	struct event_count n;

	if (event_read(t->fd, &n) < 0)
		return -EIO;
	*ret = n.counted_ns;
	return 0;
}

void threads_change(struct events *e)
{
	uint64_t least = period_lasts(e->hz) / 2, time, period, before;
	struct thread_events *t = e->threads;

	for (size_t i = 0; i < t->n; i++) {
		struct thread_event *k = &t->items[i];

		/* with that of threads that have inherited it: not its own */
		if (k->parent || thread_time(k, &time) < 0 || time - k->since < least)
			continue;
		before = k->period.ns;
		period = period_next(&k->period, time - k->since);
		k->since = time;
		if (ioctl(k->fd, PERF_EVENT_IOC_PERIOD, &period) < 0)
			k->period.ns = before;
	}
}

static struct thread_event *threads_find(struct thread_events *t, uint32_t tid)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->items[i].tid == tid)
			return &t->items[i];
	}
	return NULL;
}

static bool threads_is_born(const struct thread_events *t, uint32_t tid)
{
	for (size_t i = 0; i < t->nborn; i++) {
		if (t->born[i] == tid)
			return true;
	}
	return false;
}

void threads_born(struct sampler *s, uint32_t tgid, uint32_t maker, uint32_t tid)
{
	for (uint32_t channel = 1; channel <= PLOP_MAX_CHANNELS; channel++) {
		struct thread_events *t = s->events[channel].threads;
		struct thread_event *k;
		bool of_set = false;

		for (size_t i = 0; t && i < t->ntgids; i++)
			of_set |= t->tgids[i] == tgid;
		/* one that is not is known already: it was made while the events were opened */
		if (!of_set || threads_find(t, tid) || threads_is_born(t, tid))
			continue;
		/* of a maker without one of its own the maker is known */
		k = threads_find(t, maker);
		if (k)
			k->parent = true;
		/* what does not fit any more is seen when they are renewed */
		if (t->nborn < ARRAY_SIZE(t->born))
			t->born[t->nborn++] = tid;
		if (t->renew_at)
			continue;
		t->renew_at = clock_ns(CLOCK_MONOTONIC) + RENEW_NS;
		jitter_arm(s);
	}
}

/*
 * Those events that are to be: of makers, in place of what they have, then of those that were made.
 */
struct renewal {
	struct thread_event items[PLOP_MAX_THREAD_EVENTS];
	size_t n;
};

static void renewal_close(struct renewal *w)
{
	for (size_t i = 0; i < w->n; i++)
		close(w->items[i].fd);
	w->n = 0;
}

static int renewal_open(struct renewal *w, const struct events *e, uint32_t tid,
			unsigned int beginnings)
{
	int r;

	if (w->n == ARRAY_SIZE(w->items))
		return -E2BIG;
	r = thread_open(e, tid, beginnings, &w->items[w->n]);
	if (r > 0)
		w->n++;
	return r;
}

static bool tids_have(const struct tids *t, uint32_t tid)
{
	return bsearch(&tid, t->items, t->n, sizeof(t->items[0]), by_number);
}

/*
 * Opens all of them. Then nobody may be there of whom neither is known that he has one nor that he
 * has inherited one.
 */
static int renewal_prepare(struct renewal *w, const struct events *e, struct tids *ret_now)
{
	struct thread_events *t = e->threads;
	int r = 0;

	for (size_t i = 0; i < t->n && r >= 0; i++) {
		if (t->items[i].parent)
			r = renewal_open(w, e, t->items[i].tid, 1);
	}
	for (size_t i = 0; i < t->nborn && r >= 0; i++)
		r = renewal_open(w, e, t->born[i], 2);
	if (r >= 0)
		r = tids_list(ret_now, t->tgids, t->ntgids);
	for (size_t i = 0; r >= 0 && i < ret_now->n; i++) {
		if (!threads_find(t, ret_now->items[i]) && !threads_is_born(t, ret_now->items[i]))
			r = -EAGAIN;
	}
	return r;
}

/* Of a thread that has ended meanwhile the id may be another's by now. */
static void renewal_forget_ended(struct renewal *w, const struct tids *now)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (tids_have(now, w->items[i].tid))
			w->items[kept++] = w->items[i];
		else
			close(w->items[i].fd);
	}
	w->n = kept;
}

/* Whether an event stays as it is. */
static bool is_kept(const struct thread_event *k, const struct tids *now)
{
	return !k->parent && tids_have(now, k->tid);
}

/* -E2BIG: there would be too many. */
static int renewal_fits(const struct renewal *w, const struct thread_events *t,
			const struct tids *now)
{
	size_t n = w->n;

	for (size_t i = 0; i < t->n; i++)
		n += is_kept(&t->items[i], now);
	return n <= ARRAY_SIZE(t->items) ? 0 : -E2BIG;
}

/* Takes the old events of makers and of those that have ended away, and the new ones in. */
static void renewal_take(struct renewal *w, struct thread_events *t, const struct tids *now)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (is_kept(&t->items[i], now))
			t->items[kept++] = t->items[i];
		else
			close(t->items[i].fd);
	}
	t->n = kept;
	for (size_t i = 0; i < w->n; i++) {
		(void)ioctl(w->items[i].fd, PERF_EVENT_IOC_ENABLE, 0);
		t->items[t->n++] = w->items[i];
	}
	w->n = 0;
}

/*
 * Nobody who has inherited an event is there any more: what they counted is in those that they had
 * them from.
 */
static void threads_alone(struct thread_events *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct thread_event *k = &t->items[i];

		if (k->parent)
			k->parent = thread_time(k, &k->since) < 0;
	}
}

static void threads_forget_ended(struct thread_events *t, const struct tids *now)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->nborn; i++) {
		if (tids_have(now, t->born[i]))
			t->born[kept++] = t->born[i];
	}
	t->nborn = kept;
}

static int renew(struct events *e)
{
	struct thread_events *t = e->threads;
	struct renewal w = {};
	struct tids now;
	int r;

	t->renew_at = 0;
	r = tids_list(&now, t->tgids, t->ntgids);
	if (r >= 0) {
		threads_forget_ended(t, &now);
		if (t->nborn == 0) {
			threads_alone(t);
			return 0;
		}
		r = renewal_prepare(&w, e, &now);
	}
	if (r >= 0) {
		renewal_forget_ended(&w, &now);
		r = renewal_fits(&w, t, &now);
	}
	if (r >= 0) {
		renewal_take(&w, t, &now);
		t->nborn = 0;
		t->attempts = 0;
		return 0;
	}
	renewal_close(&w);
	/* those that came meanwhile are told of soon */
	if (r != -EAGAIN || ++t->attempts > ATTEMPTS)
		return r;
	t->renew_at = clock_ns(CLOCK_MONOTONIC) + RENEW_NS;
	return 0;
}

int threads_renew(struct events *e)
{
	struct interruption bound;
	int r = interruption_begin(&bound, OPEN_MS);

	if (r >= 0)
		r = renew(e);
	interruption_end(&bound);
	return r;
}

/* Whether PLOP_RECORD_THREAD comes for the threads that these processes make. */
static void threads_report(struct sampler *s, const struct events *e, const uint32_t *tgids,
			   size_t n)
{
	struct plop_filter w;

	for (size_t i = 0; i < n; i++) {
		/* one that has ended is not wanted any more */
		if (sampler_filter_read(s, tgids[i], &w) < 0)
			continue;
		w.threads |= 1u << (e->cookie - 1);
		sampler_filter_set(s, tgids[i], &w);
	}
}

int threads_open(struct sampler *s, struct events *e, const uint32_t *tgids, size_t n)
{
	struct interruption bound;
	int r = -EAGAIN;

	e->threads = calloc(1, sizeof(*e->threads));
	if (!e->threads)
		return -ENOMEM;
	e->threads->tgids = calloc(n, sizeof(*tgids));
	if (!e->threads->tgids) {
		threads_close(s, e);
		return -ENOMEM;
	}
	memcpy(e->threads->tgids, tgids, n * sizeof(*tgids));
	e->threads->ntgids = n;
	threads_report(s, e, tgids, n);
	if (interruption_begin(&bound, OPEN_MS) < 0)
		r = -EOPNOTSUPP;
	for (int i = 0; i < ATTEMPTS && r == -EAGAIN; i++)
		r = threads_attempt(e);
	interruption_end(&bound);
	if (r < 0)
		threads_close(s, e);
	else
		jitter_begin(s, e);
	return r;
}

void threads_close(struct sampler *s, struct events *e)
{
	threads_close_all(e->threads);
	free(e->threads->tgids);
	free(TAKE_PTR(e->threads));
	channels_unreport(s, (uint32_t)e->cookie);
}
