/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "config/config.h"
#include "target/targets.h"
#include "window/windows.h"

/*
 * Versions that somebody sets by hand: POST and GET /v1/marks. They are kept in plop.db, and
 * outlive it: the store puts them into the file that takes its place.
 */
struct mark_routes {
	/* borrowed */
	struct targets *targets;
	const struct config *config;
	struct windows *windows;
	unsigned int waiting; /* writes for those who are not trusted */
};

/*
 * Reads them: out of marks.json, where an older plopd kept them, once. What cannot be read is said
 * in the log.
 */
void mark_routes_load(struct mark_routes *m);

/* Handlers; ctx: the struct mark_routes. */
void route_mark(const struct api_request *q, void *ctx);
void route_marks(const struct api_request *q, void *ctx);
