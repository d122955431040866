/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"

/*
 * What plopd knows of itself and of the processes it profiles. Handlers; ctx: the struct manager,
 * all of which is told of.
 */
void route_status(const struct api_request *q, void *ctx);
void route_processes(const struct api_request *q, void *ctx);
void route_metrics(const struct api_request *q, void *ctx);

/* CPU time of plopd so far, in seconds. */
double status_cpu_seconds(void);
