/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

#include "api/api.h"
#include "record/recordings.h"
#include "window/windows.h"

/* Recordings that somebody gave a name, on their way into plop.db and out of it. */
struct keep {
	/* borrowed */
	struct windows *windows;
	struct recordings *recordings;
};

/* From then on those that have a name are kept. */
void keep_init(struct keep *k, struct windows *windows, struct recordings *recordings);
/*
 * "name" and what else is noted of a request, from the body of POST /v1/recordings. Answers the
 * request and returns < 0 on bad input.
 */
int keep_take(const struct api_request *q, json_t *body, struct recording_request *ret);
/* Answers DELETE of one that is kept, which it lets go. */
void keep_remove(struct keep *k, const struct api_request *q, const char *ident);
