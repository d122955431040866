/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "config/config.h"
#include "target/targets.h"
#include "util/worker.h"

/*
 * Versions that somebody sets by hand: POST /v1/marks. They are kept in STATE_DIR/marks.json, so
 * that they outlive plopd, whatever becomes of plop.db.
 */
struct mark_routes {
	/* borrowed */
	struct targets *targets;
	const struct config *config;
	struct worker *writer; /* on which the file is written */
	unsigned int waiting;  /* writes for those who are not trusted */
};

/* Reads the file. One that cannot be read is said in the log, and left until the next mark. */
void mark_routes_load(struct mark_routes *m);

/* Handler; ctx: the struct mark_routes. */
void route_mark(const struct api_request *q, void *ctx);
