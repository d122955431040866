/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

#include "util/buf.h"

/*
 * The flame graph of a difference as a picture: the flame trees of both sides (format tree, the
 * base's first), and what GET /v1/diff answered, for what is said of its functions. -ENOMEM.
 */
int diff_flame_draw(const json_t *answer, json_t *const trees[2], struct buf *out);
