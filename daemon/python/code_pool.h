/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/python.h"

/*
 * Code objects that are alike, whichever process they were read from, kept once: the workers of a
 * service, and all programs that use a library, have the same ones. All zero is an empty pool. It
 * holds no references: a code object leaves it with its last one, so all of them have to go before
 * the pool does. Not thread-safe, nor are the references of code objects.
 */
struct code_pool {
	struct code_object **buckets; /* chains, by hash; NULL: none yet */
	uint32_t size;                /* of buckets, a power of two, or 0 */
	uint32_t n;                   /* code objects */
	size_t name_bytes;            /* what their names and files take */
	size_t line_bytes;            /* ... their line tables */
};

/*
 * The one of the pool that is like c, with a reference more, in place of c, whose reference goes;
 * or c itself, which is in the pool from then on. Without memory c is returned as it is. One of
 * free-threaded builds, which knows where its process has copies of it, is never shared.
 */
struct code_object *code_pool_share(struct code_pool *p, struct code_object *c);
/* For code_object_unref(): c has no references any more. */
void code_pool_leave(struct code_object *c);
/* Frees what an empty pool holds. */
void code_pool_done(struct code_pool *p);

/* What a code object takes, near enough: malloc() adds a word to each part, and rounds up. */
size_t code_object_name_bytes(const struct code_object *c);
size_t code_object_line_bytes(const struct code_object *c);
