/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/buf.h"

/* The encoders: a profile in, bytes out. Pure. */
struct format {
	const char *name;         /* "pprof" */
	const char *content_type; /* for HTTP */
	const char *extension;    /* "pb.gz" */
	bool binary;              /* not to be written to a terminal */
	int (*encode)(const struct profile *p, struct buf *out); /* 0, -ENOMEM, -E2BIG */
};

extern const struct format formats[];
extern const size_t nformats;
/* NULL: there is none of that name. */
const struct format *format_find(const char *name);
const char *format_names(void); /* "pprof, collapsed, ..." for messages */
