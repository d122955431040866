/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "clickhouse/client.h"
#include "config/config.h"
#include "ship/encode.h"
#include "ship/requests.h"
#include "ship/services.h"

/*
 * A store that windows go to. The shipper (shipper.c) has the order, the place up to which all is
 * there, and when it is tried again; what differs from store to store is here. Calls block until
 * they are answered or the time is up, and are made by one thread, but for stop().
 */
struct ship_target {
	const struct ship_target_ops *ops;
};

/* Why a call failed, for who decides what to do then, and for a person. */
struct ship_trouble {
	bool away;                  /* not reached, or it is not known what became of the call */
	unsigned int retry_after_s; /* that it has asked for; 0: it has not */
	char sentence[512];         /* what failed, why, and what to try; "": strerror() says it */
};

/* What has become of a part of a window. */
struct ship_part {
	uint32_t rows;       /* that it has, in a store's own sense */
	uint32_t done, all;  /* ... of the window: up to here, with this part; and altogether */
	uint64_t samples;    /* as they were counted */
	const char *refused; /* why the store does not take it, ever; NULL: it is there */
};

/* A window as it goes there. Borrowed. */
struct ship_window {
	const struct profile *profile;
	const struct ship_host *host;
	const struct store_place *place;
	const struct ship_weights *weights;
	/* So many rows went before, where the window has so many. */
	uint32_t done, all;
	/* Called for each part that needs not be sent again, in order; the last one ends it. */
	void (*went)(void *ctx, const struct ship_part *part);
	void *ctx;
};

/*
 * -EAGAIN: not now; -E2BIG: the store does not take as much; -EACCES: not from us; -ENOENT: it is
 * not as it has to be; -EPROTO: anything else; -ENOMEM. What is connected is thrown away after
 * -EACCES, after -ENOENT, and where the store is away.
 */
struct ship_target_ops {
	/* Whether it takes windows: nothing is sent before. */
	int (*check)(struct ship_target *t, struct ship_trouble *ret_why);
	/*
	 * 0: all of it has gone, or is kept for flush(); 1: kept, and it wants no more before that.
	 * *ret_rows: after -E2BIG, that the window has.
	 */
	int (*send)(struct ship_target *t, const struct ship_window *w, uint32_t *ret_rows,
		    struct ship_trouble *ret_why);
	/*
	 * All that is kept has gone, which is *ret, after -E2BIG as well: rows and samples, of no
	 * went(). After a failure nothing is kept any more. NULL: send() keeps nothing.
	 */
	int (*flush)(struct ship_target *t, struct ship_part *ret, struct ship_trouble *ret_why);
	/* What it has of these services of all hosts, as far as it says so; NULL: it never does. */
	void (*ask)(struct ship_target *t, struct services *services);
	/* What it was asked to have of that host; NULL: nobody asks through such a store. */
	int (*requests)(struct ship_target *t, uint64_t host_id, struct requests *requests,
			struct ship_trouble *ret_why);
	/* Bytes that were sent as bodies, compressed, since the beginning. */
	uint64_t (*sent)(const struct ship_target *t);
	/* From any thread: a call under way ends within a second or so, later ones at once. */
	void (*stop)(struct ship_target *t);
	void (*free)(struct ship_target *t);
};

/*
 * -EINVAL: it is no address of one; others: a file that it needs cannot be read. *ret_error is one
 * sentence, owned by the caller. Nothing is connected yet.
 */
int target_clickhouse_new(const struct config *c, struct ship_target **ret, char **ret_error);
/*
 * The inserts of what flush() has: stacks and processes before what names them; heads last, with
 * which windows are whole. As clickhouse_insert().
 */
int target_clickhouse_insert(struct clickhouse *store, const struct ship_rows *rows,
			     struct clickhouse_trouble *ret_why);
/* Pyroscope, Parca, Coroot or OTLP. */
int target_push_new(const struct config *c, struct ship_target **ret, char **ret_error);
