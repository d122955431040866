/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "plopd/collect.h"
#include "plopd/dispatch.h"
#include "plopd/dump.h"
#include "plopd/keep.h"
#include "plopd/mark_routes.h"
#include "plopd/mode.h"
#include "plopd/queries.h"
#include "plopd/rate_watch.h"
#include "plopd/record_routes.h"
#include "plopd/regressions.h"
#include "plopd/token_routes.h"
#include "plopd/viewer.h"
#include "target/shares.h"
#include "util/loop_timing.h"

/*
 * Owns everything of plopd and runs it on one loop. It only puts the parts together: each holds
 * what it uses, and none of them knows the manager but those that begin (plopd.c), answer for all
 * (routes.c) and tell of all (status.c).
 */
struct manager {
	struct config *config; /* changed by mode.c alone */
	struct cycle cycle;
	struct loop_timing timing; /* of its loop */
	struct examiner *examiner;
	struct sampler *sampler;
	struct shares shares;
	struct targets targets;
	struct naming naming;
	struct windows windows;
	struct recordings recordings;
	struct stacks stacks;
	struct dispatch dispatch;
	struct collect collect;
	struct mode mode;
	struct rate_watch rate;
	struct budget budget;
	struct queries queries;
	struct looks looks;
	struct keep keep;
	struct record_routes record_routes;
	struct mark_routes mark_routes;
	struct regressions regressions;
	struct viewer viewer;
	struct token_routes token_routes;
	struct api_server *server;
	sd_event_source *sigterm, *sigint;
	/* CLOCK_MONOTONIC: when all was loaded and the first tick could come */
	uint64_t sampling_ns;
	double startup_cpu_s; /* CPU time of plopd until then */
};

/* ret_error: a sentence for a person, owned by the caller. */
int manager_new(struct config *config, struct manager **ret, char **ret_error);
/* Scans the host, and begins to answer and to sample. -ECANCELED: it was told to end meanwhile. */
int manager_start(struct manager *m, char **ret_error);
/* Runs until SIGTERM or SIGINT, then saves the running window. */
int manager_run(struct manager *m, char **ret_error);
void manager_free(struct manager *m);
DEFINE_FREEP(struct manager, manager_free)
