/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * The blobs of plop.db are unsigned LEB128 numbers, one after the other. What comes out of a file
 * is not trusted: readers stop at the first number that is cut or too large.
 */
void packed_put(struct buf *b, uint64_t v);
/* Signed numbers near 0 in few bytes: 0, -1, 1, -2 ... */
void packed_put_signed(struct buf *b, int64_t v);

struct packed {
	const uint8_t *at, *end;
};
/* -EBADMSG: no whole number is left. */
int packed_get_long(struct packed *p, uint64_t *ret);
/* The same; most numbers are of one byte. */
static inline int packed_get(struct packed *p, uint64_t *ret)
{
	if (p->at == p->end || *p->at >= 0x80)
		return packed_get_long(p, ret);
	*ret = *p->at++;
	return 0;
}
int packed_get_signed(struct packed *p, int64_t *ret);
