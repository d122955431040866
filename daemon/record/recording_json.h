/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"
#include "util/json.h"

/*
 * What GET /v1/recordings/ID says. skipped: elements of an array, what it is recorded without; may
 * be NULL.
 */
void recording_put(struct json_writer *w, const struct recording *recording,
		   const struct buf *skipped);
/* ... and what it says of one that is KEEPING, once that is saved. */
void recording_put_kept(struct json_writer *w, const struct recording *recording);
