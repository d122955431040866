/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plopd/look.h"

/*
 * GET /v1/source: the text of a file that a process has loaded, where [source] of plop.conf allows
 * it; ctx: the struct looks.
 */
void route_source(const struct api_request *q, void *ctx);
