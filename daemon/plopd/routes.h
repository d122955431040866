/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"

/*
 * The handlers of plopd's socket, by topic: status.c, queries.c (windows and profiles), dump.c, routes.c (recordings, tokens,
 * the gateway, and the table). ctx is the manager.
 */
void route_status(const struct api_request *q, void *ctx);
void route_processes(const struct api_request *q, void *ctx);
void route_metrics(const struct api_request *q, void *ctx);

void route_dump(const struct api_request *q, void *ctx);

void route_windows(const struct api_request *q, void *ctx);
void route_profile(const struct api_request *q, void *ctx);
void route_stream(const struct api_request *q, void *ctx);
