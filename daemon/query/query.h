/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/format.h"
#include "query/refusal.h"

/* A key and its value as a URL has them, decoded. */
struct query_parameter {
	const char *key, *value;
};

/*
 * The parameters that several routes share: from, to (Unix seconds), seconds, last, step, format,
 * group_by, deltas, and SELECTORs by their keys. Keys that are neither are refused, so that a
 * misspelt selector does not widen an answer.
 */
struct query {
	uint64_t from_ns, to_ns; /* default: the last ten minutes; from < to always */
	bool has_from, has_to;
	unsigned int seconds;        /* 1 .. QUERY_MAX_SECONDS, default 30 */
	unsigned int last;           /* seconds, 1 .. QUERY_MAX_LAST; 0: was not given */
	const struct format *format; /* default json; NULL: the room has none of that name */
	struct selectors selectors;  /* freed by query_done() */
	char *group_by;              /* keys for profile_group(), or NULL; likewise */
	char *function;              /* a function's name, or NULL; likewise */
	char *file;                  /* a file's path, as functions have it, or NULL; likewise */
	char *name;                  /* of a recording, or NULL; likewise */
	char *recording;             /* the id of one, or NULL; likewise */
	char *address;               /* where scrapers find this, or NULL; likewise */
	char *label;                 /* a key of processes, or NULL; likewise: not of parameters */
	uint64_t step_ns;            /* of the list of windows; 0: each by itself */
	uint64_t request;            /* of a fleet, by which hosts sent more; 0: none */
	bool deltas;                 /* of a stream: what has changed, format/live.h */
};
#define QUERY_RANGE_NS    (600 * NSEC_PER_SEC)
#define QUERY_MAX_SECONDS 300
#define QUERY_MAX_LAST    3600
#define QUERY_MAX_STEP    31536000 /* seconds: a year */

/* -EINVAL: *ret_why says why; -ENOMEM. *ret is only filled on success. Pure. */
int query_parse(const struct query_parameter *parameters, size_t n, uint64_t now_ns,
		struct query *ret, struct refusal *ret_why);
/* Which request: 16 hexadecimal digits. -EINVAL: that is none. */
int query_set_request(struct query *q, const char *id);
/* Whose values are asked for. The same errors. */
int query_set_label(struct query *q, const char *key, struct refusal *ret_why);
/*
 * The same of two sides that are compared, the base side and the new one: what begins with "base."
 * or "new." is of one of them, all else of both.
 */
int query_parse_sides(const struct query_parameter *parameters, size_t n, uint64_t now_ns,
		      struct query *ret_base, struct query *ret_new, struct refusal *ret_why);
void query_done(struct query *q);
/* Has *p grouped as q asks for: *p is another profile then. */
int query_group(const struct query *q, struct profile **p);
/* A new profile with what q leaves of p: selected, with the tally that goes with it, grouped. */
int query_view(const struct query *q, const struct profile *p, struct profile **ret);
/* Writes p as q asks for: the lines of a function or a file, or all of it in the format. */
int query_encode(const struct query *q, const struct profile *p, struct buf *out);
#define _cleanup_query_ _cleanup_(query_done)
