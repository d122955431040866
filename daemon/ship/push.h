/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/buf.h"

/*
 * A window as HTTP requests for the profile stores that others run, each POST. A window is split by
 * service and version, as these stores keep the labels of a profile alone, and each of these until
 * it is within PUSH_SAMPLES and PUSH_BYTES. Threads are added up; processes are too, but in OTLP.
 * No sum changes: each sample of the window is in one request. The same window is the same rows in
 * the same order, and the same rows are the same request. Pure.
 */
enum push_store {
	PUSH_PYROSCOPE, /* /ingest, also of what speaks it, such as Gigapipe */
	PUSH_PARCA,     /* /api/profiles/writeraw */
	PUSH_COROOT,    /* /v1/profiles */
	PUSH_OTLP,      /* /v1development/profiles, see otlp.proto */
};
#define PUSH_STORES (PUSH_OTLP + 1)

/* What Pyroscope takes of one profile, as it comes: of the others none takes less. */
#define PUSH_SAMPLES 16000
#define PUSH_BYTES   (4u << 20) /* before it is compressed */
/* Bytes of a label's value; what is longer is cut at the end of a character. */
#define PUSH_LABEL 2048
/* The service of a process that has none, as OpenTelemetry calls it. */
#define PUSH_UNKNOWN "unknown_service"

/* Whose window it is. Borrowed; region may be "". */
struct push_from {
	const char *host, *region;
};

/*
 * What a sample of each process weighs, by its number, in millionths; 0: it is left out. fraction:
 * a number drawn for the window, with which what is no whole sample is rounded: it has no part in
 * deciding whether the window is sent.
 */
struct push_weights {
	const uint64_t *processes;
	uint64_t fraction;
};

struct push;
/* weights NULL: each sample counts once. window and from are borrowed, also by what is made. */
int push_new(enum push_store store, const struct profile *window,
	     const struct push_weights *weights, const struct push_from *from, struct push **ret);
void push_free(struct push *p);
DEFINE_FREEP(struct push, push_free)
/* Rows: a stack of a process, of which requests have one or more. */
uint32_t push_rows(const struct push *p);

struct push_request {
	char *path;               /* with its query, escaped; owned */
	const char *content_type; /* static */
	bool gzip;                /* the body is, which a header Content-Encoding has to say */
	struct buf body;
	uint32_t rows;
	uint64_t samples; /* that are in it, as they weigh */
	uint64_t counted; /* ... as they were counted */
};
/*
 * The request that begins with that row, of most rows at most. One row that is beyond the bounds is
 * a request all the same. -ENOMEM.
 */
int push_request(const struct push *p, uint32_t first, uint32_t most, struct push_request *ret);
void push_request_done(struct push_request *q);
