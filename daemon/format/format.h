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
	bool pruned;              /* what is light is in [other]; in others all is there */
	/* the command that shows a file of it; NULL: none that is worth telling */
	const char *open;
	/*
	 * 0, -ENOMEM, -E2BIG; -EFBIG: more than out->limit, and out holds a part that is of no use.
	 */
	int (*encode)(const struct profile *p, struct buf *out);
};

extern const struct format formats[];
extern const size_t nformats;
/* NULL: there is none of that name. */
const struct format *format_find(const char *name);
/*
 * Of format json: how many functions are in its node [other] and have none of their own. Of others
 * 0.
 */
uint64_t format_merged(const char *data, size_t size);
const char *format_names(void); /* "pprof, collapsed, ..." for messages */
/* The one that a file's name asks for by its ending, in any case; NULL: by none. Pure. */
const struct format *format_by_ending(const char *path);
const char *format_endings(void); /* ".pb.gz, .pprof, ..." for messages */
