/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/loop_timing.h"
#include "util/clock.h"
#include "util/log.h"

/* The parts of the event that a thread is at. */
struct loop_parts {
	const char *running, *longest;
	uint64_t begun_cpu_ns, longest_cpu_ns;
};
static _Thread_local struct loop_parts parts;

static void part_end(uint64_t cpu_ns)
{
	uint64_t took = cpu_ns - parts.begun_cpu_ns;

	if (!parts.longest || took > parts.longest_cpu_ns) {
		parts.longest = parts.running;
		parts.longest_cpu_ns = took;
	}
	parts.begun_cpu_ns = cpu_ns;
}

void loop_part(const char *what)
{
	/* the first one begins with its event */
	if (parts.running)
		part_end(clock_ns(CLOCK_THREAD_CPUTIME_ID));
	parts.running = what;
}

/* The event is over. Returns which of its parts was the longest, NULL: it has none. */
static const char *parts_end(uint64_t cpu_ns)
{
	const char *what;

	if (parts.running)
		part_end(cpu_ns);
	what = parts.longest;
	parts = (struct loop_parts){ .begun_cpu_ns = cpu_ns };
	return what;
}

void loop_timing_init(struct loop_timing *l, sd_event *event, uint64_t span_ns)
{
	*l = (struct loop_timing){ .event = event,
				   .span_ns = span_ns,
				   .span_begun_ns = clock_ns(CLOCK_MONOTONIC),
				   .cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) };
	parts_end(l->cpu_ns);
}

static void longest_add(struct loop_longest *l, const struct loop_longest *more)
{
	l->elapsed_ns = MAX(l->elapsed_ns, more->elapsed_ns);
	if (more->cpu_ns < l->cpu_ns)
		return;
	l->cpu_ns = more->cpu_ns;
	l->what = more->what;
}

/*
 * Begins another span if the running one is over; after a pause of a whole span or more the one
 * before is empty.
 */
static void loop_timing_turn(struct loop_timing *l, uint64_t now_ns)
{
	uint64_t age = now_ns - l->span_begun_ns;

	if (age < l->span_ns)
		return;
	l->before = age < 2 * l->span_ns ? l->span : (struct loop_longest){};
	l->span = (struct loop_longest){};
	l->span_begun_ns = now_ns;
}

void loop_timing_add(struct loop_timing *l, uint64_t woken_ns, uint64_t now_ns, uint64_t cpu_ns)
{
	struct loop_longest one = { .elapsed_ns = now_ns - woken_ns,
				    .cpu_ns = cpu_ns - l->cpu_ns,
				    .what = parts_end(cpu_ns) };

	loop_timing_turn(l, now_ns);
	l->cpu_ns = cpu_ns;
	l->events++;
	longest_add(&l->longest, &one);
	longest_add(&l->span, &one);
	if (one.elapsed_ns <= LOOP_LONG_NS)
		return;
	l->late++;
	log_debug("The loop was at one event for %.1f ms, %.1f ms of it on a CPU; most of it: %s",
		  (double)one.elapsed_ns / 1e6, (double)one.cpu_ns / 1e6,
		  one.what ? one.what : "untold");
}

int loop_timing_once(struct loop_timing *l, uint64_t usec)
{
	uint64_t woken_usec = 0;
	int r = sd_event_prepare(l->event);

	if (r == 0)
		r = sd_event_wait(l->event, usec);
	if (r <= 0)
		return r;
	/* it has read the clock as it woke up */
	r = sd_event_now(l->event, CLOCK_MONOTONIC, &woken_usec);
	if (r >= 0)
		r = sd_event_dispatch(l->event);
	if (r < 0)
		return r;
	loop_timing_add(l, woken_usec * 1000, clock_ns(CLOCK_MONOTONIC),
			clock_ns(CLOCK_THREAD_CPUTIME_ID));
	return 1;
}

int loop_timing_run(struct loop_timing *l)
{
	int code, r = 0;

	/* what was done until now was at no event */
	l->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	parts_end(l->cpu_ns);
	while (r >= 0 && sd_event_get_state(l->event) != SD_EVENT_FINISHED)
		r = loop_timing_once(l, UINT64_MAX);
	if (r >= 0)
		r = sd_event_get_exit_code(l->event, &code);
	return r < 0 ? r : code;
}

struct loop_longest loop_timing_recent(const struct loop_timing *l)
{
	struct loop_longest recent = l->before;

	longest_add(&recent, &l->span);
	return recent;
}
