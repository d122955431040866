/* SPDX-License-Identifier: BSD-2-Clause */
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "perf/event.h"
#include "sampler/private.h"
#include "util/clock.h"
#include "util/log.h"

#define CPUS_MAX 4096

/* How long a CPU on which no Python has run goes on as if it had. */
#define STILL_NS NSEC_PER_SEC

static void event_change(struct cpu_event *c, uint64_t now, double hz)
{
	uint64_t before = c->period.ns, period = period_next(&c->period, now - c->since);

	/* what is owed was counted at the rate before */
	if (hz > c->period.hz || hz < c->period.hz)
		period = period_turn(&c->period, hz);

	c->since = now;
	/* one that fails keeps what it has */
	if (ioctl(c->fd, PERF_EVENT_IOC_PERIOD, &period) < 0)
		c->period.ns = before;
}

/* Whether all ticks that are counted in a half were of nothing that is profiled. */
static bool half_is_still(const struct plop_half *half)
{
	return half->counters[PLOP_C_TICKS] == half->counters[PLOP_C_OTHER];
}

void events_seen(struct sampler *s, int cpu, const struct plop_half *half)
{
	struct events *e = &s->events[PLOP_CHANNEL_ALWAYS];

	if (e->cpus && !half_is_still(half))
		e->cpus[cpu].python_ns = clock_ns(CLOCK_MONOTONIC);
}

static bool event_is_still(struct sampler *s, struct events *e, int cpu, uint64_t now)
{
	const uint32_t active = s->skel->bss->plop_active & 1;

	if (e != &s->events[PLOP_CHANNEL_ALWAYS])
		return false;
	if (!half_is_still(&s->cpus[cpu].half[active]))
		e->cpus[cpu].python_ns = now;
	return now - e->cpus[cpu].python_ns > STILL_NS;
}

bool events_change(struct sampler *s, struct events *e)
{
	bool all_still = true;

	for (int i = 0; e->cpus && i < s->ncpus; i++) {
		struct cpu_event *c = &e->cpus[i];
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		bool still;

		if (!c->link)
			continue;
		still = event_is_still(s, e, i, now);
		s->cpus[i].still = still;
		all_still &= still;
		if (!still || now - c->since >= EVENTS_STILL / 2 * period_lasts(e->hz))
			event_change(c, now, e->hz);
	}
	return all_still;
}

void events_turn(struct sampler *s, struct events *e, double hz)
{
	e->hz = e->when.hz = hz;
	for (int i = 0; e->cpus && i < s->ncpus; i++) {
		if (e->cpus[i].link)
			event_change(&e->cpus[i], clock_ns(CLOCK_MONOTONIC), hz);
	}
}

void events_wake(struct sampler *s, struct events *e, uint32_t cpu)
{
	struct cpu_event *c = e->cpus && cpu < (uint32_t)s->ncpus ? &e->cpus[cpu] : NULL;
	uint64_t period;

	if (!c || !c->link)
		return;
	/* what the seldom changes owe is nobody's */
	period_begin(&c->period, e->hz, c->period.random, 1, 0, 0);
	period = c->period.ns;
	c->since = c->python_ns = clock_ns(CLOCK_MONOTONIC);
	if (ioctl(c->fd, PERF_EVENT_IOC_PERIOD, &period) < 0)
		log_debug_r(-errno, "Cannot change the period of CPU %u", cpu);
}

static int events_open_cpu(struct events *e, int cpu)
{
	struct cpu_event *c = &e->cpus[cpu];
	LIBBPF_OPTS(bpf_perf_event_opts, options, .bpf_cookie = e->cookie);
	struct perf_event want = { .cpu = cpu, .tid = -1 };
	_cleanup_close_ int fd = -EBADF;
	struct bpf_link *link;
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	period_begin(&c->period, e->hz, seed, 1, 0, 1);
	want.period_ns = c->period.ns;
	fd = perf_event_open(&want, PERF_OPENER_SOCKET);
	if (fd < 0)
		return fd;
	/*
	 * the link owns the fd from here, and enables the event; kernels without cookies know no
	 * options
	 */
	if (e->cookie)
		link = bpf_program__attach_perf_event_opts(e->program, fd, &options);
	else
		link = bpf_program__attach_perf_event(e->program, fd);
	if (!link)
		return -errno;
	c->since = c->python_ns = clock_ns(CLOCK_MONOTONIC);
	c->fd = TAKE_FD(fd);
	c->link = link;
	return 0;
}

