/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "cycle/cycle.h"
#include "plopd/tokens.h"

/* The way to the viewer: the address that plop-gateway says it has, and the tokens that open it. */
struct viewer {
	const struct cycle *cycle; /* borrowed */
	struct tokens tokens;
	char *gateway;    /* the address, as plop-gateway registered it; owned, NULL: it did not */
	uint64_t seen_ns; /* CLOCK_MONOTONIC: when it did so last */
};

void viewer_done(struct viewer *v);
/* The gateway's address; NULL: there is none, or it was not heard of for a while. */
const char *viewer_address(const struct viewer *v);

/* Handlers; ctx: the struct viewer. */
void route_token(const struct api_request *q, void *ctx);
void route_token_check(const struct api_request *q, void *ctx);
void route_token_revoke(const struct api_request *q, void *ctx);
void route_gateway(const struct api_request *q, void *ctx);
