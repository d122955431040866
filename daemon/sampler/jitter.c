/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/random.h>
#include <sys/timerfd.h>

#include "sampler/private.h"
#include "util/clock.h"
#include "util/log.h"

/*
 * Changes of one channel take at most this part of a CPU: on a host of many CPUs they come more
 * seldom. By CPU time: where plopd has to wait for its CPU, a period that is longer or shorter than
 * the nominal one must not last the longer for that.
 */
#define PART 20
/* ... but not more than so many times as long as else: one of them may have waited for a CPU. */
#define SELDOM 8
/* What is due within this part of the mean time between two changes is done at the same waking. */
#define TOGETHER 8

int jitter_init(struct sampler *s)
{
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return s->timer < 0 ? -errno : 0;
}

void jitter_done(struct sampler *s)
{
	if (s->timer >= 0)
		close(s->timer);
}

int sampler_timer_fd(const struct sampler *s)
{
	return s->timer;
}

void jitter_begin(struct sampler *s, struct events *e)
{
	uint64_t seed = 0;

	/* without it the times of the changes can be foreseen, no more */
	(void)!getrandom(&seed, sizeof(seed), 0);
	period_begin(&e->when, e->hz, seed, 1, 0, 0);
	e->due = clock_ns(CLOCK_MONOTONIC) + period_lasts_now(&e->when);
	jitter_arm(s);
}

void jitter_arm(struct sampler *s)
{
	struct itimerspec at = {};
	uint64_t next = 0;

	for (uint32_t i = 0; i <= PLOP_MAX_CHANNELS; i++) {
		const struct events *e = &s->events[i];

		if (e->due && (!next || e->due < next))
			next = e->due;
		if (e->threads && e->threads->renew_at && (!next || e->threads->renew_at < next))
			next = e->threads->renew_at;
	}
	/*
	 * 0: nobody has any, and nothing wakes. It also has the timer not be readable any more
	 * (timerfd_setup(), fs/timerfd.c).
	 */
	at.it_value.tv_sec = (time_t)(next / NSEC_PER_SEC);
	at.it_value.tv_nsec = (long)(next % NSEC_PER_SEC);
	if (timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		log_debug_r(-errno, "Cannot set the timer of the periods");
}

static void jitter_renew(struct sampler *s, uint32_t channel, uint64_t now)
{
	struct thread_events *t = s->events[channel].threads;
	int r;

	if (!t || !t->renew_at || t->renew_at > now)
		return;
	r = threads_renew(&s->events[channel]);
	if (r >= 0)
		return;
	log_debug_r(r, "New threads of channel %u cannot have events of their own", channel);
	t->renew_at = 0;
	s->handlers.spread(channel, s->handlers.ctx);
}

void sampler_jitter(struct sampler *s)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), began, pause, lasts;

	for (uint32_t i = 0; i <= PLOP_MAX_CHANNELS; i++) {
		struct events *e = &s->events[i];

		jitter_renew(s, i, now);
		if (!e->due || e->due > now + period_lasts(e->hz) / TOGETHER)
			continue;
		began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		lasts = period_lasts_now(&e->when);
		if (e->threads)
			threads_change(e);
		else if (events_change(s, e))
			lasts *= EVENTS_STILL;
		pause = PART * (clock_ns(CLOCK_THREAD_CPUTIME_ID) - began);
		pause = MIN(pause, SELDOM * period_lasts(e->hz));
		e->due = now + MAX(lasts, pause);
	}
	jitter_arm(s);
}

void jitter_wake(struct sampler *s, uint32_t cpu)
{
	struct events *e = &s->events[PLOP_CHANNEL_ALWAYS];

	if (!e->due)
		return;
	events_wake(s, e, cpu);
	e->due = MIN(e->due, clock_ns(CLOCK_MONOTONIC) + period_lasts_now(&e->when));
	jitter_arm(s);
}
