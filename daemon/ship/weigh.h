/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "config/config.h"
#include "ship/encode.h"
#include "ship/services.h"

/* The plan of [fleet]. */
struct ship_plan ship_plan_of(const struct config *c);
/* Whether services of a window may have different shares by that plan. */
bool ship_tells_services(const struct ship_plan *p);
/* Whether nothing is left out by it. */
bool ship_takes_all(const struct ship_plan *p);
/* Whether a window's head is taken, by the share of all, whatever services have of their own. */
bool ship_takes_head(const struct ship_plan *p, uint64_t host_id, uint64_t start_ns);
/*
 * What of a window is sent, by the plan. ret->processes: has room for the window's; each is set.
 * Its services have met (services.h) then. False: nothing is.
 */
bool ship_weigh(const struct ship_plan *p, uint64_t host_id, const struct profile *window,
		struct services *services, struct ship_weights *ret);
