/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/dict.h"

#include <assert.h>
#include <stdbool.h>

#include "python/module.h"
#include "util/index.h"

/*
 * Items lie in chunks that never move, so that what dict_get_*() returned stays valid. Strings and
 * the frame lists of stacks lie in an arena. Each kind has an index.
 */
#define CHUNK_SHIFT 9
#define CHUNK_ITEMS (1u << CHUNK_SHIFT)
#define ARENA_BLOCK (32 * 1024)

struct pool {
	char **chunks;
	uint32_t n, nchunks;
	size_t item;
};

struct block {
	struct block *next;
	size_t size, used;
	char data[];
};

struct text {
	const char *s;
	uint32_t size;
};

struct dict {
	struct pool texts, functions, frames, stacks;
	struct index text_index, function_index, frame_index, stack_index;
	struct block *arena;
	size_t bytes, content;
	bool frozen;
	struct dict *of;     /* of a snapshot: whose chunks it has; NULL: its own */
	uint32_t nsnapshots; /* that are there */
	bool freed;          /* by its owner; it goes with its last snapshot */
};

static void *pool_get(const struct pool *p, uint32_t i)
{
	return p->chunks[i >> CHUNK_SHIFT] + (size_t)(i & (CHUNK_ITEMS - 1)) * p->item;
}

static int pool_push(struct dict *d, struct pool *p, const void *item, uint32_t *ret)
{
	if (p->n == UINT32_MAX - 1)
		return -ENOMEM;
	if (p->n >> CHUNK_SHIFT == p->nchunks) {
		char **chunks;
		char *chunk;

		chunks = realloc(p->chunks, ((size_t)p->nchunks + 1) * sizeof(*chunks));
		if (!chunks)
			return -ENOMEM;
		p->chunks = chunks;
		chunk = malloc(CHUNK_ITEMS * p->item);
		if (!chunk)
			return -ENOMEM;
		p->chunks[p->nchunks++] = chunk;
		d->bytes += CHUNK_ITEMS * p->item + sizeof(*chunks);
	}
	memcpy(pool_get(p, p->n), item, p->item);
	d->content += p->item + sizeof(struct index_slot);
	*ret = p->n++;
	return 0;
}

/* The pool as it is, with the same chunks. */
static int pool_snapshot(const struct pool *p, struct pool *to)
{
	*to = *p;
	/* one more: there may be none */
	to->chunks = malloc(((size_t)p->nchunks + 1) * sizeof(*to->chunks));
	if (!to->chunks)
		return -ENOMEM;
	if (p->nchunks > 0)
		memcpy(to->chunks, p->chunks, p->nchunks * sizeof(*to->chunks));
	return 0;
}

static void pool_done(struct pool *p)
{
	for (uint32_t i = 0; i < p->nchunks; i++)
		free(p->chunks[i]);
	free(p->chunks);
}

/* The id of the item for which same(item, key) holds. */
static inline __attribute__((always_inline)) bool
find(const struct index *x, const struct pool *p, uint32_t hash,
     bool (*same)(const void *item, const void *key), const void *key, uint32_t *ret)
{
	uint32_t id;

	for (uint32_t at = index_start(x, hash); index_next(x, hash, &at, &id);) {
		if (same(pool_get(p, id), key)) {
			*ret = id;
			return true;
		}
	}
	return false;
}

/* Adds an item that is not there. */
static int add(struct dict *d, struct index *x, struct pool *p, uint32_t hash, const void *item,
	       uint32_t *ret)
{
	int r = index_reserve(x, 1);

	if (r == 0)
		r = pool_push(d, p, item, ret);
	if (r == 0)
		index_add(x, hash, *ret);
	return r;
}

/* Takes size bytes of the arena, aligned to 4. */
static void *arena_take(struct dict *d, size_t size)
{
	struct block *b = d->arena;
	void *p;

	size = (size + 3) & ~(size_t)3;
	if (!b || b->size - b->used < size) {
		size_t room = MAX(size, (size_t)ARENA_BLOCK);
		struct block *fresh = malloc(sizeof(*fresh) + room);

		if (!fresh)
			return NULL;
		fresh->size = room;
		fresh->used = 0;
		d->bytes += sizeof(*fresh) + room;
		/* One large item must not end the use of a block that is nearly empty. */
		if (b && room > ARENA_BLOCK) {
			fresh->next = b->next;
			b->next = fresh;
		} else {
			fresh->next = b;
			d->arena = fresh;
		}
		b = fresh;
	}
	p = b->data + b->used;
	b->used += size;
	d->content += size;
	return p;
}

