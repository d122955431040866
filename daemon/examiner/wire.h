/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "util/buf.h"

/*
 * What plopd and its helpers say to each other: values one after the other, as they lie in memory,
 * since both are the same program on the same machine. A text is its length (32 bits) and its
 * bytes.
 */
void pack_bytes(struct buf *b, const void *data, size_t size);
void pack_u32(struct buf *b, uint32_t value);
/* NULL is kept apart from "". */
void pack_text(struct buf *b, const char *text);

/*
 * Takes values from a message. After the first that is not there whole, error is -EBADMSG and all
 * others are 0.
 */
struct unpack {
	const char *data;
	size_t size;
	int error;
	struct buf *message; /* what holds the data, for whoever wants to keep it; or NULL */
};
/* NULL, with error set, if there are fewer than size bytes left; else they stay the message's. */
const void *unpack_take(struct unpack *u, size_t size);
void unpack_bytes(struct unpack *u, void *ret, size_t size);
uint32_t unpack_u32(struct unpack *u);
/* A copy, owned by the caller, or NULL: it was NULL, or error is set (-ENOMEM, -EBADMSG). */
char *unpack_text(struct unpack *u);
