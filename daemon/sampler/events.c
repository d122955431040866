/* SPDX-License-Identifier: BSD-2-Clause */
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

#include "sampler/private.h"
#include "util/clock.h"

#define CPUS_MAX 4096

/* A period in ns, up to one part in 64 longer or shorter than the nominal one. */
static uint64_t events_period(const struct events *e)
{
	uint64_t random = 0, period = NSEC_PER_SEC / e->hz, most = period / 64;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		return period;
	return period - most + random % (2 * most + 1);
}

void events_jitter(struct sampler *s, struct events *e)
{
	for (int i = 0; e->links && i < s->ncpus; i++) {
		uint64_t period = events_period(e);

		/* one that fails keeps the period that it has */
		if (e->links[i])
			(void)ioctl(e->fds[i], PERF_EVENT_IOC_PERIOD, &period);
	}
}

/*
 * cpu-clock works in virtual machines and never comes as an NMI. Idle ticks are of no interest: exclude_idle keeps the
 * program from running for them (kernel/events/core.c, perf_swevent_hrtimer()).
 */
static int events_open_cpu(struct events *e, int cpu)
{
	LIBBPF_OPTS(bpf_perf_event_opts, options, .bpf_cookie = e->cookie);
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = events_period(e),
		.disabled = 1,
		.exclude_idle = 1,
	};
	_cleanup_close_ int fd = -EBADF;
	struct bpf_link *link;

	fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* the link owns the fd from here, and enables the event; kernels without cookies know no options */
	if (e->cookie)
		link = bpf_program__attach_perf_event_opts(e->program, fd, &options);
	else
		link = bpf_program__attach_perf_event(e->program, fd);
	if (!link)
		return -errno;
	e->fds[cpu] = TAKE_FD(fd);
	e->links[cpu] = link;
	return 0;
}

static void events_sleep_phase(const struct events *e, size_t parts)
{
	uint64_t random, period = NSEC_PER_SEC / e->hz;
	struct timespec ts = {};

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return;
	ts.tv_nsec = (long)(random % (period / parts + 1)) % (long)NSEC_PER_SEC;
	nanosleep(&ts, NULL);
}

int events_follow(struct sampler *s, struct events *e, const bool *online, size_t n)
{
	size_t count = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		count += online[i];
	for (int i = 0; e->links && i < s->ncpus; i++) {
		bool on = (size_t)i < n && online[i];

		if (e->links[i] && !on) {
			bpf_link__destroy(e->links[i]);
			e->links[i] = NULL;
		} else if (!e->links[i] && on) {
			/* a recording's first tick must not wait; its periods differ from CPU to CPU anyway */
			if (e->cookie == PLOP_SET_ALWAYS)
				events_sleep_phase(e, count);
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
	for (int i = 0; e->links && i < s->ncpus; i++)
		bpf_link__destroy(e->links[i]);
	free(e->links);
	free(e->fds);
	*e = (struct events){};
}

/* "0-3,5,7-8" (Documentation/admin-guide/cputopology.rst). Returns how many are online, or a negative errno. */
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
	e->links = calloc((size_t)s->ncpus, sizeof(struct bpf_link *));
	e->fds = calloc((size_t)s->ncpus, sizeof(*e->fds));
	r = e->links && e->fds ? events_follow(s, e, online, CPUS_MAX) : -ENOMEM;
	if (r < 0)
		events_close(s, e);
	return r;
}

int sampler_follow_cpus(struct sampler *s)
{
	bool online[CPUS_MAX] = {};
	int r = cpus_online(online, CPUS_MAX);

	for (uint32_t i = 0; i <= PLOP_MAX_SETS && r >= 0; i++)
		r = events_follow(s, &s->events[i], online, CPUS_MAX);
	return r < 0 ? r : 0;
}

void sampler_jitter(struct sampler *s)
{
	for (uint32_t i = 0; i <= PLOP_MAX_SETS; i++)
		events_jitter(s, &s->events[i]);
}