static bool text_same(const void *item, const void *key)
{
	const struct text *a = item, *b = key;

	return a->size == b->size && memcmp(a->s, b->s, a->size) == 0;
}

int dict_text(struct dict *d, const char *s, uint32_t *ret)
{
	size_t size = strlen(s);
	struct text t;
	uint32_t hash, id;
	char *copy;
	int r;

	if (size >= UINT32_MAX)
		return -ENOMEM;
	t = (struct text){ s, (uint32_t)size };
	hash = index_hash_bytes(s, size);
	if (!find(&d->text_index, &d->texts, hash, text_same, &t, &id)) {
		if (d->frozen)
			return -ENOSPC;
		copy = arena_take(d, size + 1);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, s, size + 1);
		t.s = copy;
		r = add(d, &d->text_index, &d->texts, hash, &t, &id);
		if (r < 0)
			return r;
	}
	*ret = id;
	return 0;
}

const char *dict_get_text(const struct dict *d, uint32_t id)
{
	assert(id < d->texts.n);
	return ((const struct text *)pool_get(&d->texts, id))->s;
}

/* Interns a string: equal strings get the same pointer. */
static int text_intern(struct dict *d, const char *s, const char **ret)
{
	uint32_t id;
	int r = dict_text(d, s, &id);

	if (r == 0)
		*ret = dict_get_text(d, id);
	return r;
}

int dict_new(struct dict **ret)
{
	struct dict *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->texts.item = sizeof(struct text);
	d->functions.item = sizeof(struct dict_function);
	d->frames.item = sizeof(struct dict_frame);
	d->stacks.item = sizeof(struct dict_stack);
	d->bytes = sizeof(*d);
	*ret = d;
	return 0;
}

static void snapshot_free(struct dict *d)
{
	struct dict *of = d->of;

	free(d->texts.chunks);
	free(d->functions.chunks);
	free(d->frames.chunks);
	free(d->stacks.chunks);
	free(d);
	of->nsnapshots--;
	if (of->freed)
		dict_free(of);
}

