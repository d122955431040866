/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/by_line.h"
#include "util/buf.h"

/* The answer of GET /v1/lines: by_line_new() of these as JSON. -ENOMEM, -EFBIG. */
int by_line_encode(const struct profile *p, const char *name, const char *file, struct buf *out);
