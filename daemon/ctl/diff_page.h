/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

#include "util/buf.h"

/*
 * A difference as one page that opens from disk, drawn by the viewer's code: what GET /v1/diff
 * answered, and the flame trees of both sides (format tree, the base's first). -ENOMEM, or the
 * error of out.
 */
int diff_page_write(const json_t *answer, json_t *const trees[2], struct buf *out);
