/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/match.h"

#include <stdbool.h>

#include "diff/identity.h"
#include "util/index.h"
#include "util/macro.h"

/* A function's key is text: what has to be equal, each part with its end. */
static char *add_text(char *to, const char *text)
{
	return stpcpy(to, text) + 1;
}

static size_t key_most(const struct match_function *f)
{
	return strlen(f->name) + strlen(f->file) + strlen(f->module) + 4;
}

/*
 * What a key is made of. A number greater than 0: Python's functions by their file without that
 * folder of its path, counted from the last one on.
 */
enum {
	EXACT = -1,
	LOOSE = 0, /* without what may differ from version to version */
};
#define FOLDERS 16 /* that are left out, each in its turn */

/* Where the path of a file has that folder, counted from the last one on; NULL: it has it not. */
static const char *folder_of(const char *file, int number, size_t *ret_size)
{
	const char *end = strrchr(file, '/'), *begin = end;

	if (*file != '/')
		return NULL;
	for (; number > 0; number--) {
		end = begin;
		if (end == file)
			return NULL;
		do
			begin--;
		while (*begin != '/');
	}
	*ret_size = (size_t)(end - begin);
	return begin;
}

/* Returns the key's end. */
static char *add_key(char *to, const struct match_function *f, int by)
{
	const char *folder;
	size_t size;

	*to++ = (char)('0' + f->kind);
	to = add_text(to, f->name);
	if (by == EXACT)
		to = add_text(to, f->file);
	if (by == EXACT || f->kind != PLOP_FRAME_PYTHON)
		return add_text(to, f->module);
	folder = by > LOOSE ? folder_of(f->file, by, &size) : NULL;
	if (folder) {
		to = mempcpy(to, f->file, (size_t)(folder - f->file));
		return add_text(to, folder + size);
	}
	identity_of(f->file, to);
	return to + strlen(to) + 1;
}

/* The keys of n functions, in one block; keys that are equal have one number. */
struct keys {
	char *text;
	size_t *at;        /* n + 1 of them: where each begins, and the end */
	uint32_t *numbers; /* from 0 on, in order of first sight */
	uint32_t count;    /* of numbers */
	struct index index;
};

static void keys_done(struct keys *k)
{
	free(k->text);
	free(k->at);
	free(k->numbers);
	index_done(&k->index);
}

static uint32_t hash_key(const struct keys *k, uint32_t i)
{
	return index_hash_bytes(k->text + k->at[i], k->at[i + 1] - k->at[i]);
}

static bool is_equal(const struct keys *k, uint32_t i, uint32_t j)
{
	size_t size = k->at[i + 1] - k->at[i];

	return k->at[j + 1] - k->at[j] == size &&
	       memcmp(k->text + k->at[i], k->text + k->at[j], size) == 0;
}

static void number_key(struct keys *k, uint32_t i)
{
	uint32_t hash = hash_key(k, i), j;

	for (uint32_t at = index_start(&k->index, hash); index_next(&k->index, hash, &at, &j);) {
		if (is_equal(k, i, j)) {
			k->numbers[i] = k->numbers[j];
			return;
		}
	}
	index_add(&k->index, hash, i);
	k->numbers[i] = k->count++;
}

/* All zero before. keys_done() is due also after -ENOMEM. */
static int keys_fill(struct keys *k, const struct match_function *const *f, uint32_t n, int by)
{
	size_t size = 1;
	char *to;
	int r;

	for (uint32_t i = 0; i < n; i++)
		size += key_most(f[i]);
	k->text = malloc(size);
	k->at = calloc((size_t)n + 1, sizeof(*k->at));
	k->numbers = calloc((size_t)n + 1, sizeof(*k->numbers));
	r = index_reserve(&k->index, n);
	if (r < 0 || !k->text || !k->at || !k->numbers)
		return -ENOMEM;
	to = k->text;
	for (uint32_t i = 0; i < n; i++) {
		to = add_key(to, f[i], by);
		k->at[i + 1] = to - k->text;
	}
	for (uint32_t i = 0; i < n; i++)
		number_key(k, i);
	return 0;
}

