/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "util/buf.h"

/*
 * The flame graph of a difference: the flame trees of both sides (format tree, the base's first),
 * and what GET /v1/diff answered, for what is said of its functions. page: flame_page(), else
 * flame_svg(). -ENOMEM.
 */
int diff_flame_draw(const json_t *answer, json_t *const trees[2], bool page, struct buf *out);
