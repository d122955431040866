/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "config/config.h"

/*
 * Sends windows to the fleet's store as they end, on a thread of its own: read from plop.db, behind
 * a place that is on the disk. What cannot be sent waits in plop.db, as long as windows are kept
 * there. A window is sent whole or again: whoever is told that it is there finds each of its rows
 * once.
 */
struct shipper;

/* What became of it, for plopctl fleet status. */
struct ship_facts {
	char place[320];       /* "clickhouse=host:8123/plop" */
	char host_id[20];      /* 16 digits; "": not known yet */
	uint64_t windows;      /* that were sent since the gateway started */
	uint64_t rows;         /* ... of samples */
	uint64_t samples;      /* ... that these count */
	uint64_t bytes;        /* ... compressed, what was sent in vain included */
	uint64_t cpu_ns;       /* ... that it took, of this thread */
	uint64_t passed_over;  /* windows that the share leaves out */
	uint64_t refused;      /* samples that the store does not take */
	uint64_t missed;       /* windows that went from plop.db before they could be sent */
	uint64_t behind;       /* windows that are to be sent */
	uint64_t last_end_ns;  /* end of the last window that is there; 0: not known */
	uint64_t last_sent_ns; /* when it was; 0: none was since the gateway started */
	uint64_t failures;     /* since the gateway started */
	uint64_t retry_ns;     /* when it is tried again, since 1970; 0: nothing has failed */
	char refusal[512];     /* why not, of the last ones; "": it took all */
	char error[512];       /* why, and what to try; "": nothing has failed */
};

/* Whether [fleet] names a store. */
bool ship_wanted(const struct config *c);
/* -EINVAL and others: *ret_error is one sentence, owned by the caller. config is borrowed. */
int ship_new(const struct config *c, struct shipper **ret, char **ret_error);
/* Ends the thread, within a second or so. */
void ship_free(struct shipper *s);
DEFINE_FREEP(struct shipper, ship_free)
void ship_look(struct shipper *s, struct ship_facts *ret);
