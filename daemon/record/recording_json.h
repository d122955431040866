/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

#include "record/recordings.h"

/* What GET /v1/recordings/ID says. New reference, NULL: out of memory. */
json_t *recording_json(const struct recording *r);
/* Lost ticks by their causes: {"fault": 0, ...}. New reference, NULL: out of memory. */
json_t *tally_lost_json(const struct tally *t);