/* Functions of both sides: those of base, and behind them the new ones. */
struct both {
	const struct match_function **functions;
	uint32_t *numbers; /* of the functions */
	uint8_t *sides;    /* by number: bit 0 it is in base, bit 1 it is new */
	uint32_t n, nbase;
	uint32_t count; /* of numbers */
};
#define SIDES_BOTH 3

static void both_done(struct both *b)
{
	free(b->functions);
	free(b->numbers);
	free(b->sides);
}

static int match_exactly(struct both *b)
{
	_cleanup_(keys_done) struct keys k = {};
	int r = keys_fill(&k, b->functions, b->n, EXACT);

	if (r < 0)
		return r;
	memcpy(b->numbers, k.numbers, b->n * sizeof(*b->numbers));
	b->count = k.count;
	for (uint32_t i = 0; i < b->n; i++)
		b->sides[b->numbers[i]] |= i < b->nbase ? 1 : 2;
	return 0;
}

/* Those that are left on one side: a key that is there on both makes one of all that have it. */
static int match_loosely(struct both *b)
{
	_cleanup_(keys_done) struct keys k = {};
	_cleanup_free_ const struct match_function **left = calloc((size_t)b->n + 1, sizeof(*left));
	_cleanup_free_ uint32_t *which = calloc((size_t)b->n + 1, sizeof(*which));
	_cleanup_free_ uint8_t *sides = calloc((size_t)b->n + 1, sizeof(*sides));
	/* by key: the number that all of it get, + 1 */
	_cleanup_free_ uint32_t *numbers = calloc((size_t)b->n + 1, sizeof(*numbers));
	uint32_t n = 0;
	int r;

	if (!left || !which || !sides || !numbers)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->n; i++) {
		if (b->sides[b->numbers[i]] == SIDES_BOTH)
			continue;
		which[n] = i;
		left[n++] = b->functions[i];
	}
	r = keys_fill(&k, left, n, LOOSE);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++)
		sides[k.numbers[i]] |= b->sides[b->numbers[which[i]]];
	for (uint32_t i = 0; i < n; i++) {
		uint32_t key = k.numbers[i], *number = &b->numbers[which[i]];

		if (sides[key] != SIDES_BOTH)
			continue;
		if (!numbers[key])
			numbers[key] = *number + 1;
		*number = numbers[key] - 1;
		b->sides[*number] = SIDES_BOTH;
	}
	return 0;
}

/* Those that are left still: the one function of that key that is on both sides takes them in. */
static int join_left(struct both *b)
{
	_cleanup_(keys_done) struct keys k = {};
	/* by key: the number of that one + 1 */
	_cleanup_free_ uint32_t *numbers = calloc((size_t)b->n + 1, sizeof(*numbers));
	const uint32_t several = UINT32_MAX;
	int r;

	if (!numbers)
		return -ENOMEM;
	r = keys_fill(&k, b->functions, b->n, LOOSE);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t *number = &numbers[k.numbers[i]];

		if (b->sides[b->numbers[i]] != SIDES_BOTH)
			continue;
		*number = !*number || *number == b->numbers[i] + 1 ? b->numbers[i] + 1 : several;
	}
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t number = numbers[k.numbers[i]];

		if (b->sides[b->numbers[i]] != SIDES_BOTH && number && number != several)
			b->numbers[i] = number - 1;
	}
	return 0;
}

/* What has a key, by side: 0 nothing, a number + 1, or several. */
struct holders {
	uint32_t base, new;
};
#define SEVERAL UINT32_MAX

static void hold(uint32_t *holder, uint32_t number)
{
	*holder = !*holder || *holder == number + 1 ? number + 1 : SEVERAL;
}

