/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

#include "api/api.h"
#include "config/config.h"
#include "plopd/mode.h"
#include "target/naming.h"
#include "record/recordings.h"
#include "target/shares.h"
#include "target/targets.h"
#include "record/thread_names.h"
#include "plopd/tokens.h"
#include "cycle/wall.h"
#include "window/windows.h"
#include "sampler/sampler.h"
#include "util/loop_timing.h"

/*
 * Owns everything of plopd and runs it on one loop. Work comes in cycles: swap the halves, wait a moment, have their code objects read, hand
 * the stacks to the running window and to recordings. A cycle comes once a second, when a half fills up, and whenever
 * a window or a recording begins or ends, so that each holds exactly the ticks between two swaps.
 */
struct manager {
	sd_event *loop;
	struct loop_timing timing; /* of the loop */
	struct config *config;     /* changed by mode.c alone */
	struct mode mode;
	struct examiner *examiner;
	struct sampler *sampler;
	struct targets targets;
	struct naming naming;
	struct windows windows;
	struct recordings recordings;
	struct shares shares;
	struct tokens tokens;
	struct api_server *server;
	char *gateway; /* the viewer's address, as plop-gateway registered it; owned */
	uint64_t gateway_seen_ns;

	unsigned int dumps; /* under way */

	sd_event_source *records, *jitter, *beat, *step, *last, *sigterm, *sigint;

	wall_clock clock_ns; /* whose time windows go by */

	/* the cycle */
	uint64_t cycle;          /* how many swaps there were */
	struct wall wall;        /* agreed anew when a window begins after the clock was set */
	uint64_t swapped_ns;     /* the last one's time of day, by wall */
	uint64_t swapped_mono;   /* CLOCK_MONOTONIC of the last one */
	uint64_t completed_mono; /* of the last complete cycle's swap */
	bool in_cycle, again;
	uint64_t ends_with;               /* the cycle that is the last one; 0: plopd goes on */
	struct sampler_counters counters; /* of the cycle under way */
	uint64_t undelivered;             /* samples of it that found no home */

	/* since the start */
	struct tally tally;
	uint64_t bpf_ns, bpf_timed, codes_dropped;
	uint64_t started_ns;  /* CLOCK_MONOTONIC */
	uint64_t sampling_ns; /* ... when all was loaded and the first tick could come */
	double startup_cpu_s; /* CPU time of plopd until then */
	uint64_t first_sample_ns;
};

/* ret_error: a sentence for a person, owned by the caller. */
int manager_new(struct config *config, struct manager **ret, char **ret_error);
/* Scans the host, and begins to answer and to sample. -ECANCELED: it was told to end meanwhile. */
int manager_start(struct manager *m, char **ret_error);
/* Runs until SIGTERM or SIGINT, then saves the running window. */
int manager_run(struct manager *m);
void manager_free(struct manager *m);
DEFINE_FREEP(struct manager, manager_free)

/*
 * Asks for a cycle now. Returns its number: what must hold from that swap on, or until it, waits for
 * recordings_cycle() and windows_cycle() with that number.
 */
uint64_t manager_cycle(struct manager *m);

/* status.c: CPU time of plopd so far, in seconds. */
double manager_cpu_seconds(void);

/* ... the gateway's address; NULL: there is none, or it was not heard of for a while. */
const char *manager_gateway(const struct manager *m);
/* ... {"fault": 0, ...}. New reference, NULL: out of memory. */
json_t *tally_lost_json(const struct tally *t);

/* routes.c */
extern const struct api_route manager_routes[];
extern const size_t manager_nroutes;
