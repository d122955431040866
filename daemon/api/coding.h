/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/macro.h"

/*
 * Content coding gzip of answers (RFC 9110, section 8.4), made piece by piece: one piece holds the
 * loop up for a moment only, and no second copy of an answer waits for its client. One coding under
 * way takes some 270 KB (zlib.h: windowBits and memLevel).
 */
struct coding;

/*
 * Whether a client's header Accept-Encoding (NULL: it has sent none) takes gzip: section 12.5.3.
 * Pure.
 */
bool coding_takes_gzip(const char *accept);

/* -ENOMEM. */
int coding_new(struct coding **ret);
void coding_free(struct coding *c);
DEFINE_FREEP(struct coding, coding_free)

enum coding_end {
	CODING_MORE,  /* more follows this piece */
	CODING_FLUSH, /* ... but not soon: all of it is to be read now */
	CODING_LAST,
};

/*
 * Codes from *data on, of which there are *size bytes; both tell what is left after. Writes at most
 * room bytes to out and returns how many. room: CODING_ROOM or more, as a flush would never end in
 * less (zlib.h: deflate()). *ret_done: all was taken, and of CODING_FLUSH and CODING_LAST all is
 * out; before that, call it again with the same end.
 */
#define CODING_ROOM 7
size_t coding_run(struct coding *c, const char **data, size_t *size, enum coding_end end, char *out,
		  size_t room, bool *ret_done);
