/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

#include "api/api.h"
#include "config/config.h"
#include "plopd/deploy_watch.h"
#include "window/windows.h"

/*
 * What became slower with each deploy: a version that is new is compared with the one before, as
 * "plopctl diff" does it, when both have enough windows (deploy_watch.h). It is read and worked out
 * on the query worker, one comparison at a time, at one part in REGRESSIONS_PART of a core on the
 * whole. Each owner's processes are compared by themselves, so that nobody learns of another's.
 * What comes of it is kept in plop.db.
 */
#define REGRESSIONS_PART 100
/* Comparisons that are kept, the newest; of a user who is not root. */
#define REGRESSIONS_MAX      200
#define REGRESSIONS_USER_MAX 20
/* Lines of the log for one comparison. */
#define REGRESSIONS_LOGGED 5

struct regressions {
	/* borrowed */
	const struct config *config;
	struct windows *windows;
	struct deploy_watch watch;
	json_t *stored; /* an array of comparisons, the newest first */
	bool loaded, busy;
	uint64_t next_ns;  /* CLOCK_MONOTONIC: not before */
	uint64_t compared; /* comparisons since plopd started */
};

/* Reads what is known already, on the worker, and is told of each window from then on. */
int regressions_init(struct regressions *g, const struct config *config, struct windows *windows);
/* Nothing more is compared; while the worker still runs. */
void regressions_stop(struct regressions *g);
void regressions_done(struct regressions *g);
/* Appends what Prometheus is told. */
void regressions_metrics(const struct regressions *g, struct buf *b);

/* Handler of GET /v1/regressions; ctx: the struct regressions. */
void route_regressions(const struct api_request *q, void *ctx);
