/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>

#include "plop/limits.h"
#include "python/code_pool.h"
#include "python/object.h"
#include "util/index.h"

#define BUCKETS_MIN 256
/* Of one allocation: a word in front, and rounded up to 16 bytes in the mean. */
#define MALLOC_BYTES 16

size_t code_object_name_bytes(const struct code_object *c)
{
	return sizeof(*c) + strlen(c->file) + strlen(c->name) + 3 * MALLOC_BYTES;
}

size_t code_object_line_bytes(const struct code_object *c)
{
	return c->linetable ? c->linetable_size + MALLOC_BYTES : 0;
}

static uint32_t hash_of(const char *name, size_t name_length, const char *file, size_t file_length,
			int firstlineno)
{
	uint64_t names = (uint64_t)index_hash_bytes(name, name_length) << 32 |
			 index_hash_bytes(file, file_length);

	return index_hash(names, (uint32_t)firstlineno);
}

static bool is_alike(const struct code_object *a, const struct code_object *b)
{
	return a->hash == b->hash && a->firstlineno == b->firstlineno && a->version == b->version &&
	       a->linetable_size == b->linetable_size && a->linetable_cut == b->linetable_cut &&
	       a->name_cut == b->name_cut && a->compiled == b->compiled &&
	       streq(a->name, b->name) && streq(a->file, b->file) &&
	       (a->linetable_size == 0 ||
		memcmp(a->linetable, b->linetable, a->linetable_size) == 0);
}

static struct code_object **bucket(const struct code_pool *p, uint32_t hash)
{
	return &p->buckets[hash & (p->size - 1)];
}

/* Room for one more; a pool that cannot grow has longer chains. */
static int grow(struct code_pool *p)
{
	struct code_pool grown = *p;

	if (p->n < p->size)
		return 0;
	grown.size = p->size ? 2 * p->size : BUCKETS_MIN;
	grown.buckets = calloc(grown.size, sizeof(*grown.buckets));
	if (!grown.buckets)
		return p->buckets ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < p->size; i++) {
		struct code_object *c, *next;

		for (c = p->buckets[i]; c; c = next) {
			next = c->next;
			c->next = *bucket(&grown, c->hash);
			*bucket(&grown, c->hash) = c;
		}
	}
	free(p->buckets);
	*p = grown;
	return 0;
}

struct code_object *code_pool_share(struct code_pool *p, struct code_object *c)
{
	if (c->copied || c->pool || grow(p) < 0)
		return c;
	c->hash = hash_of(c->name, strlen(c->name), c->file, strlen(c->file), c->firstlineno);
	for (struct code_object *k = *bucket(p, c->hash); k; k = k->next) {
		if (is_alike(k, c)) {
			code_object_unref(c);
			return code_object_ref(k);
		}
	}
	c->pool = p;
	c->next = *bucket(p, c->hash);
	*bucket(p, c->hash) = c;
	p->n++;
	p->name_bytes += code_object_name_bytes(c);
	p->line_bytes += code_object_line_bytes(c);
	return c;
}

/* Whether a whole str is what its text will be: then it need not be made. */
static bool is_plain(const struct python_string *s, size_t max_chars)
{
	if (!s->ascii || s->kind != 1 || s->bytes != s->length || s->bytes > max_chars)
		return false;
	for (uint64_t i = 0; i < s->bytes; i++) {
		const char c = ((const char *)s->data)[i];

		if (c < ' ' || c > '~')
			return false;
	}
	return true;
}

static bool is_text(const char *text, const struct python_string *s)
{
	return strncmp(text, s->data, s->bytes) == 0 && text[s->bytes] == '\0';
}

struct code_object *code_pool_find(const struct code_pool *p, const struct plop_layout *l,
				   int firstlineno, const struct python_string *file,
				   const struct python_string *name, const void *linetable,
				   size_t linetable_size)
{
	uint32_t hash;

	if (p->n == 0 || linetable_size == 0 || !is_plain(file, PLOP_MAX_FILE_CHARS) ||
	    !is_plain(name, PLOP_MAX_NAME_CHARS))
		return NULL;
	hash = hash_of(name->data, name->bytes, file->data, file->bytes, firstlineno);
	for (struct code_object *k = *bucket(p, hash); k; k = k->next) {
		if (k->hash == hash && k->firstlineno == firstlineno && k->version == l->version &&
		    !k->name_cut && !k->linetable_cut && k->linetable_size == linetable_size &&
		    is_text(k->name, name) && is_text(k->file, file) &&
		    memcmp(k->linetable, linetable, linetable_size) == 0)
			return code_object_ref(k);
	}
	return NULL;
}

void code_pool_leave(struct code_object *c)
{
	struct code_pool *p = c->pool;
	struct code_object **at;

	if (!p)
		return;
	at = bucket(p, c->hash);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	p->n--;
	p->name_bytes -= code_object_name_bytes(c);
	p->line_bytes -= code_object_line_bytes(c);
	c->pool = NULL;
}

struct code_waste {
	struct code_waste *next;
	uint32_t n;
	struct code_object *codes[];
};

void code_goers_begin(struct code_goers *g, struct code_pool *pool, uint32_t n)
{
	*g = (struct code_goers){ .pool = pool };
	if (pool && n > 0)
		g->waste = malloc(sizeof(*g->waste) + n * sizeof(g->waste->codes[0]));
	if (g->waste)
		*g->waste = (struct code_waste){};
}

void code_goers_add(struct code_goers *g, struct code_object *c)
{
	if (!g->waste)
		code_object_unref(c);
	else if (c)
		g->waste->codes[g->waste->n++] = c;
}

void code_goers_end(struct code_goers *g)
{
	struct code_waste *waste = TAKE_PTR(g->waste);

	if (!waste)
		return;
	waste->next = g->pool->waste;
	g->pool->waste = waste;
}

bool code_pool_reap(struct code_pool *p, uint32_t most)
{
	for (struct code_waste *waste = p->waste; waste; waste = p->waste) {
		for (; waste->n > 0 && most > 0; most--)
			code_object_unref(waste->codes[--waste->n]);
		if (waste->n > 0)
			return true;
		p->waste = waste->next;
		free(waste);
	}
	return false;
}

void code_pool_done(struct code_pool *p)
{
	code_pool_reap(p, UINT32_MAX);
	assert(p->n == 0);
	free(p->buckets);
	*p = (struct code_pool){};
}
