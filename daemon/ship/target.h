/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "config/config.h"
#include "ship/encode.h"
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

/* A window as it goes there. Borrowed. */
struct ship_window {
	const struct profile *profile;
	const struct ship_host *host;
	const struct store_place *place;
	const struct ship_weights *weights;
};

struct ship_count {
	uint64_t rows, samples;
};

/*
 * -EAGAIN: not now; -E2BIG: the store does not take as much; -EACCES: not from us; -ENOENT: it is
 * not as it has to be; -EPROTO: anything else; -ENOMEM. What is connected is thrown away after
 * -EACCES, after -ENOENT, and where the store is away.
 */
struct ship_target_ops {
	/* Whether it takes windows: nothing is sent before. */
	int (*check)(struct ship_target *t, struct ship_trouble *ret_why);
	/* *ret: what the window has in that store, after -E2BIG as well. */
	int (*send)(struct ship_target *t, const struct ship_window *w, struct ship_count *ret,
		    struct ship_trouble *ret_why);
	/* What it has of these services of all hosts, as far as it says so. */
	void (*ask)(struct ship_target *t, struct services *services);
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
