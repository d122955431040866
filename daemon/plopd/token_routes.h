/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "config/config.h"
#include "plopd/named_tokens.h"
#include "plopd/viewer.h"
#include "window/windows.h"

/*
 * The tokens that plop-gateway asks for: those of plopctl open, which are the viewer's, and those
 * of plopctl token, which are kept in plop.db and outlive it, as marks do. Who takes one away is
 * answered when plop.db has it no more.
 */
struct token_routes {
	/* borrowed */
	struct viewer *viewer;
	const struct config *config;
	struct windows *windows;
	struct named_tokens named;
	uint64_t number; /* another one whenever a token was taken away, of each plopd another */
};

/* Reads those that are kept; what cannot be read is said in the log. */
void token_routes_load(struct token_routes *t);

/* Handlers; ctx: the struct token_routes. */
void route_token(const struct api_request *q, void *ctx);
void route_tokens(const struct api_request *q, void *ctx);
void route_token_drop(const struct api_request *q, void *ctx);
void route_token_check(const struct api_request *q, void *ctx);
/* plop-gateway says where it is, and is told whether what it knows of tokens may be wrong. */
void route_gateway(const struct api_request *q, void *ctx);
