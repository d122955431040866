/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

#include "api/api.h"
#include "util/buf.h"

/*
 * Bytes of all answers that are on their way from plopd: what then waits for clients has a bound of
 * its own.
 */
#define UPSTREAM_COMING API_WAITING_MAX

/* Headers of an answer that are passed on. */
#define UPSTREAM_HEADERS 5

/* HTTP to plopd's Unix socket, many exchanges at once, inside the loop. */
struct upstream;
int upstream_new(sd_event *loop, const char *socket, struct upstream **ret);
/* Ends all exchanges without calling their done(). */
void upstream_free(struct upstream *u);
DEFINE_FREEP(struct upstream, upstream_free)

struct upstream_answer {
	unsigned int status;
	const char *content_type; /* "" if there was none */
	/* those that are to be passed on, "Name: value", and a NULL behind them */
	char *headers[UPSTREAM_HEADERS + 1];
	struct buf *body; /* done() may take it; a stream's is what data() left */
};

struct upstream_callbacks {
	/*
	 * NULL: collect the whole body. Else called whenever there is more: takes what it wants off
	 * the front of the body by buf_consume(); negative ends the exchange.
	 */
	int (*data)(struct upstream_answer *a, void *ctx);
	/*
	 * Once, at the end. r: 0, or why there is no answer: -ECONNREFUSED and the like if plopd is
	 * down, -EAGAIN if it has no place; -EFBIG: larger than API_MAX_ANSWER; -ENOBUFS: more than
	 * UPSTREAM_COMING with all others; what data() returned.
	 */
	void (*done)(int r, struct upstream_answer *a, void *ctx);
};

struct exchange;
/* What is asked. scope: for whom, or NULL: for the gateway itself. timeout_s: 0 is none. */
struct upstream_request {
	const char *method, *target;
	const char *body; /* JSON or NULL */
	const struct scope *scope;
	unsigned int timeout_s;
};
int upstream_start(struct upstream *u, const struct upstream_request *q,
		   const struct upstream_callbacks *callbacks, void *ctx, struct exchange **ret);
/* done() will not be called. */
void upstream_cancel(struct exchange *e);
