/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/python.h"

/*
 * Code objects that are alike, whichever process they were read from, kept once: the workers of a
 * service, and all programs that use a library, have the same ones. All zero is an empty pool. It
 * holds no references: a code object leaves it with its last one, so all of them have to go before
 * the pool does. Not thread-safe, nor are the references of code objects.
 *
 * Many references that go at once, of a process that ended or of a window, are its waste first:
 * what they are of is freed some at a time, as that takes up to a microsecond each.
 */
struct code_waste;
struct code_pool {
	struct code_object **buckets; /* chains, by hash; NULL: none yet */
	uint32_t size;                /* of buckets, a power of two, or 0 */
	uint32_t n;                   /* code objects */
	size_t name_bytes;            /* what their names and files take */
	size_t line_bytes;            /* ... their line tables */
	struct code_waste *waste;     /* NULL: none */
};

/*
 * The one of the pool that is like c, with a reference more, in place of c, whose reference goes;
 * or c itself, which is in the pool from then on. Without memory c is returned as it is. One of
 * free-threaded builds, which knows where its process has copies of it, is never shared.
 */
struct code_object *code_pool_share(struct code_pool *p, struct code_object *c);
/*
 * The one of the pool, with a reference more, that code_object_new() would make the like of: from a
 * file and a name of printable ASCII, none of it cut, and a whole line table that is not empty.
 * NULL: there is none, or it is of another kind.
 */
struct python_string;
struct code_object *code_pool_find(const struct code_pool *p, const struct plop_layout *l,
				   int firstlineno, const struct python_string *file,
				   const struct python_string *name, const void *linetable,
				   size_t linetable_size);
/* For code_object_unref(): c has no references any more. */
void code_pool_leave(struct code_object *c);
/*
 * References that are to go: begun for n of them at most, added one by one (NULL is none), and
 * handed over. pool NULL, or no memory: each goes when it is added.
 */
struct code_goers {
	struct code_pool *pool;
	struct code_waste *waste;
};
void code_goers_begin(struct code_goers *g, struct code_pool *pool, uint32_t n);
void code_goers_add(struct code_goers *g, struct code_object *c);
void code_goers_end(struct code_goers *g);
/* Gives up as many references of the waste at most. Returns whether there are more. */
bool code_pool_reap(struct code_pool *p, uint32_t most);

/* Frees what an empty pool holds, and its waste before. */
void code_pool_done(struct code_pool *p);

/* What a code object takes, near enough: malloc() adds a word to each part, and rounds up. */
size_t code_object_name_bytes(const struct code_object *c);
size_t code_object_line_bytes(const struct code_object *c);
