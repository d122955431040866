/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

#include "record/recordings.h"

struct api_request;

/*
 * Whom a recording is of, from the body of POST /v1/recordings. One of these:
 *   "pid": N or [N, ...]    processes, which are Python
 *   "tree": N               a process, whatever it executes from now on, and its children from now
 *   on; with "child": true
 *                           only if it is the asker's own child, by the ids that plopd sees
 *   "cgroup": PATH, "unit": NAME
 *   "all": true             which may be left out where there are "selectors"
 * With "partial": true those of several "pid" that cannot be recorded are left out, and told of in
 * skipped, as objects with "pid", "error" and "hint"; not those that the peer may not ask for. If
 * none is left, the first one's reason is the answer. "selectors": ["KEY=VALUE", ...] narrow it
 * further: all must hold, as in GET /v1/profile. Their keys are those of processes.
 *
 * Answers the request and returns < 0 on bad input.
 */
int recording_targets(const struct api_request *q, struct targets *t, json_t *body,
		      struct recording_request *ret, struct buf *skipped);
/*
 * Makes ids of the selectors by pid, which are looked at as those of "pid" are. Answers the
 * request, and returns < 0, if one of them cannot be recorded.
 */
int recording_pids(const struct api_request *q, struct targets *t, struct whom *w);
