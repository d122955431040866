/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/epoll.h>

#include "plopd/collect.h"
#include "target/shares.h"
#include "target/targets_cycle.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/loop_timing.h"

#define BEAT_USEC USEC_PER_SEC
/* Somebody who just started plopd waits for the first samples. */
#define BEAT_FIRST_USEC (30 * USEC_PER_MSEC)
#define BEAT_FIRST_NS   (3 * NSEC_PER_SEC)
#define BEAT_LATE_USEC  (50 * USEC_PER_MSEC)
/* From the swap to the first attempt to collect: longer than any tick takes. */
#define STEP_USEC       (2 * USEC_PER_MSEC)
#define STEP_AGAIN_USEC USEC_PER_MSEC
/*
 * How long stacks and records are looked at, or counted, at once: whoever asks for something
 * meanwhile waits for that.
 */
#define SLICE_NS (5 * NSEC_PER_MSEC)
/* How long plopd takes at most to collect what was sampled when it is told to end. */
#define LAST_USEC (5 * USEC_PER_SEC)

static int timer_set(sd_event_source *s, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(s, usec);

	return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

void collect_swap(void *ctx)
{
	struct collect *c = ctx;

	sampler_swap(c->sampler);
	sampler_weigh(c->sampler, c->budget->weight);
	cycle_swapped(c->cycle);
	c->counters = (struct sampler_counters){};
	c->stacks->undelivered = 0;
	timer_set(c->step, STEP_USEC);
}

/* The counters of one cycle as a tally; what found no home is lost, not python. */
static struct tally cycle_tally(const struct collect *c)
{
	const uint64_t *n = c->counters.c;
	uint64_t undelivered = MIN(c->stacks->undelivered, n[PLOP_C_PYTHON]);
	struct tally t = {
		.ticks = n[PLOP_C_TICKS],
		.python = n[PLOP_C_PYTHON] - undelivered,
		.other = n[PLOP_C_OTHER],
		.truncated = n[PLOP_C_TRUNCATED],
	};

	for (int i = 0; i < PLOP_LOST_CAUSES; i++)
		t.lost[i] = n[PLOP_C_LOST + i];
	t.lost[PLOP_LOST_DRAIN] += undelivered;
	return t;
}

/* The stacks of a cycle are counted. */
static void stacks_counted(struct collect *c)
{
	const struct cycle *now = c->cycle;
	struct tally t = cycle_tally(c);

	tally_add(&c->tally, &t);
	if (t.python && !c->first_sample_ns)
		c->first_sample_ns = now->swapped_mono;
	c->bpf_ns += c->counters.c[PLOP_C_BPF_NS];
	c->bpf_timed += c->counters.c[PLOP_C_BPF_TIMED];
	c->walked += c->counters.walked;
	c->codes_dropped += c->counters.c[PLOP_C_CODES_DROPPED];
	loop_part("a window");
	windows_cycle(c->windows, now->number, &t);
	loop_part("recordings");
	recordings_cycle(c->recordings, now->number, &t, c->counters.channels);
	loop_part("processes");
	targets_cycle(c->targets, c->completed_mono ? now->swapped_mono - c->completed_mono : 0,
		      (unsigned int)c->config->hz);
	c->completed_mono = now->swapped_mono;
}

/* Counts the stacks of a cycle, as far as they have names, and goes on later if there are many. */
static void count_stacks(struct collect *c)
{
	bool again;

	loop_part("counting stacks");
	if (sampler_collect(c->sampler, &c->counters, clock_ns(CLOCK_MONOTONIC) + SLICE_NS) < 0) {
		timer_set(c->step, 0);
		return;
	}
	c->counting = false;
	stacks_counted(c);
	again = cycle_complete(c->cycle);
	if (c->ends_with && c->cycle->number >= c->ends_with)
		sd_event_exit(c->cycle->loop, 0);
	else if (again)
		cycle_ask(c->cycle);
}

/* The names that a cycle needs are there, or will not be. */
static void named(struct collect *c)
{
	c->counting = true;
	loop_part("confirming code");
	targets_confirm(c->targets);
	count_stacks(c);
}

void collect_named(void *ctx)
{
	struct collect *c = ctx;
	uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	named(c);
	c->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
}

/* Goes on with the cycle under way. */
static int go_on(struct collect *c)
{
	int r;

	if (c->counting) {
		count_stacks(c);
		return 0;
	}
	loop_part("looking through stacks");
	r = sampler_review(c->sampler, clock_ns(CLOCK_MONOTONIC) + SLICE_NS);
	if (r == -EAGAIN)
		return timer_set(c->step, STEP_AGAIN_USEC);
	if (r > 0)
		return timer_set(c->step, 0);
	if (r < 0)
		return log_error_r(r, "Cannot collect samples");
	loop_part("asking for code");
	if (naming_begin(c->naming, c->cycle->number) == 0)
		named(c);
	return 0;
}

static int on_step(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct collect *c = ctx;
	uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int r = go_on(c);

	c->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	return r;
}

static int on_beat(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct collect *c = ctx;
	bool first = !c->first_sample_ns && cycle_mono_ns(c->cycle) - c->started_ns < BEAT_FIRST_NS;
	int r;

	loop_part("the beat");
	if (!c->cycle->running)
		cycle_ask(c->cycle);
	shares_refresh(c->shares);
	if (first)
		return timer_set(c->beat, BEAT_FIRST_USEC);
	rate_watch_look(c->rate);
	budget_look(c->budget, cycle_mono_ns(c->cycle), collect_bpf_ns(c) + c->cpu_ns, c->cpu_ns);
	r = sampler_follow_cpus(c->sampler);
	if (r < 0)
		log_debug_r(r, "Cannot follow the CPUs that are online, ignoring");
	return timer_set(c->beat, BEAT_USEC);
}

uint64_t collect_bpf_ns(const struct collect *c)
{
	/* only some ticks are timed: they stand for all that were walked */
	return c->bpf_timed ?
		       (uint64_t)((double)c->bpf_ns / (double)c->bpf_timed * (double)c->walked) :
		       0;
}

int collect_records(struct collect *c)
{
	return sampler_dispatch(c->sampler, clock_ns(CLOCK_MONOTONIC) + SLICE_NS);
}

static int on_records(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	loop_part("records");
	return collect_records(ctx);
}

static int on_jitter(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct collect *c = ctx;

	uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	loop_part("periods");
	sampler_jitter(c->sampler);
	c->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	return 0;
}

static int on_last(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct collect *c = ctx;

	log_warning("The last samples are not saved: they could not be collected in time");
	return sd_event_exit(c->cycle->loop, 0);
}

int collect_last(struct collect *c)
{
	int r;

	if (c->ends_with)
		return sd_event_exit(c->cycle->loop, 0);
	c->ends_with = cycle_ask(c->cycle);
	r = timer_set(c->last, LAST_USEC);
	return r < 0 ? sd_event_exit(c->cycle->loop, 0) : 0;
}

int collect_init(struct collect *c)
{
	sd_event *loop = c->cycle->loop;
	int r = sd_event_add_io(loop, &c->records, sampler_fd(c->sampler), EPOLLIN, on_records, c);

	if (r >= 0)
		r = sd_event_add_io(loop, &c->jitter, sampler_timer_fd(c->sampler), EPOLLIN,
				    on_jitter, c);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &c->beat, CLOCK_MONOTONIC, BEAT_FIRST_USEC,
					       BEAT_LATE_USEC, on_beat, c);
	/* 1: as exact as can be */
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &c->step, CLOCK_MONOTONIC, 0, 1, on_step, c);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &c->last, CLOCK_MONOTONIC, 0, 1, on_last, c);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(c->step, SD_EVENT_OFF);
	sd_event_source_set_enabled(c->last, SD_EVENT_OFF);
	return 0;
}

void collect_done(struct collect *c)
{
	sd_event_source_disable_unref(c->records);
	sd_event_source_disable_unref(c->jitter);
	sd_event_source_disable_unref(c->beat);
	sd_event_source_disable_unref(c->step);
	sd_event_source_disable_unref(c->last);
}
