/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Windows that wait to go to the store together: a store of columns takes a few large inserts for
 * less than many small ones. Pure.
 */
struct ship_batch {
	uint64_t windows; /* that are in it */
	uint64_t cpu_ns;
	uint64_t passed_over, missed; /* windows before its last one that are not in it */
	uint64_t since_ns;            /* when the first came into it, CLOCK_MONOTONIC */
	uint64_t end_ns;              /* when that ended, CLOCK_REALTIME */
	bool urgent;                  /* it has one that is not to wait */
	bool full;                    /* the store wants no more at once */
};

/* How it is decided. */
struct ship_pace {
	uint64_t delay_ns; /* until the oldest goes, at most */
	uint64_t part; /* of this host, by which that is less, up to a quarter: not all at once */
	uint64_t most; /* windows */
};
#define SHIP_BATCH_MOST 64
/* Where more come all the time, as behind an outage, a batch goes after so long. */
#define SHIP_BATCH_NS (30 * NSEC_PER_SEC)

/*
 * Whether it goes now. more: windows are there that could come into it. The clock that windows have
 * may be wrong: it makes a batch go early, and never late.
 */
bool ship_batch_due(const struct ship_batch *b, const struct ship_pace *pace, bool more,
		    uint64_t monotonic_ns, uint64_t realtime_ns);
