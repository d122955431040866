/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

struct config;
struct manager;

/*
 * When the profile that is always on is: always, only for recordings' sake (never), or for a window every so often. Between,
 * no perf event is open unless somebody records.
 */
struct mode {
	struct manager *manager;
	sd_event_source *timer; /* periodic: when the next window begins, or the running one ends */
	sd_event_source *hangup;
	/* Reads the configuration anew, for SIGHUP; *ret_error is a sentence, owned by the caller. */
	int (*load)(void *ctx, struct config **ret, char **ret_error);
	void *ctx;
};

/* Follows SIGHUP from here on. */
int mode_init(struct mode *e, struct manager *m);
void mode_done(struct mode *e);
/* Begins to sample, if it is the time. ret_error as with sampler_start(). */
int mode_start(struct mode *e, char **ret_error);