int event_read(int fd, struct event_count *ret)
{
	return read(fd, ret, sizeof(*ret)) == sizeof(*ret) ? 0 : -EIO;
}

static void event_throttling(int fd, struct throttling *sum)
{
	struct event_count n;

	if (event_read(fd, &n) < 0)
		return;
	sum->running_ns += n.running_ns;
	/* each was read at a moment of its own */
	sum->stopped_ns += n.running_ns > n.counted_ns ? n.running_ns - n.counted_ns : 0;
}

void sampler_throttling(const struct sampler *s, uint32_t channel, struct throttling *ret)
{
	const struct events *e = &s->events[MIN(channel, (uint32_t)PLOP_MAX_CHANNELS)];
	struct throttling sum = {};

	for (int i = 0; e->cpus && i < s->ncpus; i++) {
		if (e->cpus[i].link)
			event_throttling(e->cpus[i].fd, &sum);
	}
	for (size_t i = 0; e->threads && i < e->threads->n; i++)
		event_throttling(e->threads->items[i].fd, &sum);
	*ret = sum;
}

int events_follow(struct sampler *s, struct events *e, const bool *online, size_t n)
{
	int r;

	for (int i = 0; e->cpus && i < s->ncpus; i++) {
		struct cpu_event *c = &e->cpus[i];
		bool on = (size_t)i < n && online[i];

		if (c->link && !on) {
			bpf_link__destroy(c->link);
			c->link = NULL;
		} else if (!c->link && on) {
			r = events_open_cpu(e, i);
			/* it may have gone offline again in this moment */
			if (r < 0 && r != -ENODEV)
				return r;
		}
	}
	return 0;
}

void events_close(struct sampler *s, struct events *e)
{
	if (e->threads)
		threads_close(s, e);
	for (int i = 0; e->cpus && i < s->ncpus; i++)
		bpf_link__destroy(e->cpus[i].link);
	free(e->cpus);
	*e = (struct events){};
}

/*
 * "0-3,5,7-8" (Documentation/admin-guide/cputopology.rst). Returns how many are online, or a
 * negative errno.
 */
static int cpus_online(bool *mask, size_t n)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	unsigned int first, last;
	char range[64];
	int count = 0;

	if (!f)
		return -errno;
	while (fscanf(f, "%63[0-9-]%*[,\n]", range) == 1) {
		if (sscanf(range, "%u-%u", &first, &last) != 2)
			last = first = (unsigned int)strtoul(range, NULL, 10);
		for (unsigned int i = first; i <= last && i < n; i++) {
			mask[i] = true;
			count++;
		}
	}
	return count ? count : -EIO;
}

int events_open(struct sampler *s, struct events *e)
{
	bool online[CPUS_MAX] = {};
	int r = cpus_online(online, CPUS_MAX);

	if (r < 0)
		return r;
	e->cpus = calloc((size_t)s->ncpus, sizeof(*e->cpus));
	r = e->cpus ? events_follow(s, e, online, CPUS_MAX) : -ENOMEM;
	if (r < 0)
		events_close(s, e);
	else
		jitter_begin(s, e);
	return r;
}

int sampler_follow_cpus(struct sampler *s)
{
	bool online[CPUS_MAX] = {};
	int r = cpus_online(online, CPUS_MAX);

	for (uint32_t i = 0; i <= PLOP_MAX_CHANNELS && r >= 0; i++)
		r = events_follow(s, &s->events[i], online, CPUS_MAX);
	return r < 0 ? r : 0;
}
