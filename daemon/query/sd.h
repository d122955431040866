/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "query/deploys.h"

/*
 * GET /v1/sd: what can be scraped here, as Prometheus' HTTP service discovery has it: an array of
 * {"targets": [ADDRESS], "labels": {...}}, one for each service and version, or one for a service
 * some of whose processes have no version: a selector cannot tell these from the others. The labels
 * __param_service and __param_version have /debug/pprof/profile choose them; no sample is of two.
 */
#define SD_MOST 256 /* the heaviest are told */
/* d: with what has no version. In another order afterwards. */
void sd_put(struct deploys *d, const char *address, const char *host, struct json_writer *w);
/* HOST or HOST:PORT, as a Host header has it: no more than such characters, and not too long. */
bool sd_address_valid(const char *address);
