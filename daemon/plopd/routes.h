/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"

/*
 * What plopd's socket answers. ctx of the handlers: the struct manager, of which each topic's file
 * gets its own part.
 */
extern const struct api_route plopd_routes[];
extern const size_t plopd_nroutes;
