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

/* Answers POST /v1/tokens by a fresh token, and the address with it. */
void viewer_make_token(const struct api_request *q, struct viewer *v);
/* Seconds that a token is still good for; 0: it is not one of these, or has ended. */
uint64_t viewer_token_left(const struct viewer *v, const char *token);
/* Notes the address of POST /v1/gateway; false after having answered that it is none. */
bool viewer_take_gateway(const struct api_request *q, struct viewer *v);
/* Handler; ctx: the struct viewer. */
void route_token_revoke(const struct api_request *q, void *ctx);
