/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <pthread.h>

#include "ship/target.h"

/* The store that windows go to, whether it can be had just now or not. */
struct ship_link {
	const struct config *config; /* borrowed */
	struct ship_target *target;  /* NULL: there is none just now; the thread's that ships */
	bool adds_up;                /* what is sent twice counts twice there */
	bool checked;                /* it takes windows */
	uint64_t bytes;              /* sent by targets of before */
	pthread_mutex_t lock;        /* of stop, and of changes of target */
	bool stop;
};

/* -EINVAL: it is no address of a store; *ret_error is one sentence, owned by the caller. */
int link_open(struct ship_link *l, const struct config *c, char **ret_error);
void link_close(struct ship_link *l);
/* Afterwards there is a target that takes windows. Errors as of struct ship_target_ops. */
int link_reach(struct ship_link *l, struct ship_trouble *ret_why);
/* What somebody asks of that host there. Errors likewise, and it is due again then. */
int link_requests(struct ship_link *l, uint64_t host_id, struct requests *requests,
		  struct ship_trouble *ret_why);
/* What was connected goes. */
void link_leave(struct ship_link *l);
/* From any thread: calls end within a second or so, now and later. */
void link_stop(struct ship_link *l);
/* Bytes that were sent since the beginning. */
uint64_t link_sent(const struct ship_link *l);
