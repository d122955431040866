/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"

/*
 * The parameters that several routes share: from, to (Unix seconds), seconds, format, group_by, and SELECTORs by their keys.
 * Keys that are neither are refused, so that a misspelt selector does not widen an answer.
 */
struct api_query {
	uint64_t from_ns, to_ns; /* default: the last ten minutes; from < to always */
	bool has_from, has_to;
	unsigned int seconds;        /* 1 .. API_MAX_SECONDS, default 30 */
	const struct format *format; /* default json; NULL: the room has none of that name */
	struct selectors selectors;  /* freed by api_query_done() */
	char *group_by;              /* keys for profile_group(), or NULL; likewise */
};
#define API_DEFAULT_RANGE_NS (600 * NSEC_PER_SEC)
#define API_MAX_SECONDS      300

/* -EINVAL: error holds a sentence for a 400; -ENOMEM. *ret is only filled on success. Pure. */
int api_query_parse(const struct api_parameter *parameters, size_t n, uint64_t now_ns,
		    struct api_query *ret, char *error, size_t error_size);
void api_query_done(struct api_query *q);
/* Has *p grouped as q asks for: *p is another profile then. */
int api_query_group(const struct api_query *q, struct profile **p);
#define _cleanup_query_ _cleanup_(api_query_done)

/* The same for a request, which is answered (400, 500) on failure. */
int api_query_from_request(const struct api_request *q, struct api_query *ret);
