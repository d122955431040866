/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The time that passed over the windows of a store, told by the windows alone: what each took, and
 * what was between them, less what the clock was set by. Windows are kept by it, so that no reading
 * of the clock alone makes any of them old.
 *
 * How long plopd was away can only be told from the clock, which may be wrong after a boot until
 * somebody sets it. So that gap counts only when the clock was not set for a while, and what it is
 * set by until then is taken out of it.
 */
struct life {
	bool any;   /* there is a window */
	bool first; /* the next window is the first since the store was opened */
	/* nanoseconds, at the end of the newest window; only differences mean something */
	int64_t now;
	int64_t end_ns;  /* what the clock said then */
	int64_t pending; /* the gap that does not count yet; negative where the clock went back */
	int64_t from;    /* the first window after that gap */
	/* what of it counts with this window: those from that one on are that much later */
	int64_t counts;
	int64_t steady; /* time since the store was opened or the clock was set */
};

/* How long that while is; no longer than windows are kept. */
#define LIFE_CONFIRM_NS INT64_C(600000000000)

/* What comes after one more window, of that id. confirm_ns: LIFE_CONFIRM_NS or less. */
struct life life_after(const struct life *l, int64_t id, uint64_t start_ns, uint64_t end_ns,
		       int64_t stepped_ns, int64_t confirm_ns);
