/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/rename.h"

#include <math.h>

#include "diff/identity.h"
#include "util/array.h"

/* A line that is farther from the first one is not believed. */
#define FARTHEST 1000000
/* Of a function's samples, those that may be on no known line: some of its code is of none. */
#define UNKNOWN_MOST 0.1

#define NONE UINT32_MAX

uint32_t rename_line(int first, int line)
{
	if (first <= 0 || line < first || line - first > FARTHEST)
		return LINE_UNKNOWN;
	return (uint32_t)(line - first) + 1;
}

/* Files, by what they are called in every version; those that have one root are one. */
struct files {
	char **names;      /* owned */
	uint32_t *parents; /* by file; a root is its own */
	uint32_t n, names_room, parents_room;
	struct index index;
};

static void files_done(struct files *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		free(f->names[i]);
	free(f->names);
	free(f->parents);
	index_done(&f->index);
}

static int files_add(struct files *f, const char *file, uint32_t *ret)
{
	_cleanup_free_ char *name = malloc(strlen(file) + 1);
	void *names = f->names, *parents = f->parents;
	uint32_t hash, i;
	int r;

	if (!name)
		return -ENOMEM;
	identity_of(file, name);
	hash = index_hash_bytes(name, strlen(name));
	for (uint32_t at = index_start(&f->index, hash); index_next(&f->index, hash, &at, &i);) {
		if (streq(f->names[i], name)) {
			*ret = i;
			return 0;
		}
	}
	r = array_reserve(&names, f->n, &f->names_room, sizeof(*f->names));
	if (r < 0)
		return r;
	f->names = names;
	r = array_reserve(&parents, f->n, &f->parents_room, sizeof(*f->parents));
	if (r < 0)
		return r;
	f->parents = parents;
	r = index_reserve(&f->index, 1);
	if (r < 0)
		return r;
	index_add(&f->index, hash, f->n);
	f->names[f->n] = TAKE_PTR(name);
	f->parents[f->n] = f->n;
	*ret = f->n++;
	return 0;
}

static uint32_t root_of(struct files *f, uint32_t file)
{
	while (f->parents[file] != file)
		file = f->parents[file] = f->parents[f->parents[file]];
	return file;
}

/* A function that is on one side alone. */
struct suspect {
	const struct match_function *function;
	uint32_t number, file, side;
	uint32_t begin, n; /* of its lines */
	double known, unknown;
	uint32_t near, nearest; /* on the other side: how many are, and one of them */
};

/* How much of it is on a line. */
struct on_line {
	uint32_t suspect, line;
	double samples;
};

struct search {
	struct rename_side *sides[2];
	uint32_t count;  /* of numbers */
	uint8_t *have;   /* by number: bit 0 it is in base, bit 1 it is new */
	uint32_t *files; /* by number: a file that it is in; NONE */
	uint32_t *which; /* by number: its suspect; NONE */
	struct files names;
	struct suspect *suspects;
	uint32_t nsuspects;
	struct on_line *lines;
	uint32_t nlines;
};
#define BOTH 3

static void search_done(struct search *s)
{
	free(s->have);
	free(s->files);
	free(s->which);
	files_done(&s->names);
	free(s->suspects);
	free(s->lines);
}

/* "<string>" is the name of many a file. */
static bool has_file(const struct match_function *f)
{
	return f->kind == PLOP_FRAME_PYTHON && *f->file && *f->file != '<';
}

/* Of what side each number is, and which files are one. */
static int find_files(struct search *s)
{
	for (uint32_t side = 0; side < 2; side++) {
		const struct rename_side *of = s->sides[side];

		for (uint32_t i = 0; i < of->n; i++) {
			uint32_t k = of->numbers[i], file;
			int r;

			s->have[k] |= (uint8_t)(1 << side);
			if (!has_file(&of->functions[i]))
				continue;
			r = files_add(&s->names, of->functions[i].file, &file);
			if (r < 0)
				return r;
			if (s->files[k] != NONE)
				s->names.parents[root_of(&s->names, file)] =
					root_of(&s->names, s->files[k]);
			s->files[k] = file;
		}
	}
	return 0;
}

static void find_suspects(struct search *s)
{
	for (uint32_t side = 0; side < 2; side++) {
		const struct rename_side *of = s->sides[side];

		for (uint32_t i = 0; i < of->n; i++) {
			uint32_t k = of->numbers[i];

			if (s->have[k] == BOTH || s->files[k] == NONE || s->which[k] != NONE)
				continue;
			s->which[k] = s->nsuspects;
			s->suspects[s->nsuspects++] =
				(struct suspect){ .function = &of->functions[i],
						  .number = k,
						  .file = root_of(&s->names, s->files[k]),
						  .side = side };
		}
	}
}