/*
 * Those that are left still, and whose paths differ in one folder alone: the only one that there is
 * on each side.
 */
static int match_beside(struct both *b, int folder)
{
	_cleanup_(keys_done) struct keys k = {};
	_cleanup_free_ const struct match_function **left = calloc((size_t)b->n + 1, sizeof(*left));
	_cleanup_free_ uint32_t *which = calloc((size_t)b->n + 1, sizeof(*which));
	_cleanup_free_ struct holders *holders = calloc((size_t)b->n + 1, sizeof(*holders));
	uint32_t n = 0;
	size_t size;
	int r;

	if (!left || !which || !holders)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct match_function *f = b->functions[i];

		if (b->sides[b->numbers[i]] == SIDES_BOTH || f->kind != PLOP_FRAME_PYTHON ||
		    !folder_of(f->file, folder, &size))
			continue;
		which[n] = i;
		left[n++] = f;
	}
	r = keys_fill(&k, left, n, folder);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++) {
		struct holders *h = &holders[k.numbers[i]];

		hold(which[i] < b->nbase ? &h->base : &h->new, b->numbers[which[i]]);
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct holders *h = &holders[k.numbers[i]];

		if (!h->base || !h->new || h->base == SEVERAL || h->new == SEVERAL)
			continue;
		b->numbers[which[i]] = h->base - 1;
		b->sides[h->base - 1] = SIDES_BOTH;
	}
	return 0;
}

/* Leaves no number out. */
static int close_ranks(struct both *b)
{
	_cleanup_free_ uint32_t *ranks = calloc((size_t)b->count + 1, sizeof(*ranks));
	uint32_t n = 0;

	if (!ranks)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t *rank = &ranks[b->numbers[i]];

		if (!*rank)
			*rank = ++n;
		b->numbers[i] = *rank - 1;
	}
	b->count = n;
	return 0;
}

int match_functions(const struct match_function *base, uint32_t nbase,
		    const struct match_function *new, uint32_t nnew, uint32_t *base_numbers,
		    uint32_t *new_numbers)
{
	_cleanup_(both_done) struct both b = { .nbase = nbase };
	int r;

	if (nbase > MATCH_MOST || nnew > MATCH_MOST)
		return -E2BIG;
	b.n = nbase + nnew;
	b.functions = calloc((size_t)b.n + 1, sizeof(*b.functions));
	b.numbers = calloc((size_t)b.n + 1, sizeof(*b.numbers));
	b.sides = calloc((size_t)b.n + 1, sizeof(*b.sides));
	if (!b.functions || !b.numbers || !b.sides)
		return -ENOMEM;
	for (uint32_t i = 0; i < b.n; i++)
		b.functions[i] = i < nbase ? &base[i] : &new[i - nbase];
	r = match_exactly(&b);
	if (r == 0)
		r = match_loosely(&b);
	for (int folder = 1; r == 0 && folder <= FOLDERS; folder++)
		r = match_beside(&b, folder);
	if (r == 0)
		r = join_left(&b);
	if (r == 0)
		r = close_ranks(&b);
	if (r < 0)
		return r;
	memcpy(base_numbers, b.numbers, nbase * sizeof(*base_numbers));
	memcpy(new_numbers, b.numbers + nbase, nnew * sizeof(*new_numbers));
	return (int)b.count;
}

int match_alike(const struct match_function *functions, uint32_t n, uint32_t *numbers)
{
	_cleanup_free_ const struct match_function **each = calloc((size_t)n + 1, sizeof(*each));
	_cleanup_(keys_done) struct keys k = {};
	int r;

	if (n > MATCH_MOST)
		return -E2BIG;
	if (!each)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		each[i] = &functions[i];
	r = keys_fill(&k, each, n, LOOSE);
	if (r < 0)
		return r;
	memcpy(numbers, k.numbers, n * sizeof(*numbers));
	return (int)k.count;
}
