/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "plopd/keep.h"
#include "plopd/queries.h"
#include "record/recordings.h"
#include "util/worker.h"

/* Recordings, by what people ask for. */
struct record_routes {
	/* borrowed */
	struct recordings *recordings;
	struct worker *encoder; /* on which results are written */
	struct queries *queries;
	struct keep *keep;
};

/* Handlers; ctx: the struct record_routes. */
void route_record(const struct api_request *q, void *ctx);
void route_recordings(const struct api_request *q, void *ctx);
void route_recording(const struct api_request *q, void *ctx);
void route_recording_stop(const struct api_request *q, void *ctx);
void route_pprof(const struct api_request *q, void *ctx);
