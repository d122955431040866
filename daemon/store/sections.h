/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/packed.h"

/*
 * A blob of plop.db in several sections: what is alike lies together, so that it packs well. The
 * blob is the size of each section (LEB128), and then all of them, deflated (zlib, RFC 1950).
 */
#define SECTIONS_MOST 12
/* Bytes that all sections of a blob may have together. */
#define SECTIONS_BYTES_MAX (64u << 20)

struct sections {
	unsigned int n; /* set by the user, SECTIONS_MOST at most */
	struct buf parts[SECTIONS_MOST];
};
size_t sections_size(const struct sections *s);
void sections_clear(struct sections *s);
void sections_done(struct sections *s);
/* Replaces what is in to. -ENOMEM; -E2BIG: more than SECTIONS_BYTES_MAX. */
int sections_pack(const struct sections *s, struct buf *to);

struct unpacked {
	uint8_t *data; /* owned */
	size_t size;
	struct packed parts[SECTIONS_MOST];
};
/* The first of a blob of n sections, the others empty. -EBADMSG: it is none; -ENOMEM. */
int sections_unpack_first(const void *data, size_t size, unsigned int n, struct unpacked *ret);
/* All of them. */
int sections_unpack(const void *data, size_t size, unsigned int n, struct unpacked *ret);
void unpacked_done(struct unpacked *u);
