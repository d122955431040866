/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "profile/symbolizer.h"

struct manager;
struct target;
struct recording;

/*
 * Profiles on request: each counts exactly the ticks between two swaps that match its selectors, beside the running
 * window and beside each other.
 */
#define RECORDINGS_MAX 32
/* One that takes more memory ends before its time. */
#define RECORDING_BYTES_MAX (32u << 20)
/* How long the result of an ended one is kept for its client. */
#define RECORDINGS_KEEP_NS (300 * NSEC_PER_SEC)

enum recording_state {
	RECORDING_WAITING, /* for the swap that it begins with */
	RECORDING_RUNNING,
	RECORDING_STOPPING, /* waits for the swap that it ends with */
	RECORDING_DONE,
};

struct recording {
	char id[16];
	enum recording_state state;
	struct selectors selectors;
	struct sink *sink;
	uint64_t cycle; /* with which the next state comes */
	uint64_t duration_ns;
	uint64_t begun_mono; /* CLOCK_MONOTONIC of its first swap; 0: waits for it */
	uint64_t ended_mono; /* ... of its last */
	bool fetched;        /* DONE, and the client has the result */
	uint64_t keep_until; /* CLOCK_MONOTONIC */
	const char *reason;  /* "elapsed", "stopped", "target ended", "too large"; static */
	bool has_pids;
	sd_event_source *timer;
	/* called once when it is done; NULL: the client asks */
	void (*done)(struct recording *r, void *ctx);
	void *ctx;
	struct recordings *all;
};

struct recordings {
	struct manager *manager;
	struct recording *items[2 * RECORDINGS_MAX];
	uint64_t next_id;
};

void recordings_init(struct recordings *all, struct manager *m);
void recordings_done(struct recordings *all);
/* Takes the selectors over. -EBUSY: RECORDINGS_MAX run already. The recording belongs to *all. */
int recordings_start(struct recordings *all, struct selectors *s, uint64_t duration_ns,
		     struct recording **ret);
struct recording *recordings_find(struct recordings *all, const char *id);
/* Ends it at the next swap; harmless when it has ended. */
void recording_stop(struct recording *r, const char *reason);
/* Forgets it now, running or not; done is not called. */
void recording_drop(struct recording *r);
unsigned int recordings_running(const struct recordings *all);

void recordings_add(struct recordings *all, struct target *k, const struct symbolized_stack *s);
/* A cycle is complete: its number, and what it counted. */
void recordings_cycle(struct recordings *all, uint64_t cycle, const struct tally *t);

/* What GET /v1/recordings/ID says. New reference, NULL: out of memory. */
json_t *recording_json(const struct recording *r);
