/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plopd/look.h"

/* GET /v1/dump: what the threads of one process do now; ctx: the struct looks. */
void route_dump(const struct api_request *q, void *ctx);