static int by_line(const void *a, const void *b)
{
	const struct on_line *x = a, *y = b;

	if (x->suspect != y->suspect)
		return x->suspect < y->suspect ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

/* The lines of all suspects, each once. */
static int find_lines(struct search *s)
{
	uint32_t n = 0;

	s->lines = calloc((size_t)s->sides[0]->lines->n + s->sides[1]->lines->n + 1,
			  sizeof(*s->lines));
	if (!s->lines)
		return -ENOMEM;
	for (uint32_t side = 0; side < 2; side++) {
		const struct rename_side *of = s->sides[side];

		for (uint32_t i = 0; i < of->lines->n; i++) {
			const struct pair *p = &of->lines->pairs[i];
			uint32_t k = s->which[of->numbers[p->a]];

			if (k == NONE)
				continue;
			if (p->b == LINE_UNKNOWN)
				s->suspects[k].unknown += p->samples;
			else
				s->lines[n++] = (struct on_line){ k, p->b, p->samples };
		}
	}
	qsort(s->lines, n, sizeof(*s->lines), by_line);
	for (uint32_t i = 0; i < n; i++) {
		struct on_line *last = s->nlines ? &s->lines[s->nlines - 1] : NULL;
		struct suspect *k = &s->suspects[s->lines[i].suspect];

		k->known += s->lines[i].samples;
		if (last && by_line(last, &s->lines[i]) == 0) {
			last->samples += s->lines[i].samples;
			continue;
		}
		if (!k->n++)
			k->begin = s->nlines;
		s->lines[s->nlines++] = s->lines[i];
	}
	return 0;
}

/* Whether its lines tell it from other functions. */
static bool is_distinct(const struct search *s, const struct suspect *k)
{
	uint32_t lines = 0;

	for (uint32_t i = k->begin; i < k->begin + k->n; i++)
		lines += s->lines[i].samples >= RENAME_LINE_SHARE * k->known;
	return k->known >= RENAME_SAMPLES && lines >= RENAME_LINES &&
	       k->unknown <= UNKNOWN_MOST * (k->known + k->unknown);
}

/* By how much the shares of the lines of two differ: 0 not at all, 1 they have none in common. */
static double distance(const struct search *s, const struct suspect *a, const struct suspect *b)
{
	uint32_t i = a->begin, k = b->begin;
	double sum = 0;

	while (i < a->begin + a->n || k < b->begin + b->n) {
		uint32_t x = i < a->begin + a->n ? s->lines[i].line : NONE;
		uint32_t y = k < b->begin + b->n ? s->lines[k].line : NONE;
		double p = x <= y ? s->lines[i++].samples / a->known : 0;
		double q = y <= x ? s->lines[k++].samples / b->known : 0;

		sum += fabs(p - q);
	}
	return sum / 2;
}

static int by_file(const void *a, const void *b)
{
	const struct suspect *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->side != y->side)
		return x->side < y->side ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static void note_near(struct suspect *k, uint32_t other)
{
	k->near++;
	k->nearest = other;
}

/* Those of one file: gone ones from begin on, new ones from middle on. */
static void compare_file(struct search *s, uint32_t begin, uint32_t middle, uint32_t end)
{
	if (middle - begin > RENAME_FILE_MOST || end - middle > RENAME_FILE_MOST)
		return;
	for (uint32_t i = begin; i < middle; i++) {
		for (uint32_t k = middle; k < end; k++) {
			struct suspect *a = &s->suspects[i], *b = &s->suspects[k];

			if (!a->n || !b->n || distance(s, a, b) > RENAME_NEAR)
				continue;
			note_near(a, k);
			note_near(b, i);
		}
	}
}

static void compare_files(struct search *s)
{
	uint32_t end, middle;

	qsort(s->suspects, s->nsuspects, sizeof(*s->suspects), by_file);
	for (uint32_t begin = 0; begin < s->nsuspects; begin = end) {
		const struct suspect *first = &s->suspects[begin];

		for (middle = begin; middle < s->nsuspects &&
				     s->suspects[middle].file == first->file &&
				     s->suspects[middle].side == 0;)
			middle++;
		for (end = middle; end < s->nsuspects && s->suspects[end].file == first->file;)
			end++;
		compare_file(s, begin, middle, end);
	}
}

/* Whether a gone one is the new one that it is near to. */
static bool is_renamed(const struct search *s, const struct suspect *gone)
{
	const struct suspect *new = &s->suspects[gone->nearest];

	return gone->side == 0 && gone->near == 1 && new->near == 1 && is_distinct(s, gone) &&
	       is_distinct(s, new) && distance(s, gone, new) <= RENAME_AGREE &&
	       !streq(gone->function->name, new->function->name);
}

/* Gives each number the place that it has without those that became another. */
static uint32_t close_ranks(struct search *s, uint32_t *same, const char **was)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		if (same[i] != i)
			continue;
		was[n] = was[i];
		s->which[i] = n++;
	}
	for (uint32_t side = 0; side < 2; side++)
		for (uint32_t i = 0; i < s->sides[side]->n; i++)
			s->sides[side]->numbers[i] = s->which[same[s->sides[side]->numbers[i]]];
	return n;
}

static int search(struct search *s)
{
	size_t n = (size_t)s->count + 1;
	int r;

	s->have = calloc(n, sizeof(*s->have));
	s->files = malloc(n * sizeof(*s->files));
	s->which = malloc(n * sizeof(*s->which));
	s->suspects = calloc(n, sizeof(*s->suspects));
	if (!s->have || !s->files || !s->which || !s->suspects)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->count; i++)
		s->files[i] = s->which[i] = NONE;
	r = find_files(s);
	if (r < 0)
		return r;
	find_suspects(s);
	r = find_lines(s);
	if (r == 0)
		compare_files(s);
	return r;
}

int rename_functions(struct rename_side *base, struct rename_side *new, uint32_t count,
		     const char ***ret_was)
{
	_cleanup_(search_done) struct search s = { .sides = { base, new }, .count = count };
	_cleanup_free_ uint32_t *same = calloc((size_t)count + 1, sizeof(*same));
	_cleanup_free_ const char **was = calloc((size_t)count + 1, sizeof(*was));
	int r;

	if (!same || !was)
		return -ENOMEM;
	r = search(&s);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < count; i++)
		same[i] = i;
	for (uint32_t i = 0; i < s.nsuspects; i++) {
		const struct suspect *gone = &s.suspects[i];
		uint32_t number;

		if (!is_renamed(&s, gone))
			continue;
		number = s.suspects[gone->nearest].number;
		same[gone->number] = number;
		was[number] = gone->function->name;
	}
	r = (int)close_ranks(&s, same, was);
	*ret_was = TAKE_PTR(was);
	return r;
}
