/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/buf.h"

/*
 * A window as HTTP requests for the profile stores that others run, each POST. A window is split by
 * service and version, as these stores keep the labels of a profile alone, and each of these until
 * it is within PUSH_SAMPLES and PUSH_BYTES; threads are added up. No sum changes: each sample of
 * the window is in one request. The same window is the same requests. Pure.
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

struct push_request {
	char *path;               /* with its query, escaped; owned */
	const char *content_type; /* static */
	bool gzip;                /* the body is, which a header Content-Encoding has to say */
	struct buf body;
	uint64_t samples; /* ticks that are in it */
};

struct push_requests {
	struct push_request *items; /* owned */
	uint32_t n, room;
};

/* -ENOMEM. */
int push_make(enum push_store store, const struct profile *window, const struct push_from *from,
	      struct push_requests *ret);
void push_requests_done(struct push_requests *r);
