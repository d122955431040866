/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/buf.h"

/*
 * The page of one profile, made by viewer/build.mjs from the viewer's own code: what stands in
 * front of its data, {"graph": ..., "tree": ...}, and what behind it.
 */
extern const unsigned char page_head[], page_tail[];
extern const size_t page_head_size, page_tail_size;
/* The same of a comparison: {"diff": what GET /v1/diff answers, "base": a tree, "new": a tree}. */
extern const unsigned char comparison_head[], comparison_tail[];
extern const size_t comparison_head_size, comparison_tail_size;

/*
 * JSON as it may stand within an element of a page: nothing in it ends the element, or is a line
 * end to anybody.
 */
void page_put_json(struct buf *out, const char *data, size_t size);
