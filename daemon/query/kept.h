/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "query/query.h"
#include "store/recordings.h"
#include "util/json.h"

/*
 * GET /v1/recordings and GET /v1/recordings/ID, of recordings that are kept. Those that run, or
 * have ended and are in memory, whoever has them lists before plop.db is read: so each is there,
 * and once, also where one is saved meanwhile.
 */
struct kept_listed {
	char ident[RECORDING_ID_MAX + 1];
	char *facts; /* owned; NULL: it is among those that were read */
};
struct kept {
	struct selectors see;             /* for whom: no items */
	char ident[RECORDING_ID_MAX + 1]; /* of one: which; "": there is none of such a name */
	bool with_profile;                /* ... and what it recorded */
	struct kept_listed *listed;       /* owned; the newest first */
	size_t nlisted;
	struct buf elements; /* those that were read, separated by commas, the newest first */
	struct buf facts;    /* of one */
};

void kept_done(struct kept *k);
/* The one that is asked for by its id. */
void kept_set(struct kept *k, const char *ident, bool with_profile);
/* One that is in memory, behind those before; takes facts over. -ENOMEM. */
int kept_list(struct kept *k, const char *ident, char *facts);
/* Whether it is among those that a query asks for: by name, labels, and time. */
bool kept_is_wanted(const struct query *q, const char *name, const struct labels *labels,
		    uint64_t start_ns, uint64_t end_ns);
/*
 * Refuses what is of profiles alone in a query for the list, and makes it of all time where it does
 * not say of which. -EINVAL.
 */
int kept_fit(struct query *q, struct refusal *ret_why);
/* What plop.db has of it. -ENOENT: of one: there is none. */
int kept_read_all(struct kept *k, struct store_reader *reader, const struct query *q);
int kept_read_one(struct kept *k, struct store_reader *reader, struct profile **ret);
/* The members of the answer. */
void kept_put(const struct kept *k, struct json_writer *w);
