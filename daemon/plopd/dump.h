/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "target/targets.h"

/* What the threads of one process do now. */
struct dumps {
	struct targets *targets; /* borrowed */
	unsigned int under_way;
};

/* GET /v1/dump; ctx: the struct dumps. */
void route_dump(const struct api_request *q, void *ctx);
