/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

#include "clickhouse/client.h"

/*
 * Adds up the hours of a fleet's store that are over, each a while after it has ended, and again
 * where windows came later; drops sums that newer ones stand for, and days that are older than what
 * is kept, of the node that it asks. Any number of them may do so at once: each writes sums of its
 * own, and whoever reads takes the last. On a thread of its own. A store that takes nothing from
 * this user is left alone, and said once.
 */
struct fleet_roller;

/* keep_ns: of days; 0: for ever. -EINVAL and others: *ret_error is one sentence, the caller's. */
int fleet_roller_new(sd_event *loop, const struct clickhouse_options *o, uint64_t keep_ns,
		     struct fleet_roller **ret, char **ret_error);
void fleet_roller_free(struct fleet_roller *r);
DEFINE_FREEP(struct fleet_roller, fleet_roller_free)