int dict_snapshot(struct dict *d, struct dict **ret)
{
	struct dict *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	assert(!d->of);
	s->of = d;
	s->frozen = true;
	s->bytes = sizeof(*s);
	d->nsnapshots++;
	r = pool_snapshot(&d->texts, &s->texts);
	if (r == 0)
		r = pool_snapshot(&d->functions, &s->functions);
	if (r == 0)
		r = pool_snapshot(&d->frames, &s->frames);
	if (r == 0)
		r = pool_snapshot(&d->stacks, &s->stacks);
	if (r < 0) {
		snapshot_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void dict_free(struct dict *d)
{
	if (!d)
		return;
	if (d->of) {
		snapshot_free(d);
		return;
	}
	d->freed = true;
	if (d->nsnapshots > 0)
		return;
	for (struct block *b = d->arena, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	pool_done(&d->texts);
	pool_done(&d->functions);
	pool_done(&d->frames);
	pool_done(&d->stacks);
	index_done(&d->text_index);
	index_done(&d->function_index);
	index_done(&d->frame_index);
	index_done(&d->stack_index);
	free(d);
}

void dict_freeze(struct dict *d, bool frozen)
{
	d->frozen = frozen;
}

/* Finds the item in its index or adds it. */
static int intern(struct dict *d, struct index *x, struct pool *p, uint32_t hash,
		  bool (*same)(const void *item, const void *key), const void *item, uint32_t *ret)
{
	if (find(x, p, hash, same, item, ret))
		return 0;
	return d->frozen ? -ENOSPC : add(d, x, p, hash, item, ret);
}

/* Strings are interned, so equal ones have equal addresses. */
static bool function_same(const void *item, const void *key)
{
	const struct dict_function *a = item, *b = key;

	return a->name == b->name && a->module == b->module && a->file == b->file &&
	       a->line == b->line && a->kind == b->kind;
}

int dict_function(struct dict *d, const struct dict_function *f, uint32_t *ret)
{
	bool synthetic = f->kind == PLOP_FRAME_SYNTHETIC;
	struct dict_function own = { .line = synthetic ? 0 : f->line, .kind = f->kind };
	char module[PLOP_MAX_MODULE] = "";
	uint32_t hash;
	int r;

	if (f->kind == PLOP_FRAME_PYTHON)
		python_module(f->file, module);
	r = text_intern(d, f->name, &own.name);
	if (r == 0)
		r = text_intern(d, synthetic ? "" : f->file, &own.file);
	if (r == 0)
		r = text_intern(d,
				f->kind == PLOP_FRAME_NATIVE || f->kind == PLOP_FRAME_KERNEL ?
					f->module :
					module,
				&own.module);
	if (r < 0)
		return r;
	hash = index_hash(index_hash((uintptr_t)own.name, (uintptr_t)own.file),
			  index_hash((uintptr_t)own.module,
				     (uint64_t)own.kind << 32 | (uint32_t)own.line));
	return intern(d, &d->function_index, &d->functions, hash, function_same, &own, ret);
}

int dict_python(struct dict *d, const char *name, const char *file, int line, uint32_t *ret)
{
	const struct dict_function f = {
		.name = name, .file = file, .line = line, .kind = PLOP_FRAME_PYTHON
	};

	return dict_function(d, &f, ret);
}

int dict_synthetic(struct dict *d, const char *name, uint32_t *ret)
{
	const struct dict_function f = { .name = name, .kind = PLOP_FRAME_SYNTHETIC };
	uint32_t function;
	int r = dict_function(d, &f, &function);

	return r < 0 ? r : dict_frame(d, function, 0, ret);
}

static bool frame_same(const void *item, const void *key)
{
	const struct dict_frame *a = item, *b = key;

	return a->function == b->function && a->line == b->line;
}

int dict_frame(struct dict *d, uint32_t function, int line, uint32_t *ret)
{
	struct dict_frame f = { function, line };

	assert(function < d->functions.n);
	return intern(d, &d->frame_index, &d->frames, index_hash(function, (uint32_t)line),
		      frame_same, &f, ret);
}

static bool stack_same(const void *item, const void *key)
{
	const struct dict_stack *a = item, *b = key;

	return a->depth == b->depth &&
	       (!a->depth || memcmp(a->frames, b->frames, a->depth * sizeof(*a->frames)) == 0);
}

int dict_stack(struct dict *d, const uint32_t *frames, uint32_t depth, uint32_t *ret)
{
	struct dict_stack s = { frames, depth };
	size_t size = (size_t)depth * sizeof(*frames);
	uint32_t hash = index_hash_bytes(frames, size);
	uint32_t *copy;

	if (find(&d->stack_index, &d->stacks, hash, stack_same, &s, ret))
		return 0;
	if (d->frozen)
		return -ENOSPC;
	copy = arena_take(d, size);
	if (!copy)
		return -ENOMEM;
	for (uint32_t i = 0; i < depth; i++) {
		assert(frames[i] < d->frames.n);
		copy[i] = frames[i];
	}
	s.frames = copy;
	return add(d, &d->stack_index, &d->stacks, hash, &s, ret);
}

uint32_t dict_texts(const struct dict *d)
{
	return d->texts.n;
}

uint32_t dict_functions(const struct dict *d)
{
	return d->functions.n;
}

uint32_t dict_frames(const struct dict *d)
{
	return d->frames.n;
}

uint32_t dict_stacks(const struct dict *d)
{
	return d->stacks.n;
}

const struct dict_function *dict_get_function(const struct dict *d, uint32_t id)
{
	assert(id < d->functions.n);
	return pool_get(&d->functions, id);
}

const struct dict_frame *dict_get_frame(const struct dict *d, uint32_t id)
{
	assert(id < d->frames.n);
	return pool_get(&d->frames, id);
}

const struct dict_stack *dict_get_stack(const struct dict *d, uint32_t id)
{
	assert(id < d->stacks.n);
	return pool_get(&d->stacks, id);
}

size_t dict_bytes(const struct dict *d)
{
	return d->bytes + index_bytes(&d->text_index) + index_bytes(&d->function_index) +
	       index_bytes(&d->frame_index) + index_bytes(&d->stack_index);
}

size_t dict_content(const struct dict *d)
{
	return d->content;
}
