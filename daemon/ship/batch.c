/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/batch.h"

#include "util/macro.h"

#define SPREAD_PART 4

bool ship_batch_due(const struct ship_batch *b, const struct ship_pace *pace, bool more,
		    uint64_t monotonic_ns, uint64_t realtime_ns)
{
	uint64_t waits = pace->delay_ns - pace->part % (pace->delay_ns / SPREAD_PART + 1);
	uint64_t in_it = monotonic_ns - b->since_ns;
	uint64_t old = realtime_ns > b->end_ns ? realtime_ns - b->end_ns : 0;

	if (!b->windows)
		return false;
	if (b->full || b->windows >= pace->most || in_it >= MAX(waits, SHIP_BATCH_NS))
		return true;
	return !more && (b->urgent || in_it >= waits || old >= waits);
}
