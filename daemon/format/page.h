/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * The page of one profile, made by viewer/build.mjs from the viewer's own code: what stands in
 * front of its data, {"graph": ..., "tree": ...}, and what behind it.
 */
extern const unsigned char page_head[], page_tail[];
extern const size_t page_head_size, page_tail_size;
