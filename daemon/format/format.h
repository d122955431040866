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
	/* 0, -ENOMEM, -E2BIG; -EFBIG: more than out->limit, and out holds a part that is of no use. */
	int (*encode)(const struct profile *p, struct buf *out);
};

extern const struct format formats[];
extern const size_t nformats;
/* NULL: there is none of that name. */
const struct format *format_find(const char *name);
const char *format_names(void); /* "pprof, collapsed, ..." for messages */
