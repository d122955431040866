/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

struct config;
struct cycle;
struct sampler;
struct windows;

/*
 * When the profile that is always on is: always, only for recordings' sake (never), or for a window
 * every so often. Between, no perf event is open unless somebody records.
 */
struct mode {
	struct cycle *cycle; /* these are borrowed */
	struct config *config;
	struct sampler *sampler;
	struct windows *windows;
	sd_event_source *timer; /* periodic: when the next window begins, or the running one ends */
	uint64_t end_mono;      /* periodic: when the window that runs ends; 0: none does */
	sd_event_source *hangup;
	/*
	 * Reads the configuration anew, for SIGHUP; *ret_error is a sentence, owned by the caller.
	 */
	int (*load)(void *ctx, struct config **ret, char **ret_error);
	void *ctx;
};

/*
 * Follows SIGHUP from here on. The configuration is changed by what that reads, and by nobody else.
 */
int mode_init(struct mode *e, struct cycle *cycle, struct config *config, struct sampler *sampler,
	      struct windows *windows);
void mode_done(struct mode *e);
/* Begins to sample, if it is the time. ret_error as with sampler_start(). */
int mode_start(struct mode *e, char **ret_error);
