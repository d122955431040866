/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "window/windows.h"

/*
 * The windows and what was sampled in them: answered from the store and from memory, and followed
 * while they run.
 */
struct queries {
	/* borrowed */
	struct cycle *cycle;
	const struct config *config;
	struct windows *windows;
	struct shares *shares;
};

struct kept;
/*
 * Answers what is asked of recordings that are kept: for the list, with those that kept has, which
 * it may take over; and of one, by its id.
 */
void queries_recordings(const struct api_request *q, struct queries *queries, struct kept *kept);
void queries_recording(const struct api_request *q, struct queries *queries, const char *ident);
/*
 * GET /debug/pprof/profile?last: the windows of the last seconds, whole ones that have ended, so
 * that whoever asks as often has each once. It parses the request itself.
 */
void queries_last(const struct api_request *q, struct queries *queries);

/* Handlers; ctx: the struct queries. */
void route_windows(const struct api_request *q, void *ctx);
void route_profile(const struct api_request *q, void *ctx);
void route_deploys(const struct api_request *q, void *ctx);
void route_diff(const struct api_request *q, void *ctx);
void route_series(const struct api_request *q, void *ctx);
void route_labels(const struct api_request *q, void *ctx);
void route_lines(const struct api_request *q, void *ctx);
void route_sd(const struct api_request *q, void *ctx);
void route_stream(const struct api_request *q, void *ctx);
