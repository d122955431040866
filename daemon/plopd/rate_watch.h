/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "config/config.h"
#include "sampler/throttling.h"
#include "util/json.h"
#include "window/windows.h"

struct sampler;

/*
 * Whether the kernel lets through the ticks that are always on, as they are asked for: looked at
 * when plopd begins, and at each window's end. See sampler/throttling.h.
 */
struct rate_watch {
	/* borrowed */
	const struct config *config;
	struct sampler *sampler;
	struct windows *windows;

	uint64_t window_ns;       /* start of the window that runs */
	struct throttling before; /* as of then */
	unsigned int most_hz;     /* the kernel's bound, as of then; 0: not known */
	double part;              /* of the window before for which ticks were stopped */
	bool said;                /* that something is wrong */
};

/* Looks again if another window runs than the last time; what has changed goes to the log. */
void rate_watch_look(struct rate_watch *w);
/* {"max_hz": ..., "throttled_percent": ..., "note": ...} */
void rate_watch_put(struct json_writer *to, const char *key, const struct rate_watch *w);
