/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plopd/budget.h"
#include "plopd/rate_watch.h"
#include "plopd/stacks.h"
#include "target/naming.h"

/*
 * What a cycle (cycle/cycle.h) does: swap the halves, wait a moment, have the code objects of their
 * stacks read, and hand the stacks to whoever takes them. One comes once a second, when a half
 * fills up, and whenever a window or a recording begins or ends.
 */
struct collect {
	/* borrowed */
	struct cycle *cycle;
	const struct config *config;
	struct sampler *sampler;
	struct targets *targets;
	struct naming *naming;
	struct windows *windows;
	struct recordings *recordings;
	struct shares *shares;
	struct stacks *stacks;
	struct rate_watch *rate;
	struct budget *budget;

	sd_event_source *records, *jitter, *beat, *step, *last;
	bool counting; /* the cycle's stacks have their names, and are being counted */
	/* CLOCK_MONOTONIC of the last complete cycle's swap; 0: none was */
	uint64_t completed_mono;
	uint64_t ends_with;               /* the cycle that is the last one; 0: plopd goes on */
	struct sampler_counters counters; /* of the cycle under way */

	/* since plopd began, at started_ns, CLOCK_MONOTONIC */
	uint64_t started_ns, first_sample_ns;
	struct tally tally;
	uint64_t bpf_ns, bpf_timed, codes_dropped;
	uint64_t walked; /* ticks for which a stack was looked at, whatever each counted */
	uint64_t cpu_ns; /* of the loop's thread at what was sampled, and at the periods */
};

/*
 * All that is borrowed is set in *c by the caller, who has the cycle swap by collect_swap(). Begins
 * the beat.
 */
int collect_init(struct collect *c);
/* Looks at what the kernel side has told of processes and code so far; a negative errno. */
int collect_records(struct collect *c);
/* CPU time of the ticks that are always on, as far as they are of Python, since plopd began; ns. */
uint64_t collect_bpf_ns(const struct collect *c);
void collect_done(struct collect *c);
/* The cycle's swap; ctx: the struct collect. */
void collect_swap(void *ctx);
/* A cycle can be counted: for naming_init(). ctx: the struct collect. */
void collect_named(void *ctx);
/*
 * What was sampled until now is collected, and then the loop ends; at once if this was called
 * before.
 */
int collect_last(struct collect *c);
