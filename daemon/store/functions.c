/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/functions.h"

#include "store/walk.h"

/* The note of a process (lexicon_note()): it was not looked at yet; or whether it is wanted. */
enum { NOTE_NONE, NOTE_LEFT_OUT, NOTE_WANTED };

struct functions_node {
	uint32_t parent;
	uint32_t number : 30;  /* of the function */
	uint32_t again : 1;    /* the function is above it as well */
	uint32_t released : 1; /* it is one without the GIL */
};
#define NUMBERS_MOST (1u << 30)

/* A set that may say of what is not in it that it is. */
struct sieve {
	uint64_t bits[2];
};

static void clear(struct functions *f)
{
	free(f->nodes);
	free(f->counts);
	free(f->calls);
	free(f->processes);
	f->nodes = NULL;
	f->counts = f->calls = f->processes = NULL;
	f->nnodes = f->nprocesses = 0;
	f->dictionary = 0;
}

void functions_done(struct functions *f)
{
	clear(f);
	sums_done(&f->sums);
	named_done(&f->named);
	window_done(&f->windows);
}

void functions_sum(struct functions *f)
{
	for (uint32_t i = f->nnodes; i > 0; i--) {
		const struct functions_node *n = &f->nodes[i];
		uint64_t count = f->counts[i];

		if (!count)
			continue;
		if (!n->again)
			f->sums.functions[n->number].total += count;
		f->counts[n->parent] += count;
		f->calls[i] += count;
		f->counts[i] = 0;
	}
	if (f->nnodes)
		f->counts[0] = 0;
}

static int tell_processes(struct functions *f)
{
	struct profile_process p;
	int r = 0;

	for (uint32_t i = 1; r == 0 && f->of->process && i <= f->nprocesses; i++) {
		if (!f->processes[i])
			continue;
		r = lexicon_process(&f->windows.lexicon, i, &p);
		if (r == 0)
			r = f->of->process(&p, f->processes[i], f->of->ctx);
		f->processes[i] = 0;
	}
	return r;
}

static int tell_line(struct functions *f, uint32_t node)
{
	int first, line, r = lexicon_line(&f->windows.lexicon, node, &first, &line);

	return r < 0 ? r :
		       f->of->line(f->nodes[node].number, first, line, f->calls[node], f->of->ctx);
}

int functions_tell(struct functions *f)
{
	int r = tell_processes(f);

	for (uint32_t i = 1; r == 0 && i <= f->nnodes; i++) {
		const struct functions_node *n = &f->nodes[i], *caller = &f->nodes[n->parent];

		if (!f->calls[i])
			continue;
		if (f->of->call && n->parent && caller->number != n->number)
			r = f->of->call(caller->number, n->number, f->calls[i], f->of->ctx);
		if (r == 0 && f->of->line)
			r = tell_line(f, i);
		f->calls[i] = 0;
	}
	return r;
}

/* Whether a function is that of one of the nodes from that one up. */
static bool is_above(const struct functions *f, uint32_t node, uint32_t number)
{
	for (; node; node = f->nodes[node].parent)
		if (f->nodes[node].number == number)
			return true;
	return false;
}

/* Those of a node's parent come first: it has the lower number. */
static int link_nodes(struct functions *f, const uint32_t *numbers, struct sieve *sieves)
{
	for (uint32_t i = 1; i <= f->nnodes; i++) {
		struct functions_node *n = &f->nodes[i];
		uint32_t parent, function, number, bit;
		int r = lexicon_node(&f->windows.lexicon, i, &parent, &function);

		if (r < 0)
			return r;
		number = numbers[function];
		bit = number % 128;
		sieves[i] = sieves[parent];
		*n = (struct functions_node){ .parent = parent, .number = number };
		n->released = (uint32_t)r & 1;
		n->again = (sieves[i].bits[bit / 64] >> bit % 64 & 1) &&
			   is_above(f, parent, number);
		sieves[i].bits[bit / 64] |= UINT64_C(1) << bit % 64;
	}
	return 0;
}

/* The numbers of all functions of the dictionary. */
static int number_all(struct functions *f, uint32_t n, uint32_t *numbers)
{
	uint32_t most = 0;

	for (uint32_t i = 1; i <= n; i++) {
		struct dict_function d;
		int r = lexicon_function(&f->windows.lexicon, i, &d);

		if (r == 0)
			r = f->of->number(&d, f->of->ctx, &numbers[i]);
		if (r < 0)
			return r;
		if (numbers[i] >= NUMBERS_MOST)
			return -E2BIG;
		most = MAX(most, numbers[i]);
	}
	return sums_hold(&f->sums, most);
}

static int load_nodes(struct functions *f)
{
	struct lexicon *l = &f->windows.lexicon;
	uint32_t functions = l->numbers[DICTIONARY_FUNCTIONS];
	_cleanup_free_ uint32_t *numbers = calloc((size_t)functions + 1, sizeof(*numbers));
	_cleanup_free_ struct sieve *sieves = NULL;
	int r;

	f->nnodes = l->numbers[DICTIONARY_NODES];
	f->nprocesses = l->numbers[DICTIONARY_PROCESSES];
	sieves = calloc((size_t)f->nnodes + 1, sizeof(*sieves));
	f->nodes = calloc((size_t)f->nnodes + 1, sizeof(*f->nodes));
	f->counts = calloc((size_t)f->nnodes + 1, sizeof(*f->counts));
	f->calls = calloc((size_t)f->nnodes + 1, sizeof(*f->calls));
	f->processes = calloc((size_t)f->nprocesses + 1, sizeof(*f->processes));
	if (!numbers || !sieves || !f->nodes || !f->counts || !f->calls || !f->processes)
		return -ENOMEM;
	r = number_all(f, functions, numbers);
	return r < 0 ? r : link_nodes(f, numbers, sieves);
}

int functions_turn(struct functions *f, int64_t dictionary)
{
	int r;

	if (f->dictionary == dictionary)
		return 0;
	functions_sum(f);
	r = functions_tell(f);
	clear(f);
	if (r == 0)
		r = lexicon_turn(&f->windows.lexicon, dictionary);
	if (r == 0)
		r = lexicon_load_all(&f->windows.lexicon);
	if (r == 0)
		r = load_nodes(f);
	if (r < 0)
		clear(f);
	else
		f->dictionary = dictionary;
	return r;
}

static int is_wanted(struct functions *f, uint32_t number, bool *ret)
{
	struct profile_process p;
	uint32_t *note;
	int r = lexicon_note(&f->windows.lexicon, number, &note);

	if (r == 0 && *note == NOTE_NONE) {
		r = lexicon_process(&f->windows.lexicon, number, &p);
		if (r < 0)
			return r;
		*note = selectors_match_process(f->selectors, &p) ? NOTE_WANTED : NOTE_LEFT_OUT;
	}
	if (r == 0)
		*ret = *note == NOTE_WANTED;
	return r;
}

int functions_count(struct functions *f, uint64_t node, uint64_t samples)
{
	if (node > f->nnodes)
		return -EBADMSG;
	/* the empty stack has no function */
	if (!node)
		return 0;
	f->counts[node] += samples;
	f->sums.functions[f->nodes[node].number].self += samples;
	f->sums.samples += samples;
	return 0;
}

/* The counts of one window, group by group. */
static int add_group(struct functions *f, struct window_cursor *c, uint64_t n, const bool wanted[2],
		     uint64_t *process)
{
	uint64_t node = 0, step, count;

	for (; n > 0; n--) {
		int r = packed_get(&c->parts[COUNTS_NODES], &step);

		if (r == 0)
			r = packed_get(&c->parts[COUNTS_COUNTS], &count);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(node, step, &node) || node > f->nnodes)
			return -EBADMSG;
		c->sum += count;
		if (!node || !wanted[f->nodes[node].released])
			continue;
		r = functions_count(f, node, count);
		if (r < 0)
			return r;
		*process += count;
	}
	return 0;
}

static int add_process(struct functions *f, struct window_cursor *c, uint32_t number,
		       uint64_t groups)
{
	bool process = false, wanted[2];
	enum sample_state state;
	uint64_t n;
	int r = number > f->nprocesses ? -EBADMSG : is_wanted(f, number, &process);

	for (c->thread = 0; r == 0 && groups > 0; groups--) {
		r = window_group(c, &state, &n);
		if (r < 0)
			break;
		/* stacks without the GIL are in the groups of those with it */
		wanted[0] = process && selectors_match_sample(f->selectors, c->thread, "", state);
		if (state == SAMPLE_GIL_HELD)
			state = SAMPLE_GIL_RELEASED;
		wanted[1] = process && selectors_match_sample(f->selectors, c->thread, "", state);
		r = add_group(f, c, n, wanted, &f->processes[number]);
	}
	return r;
}

static int add_counts(struct functions *f, const struct head *h)
{
	_cleanup_(unpacked_done) struct unpacked u = {};
	struct window_cursor c = {};
	uint64_t groups, sum, all = 0;
	uint32_t number = 0;
	int r = window_unpack(&f->windows, h, &u);

	if (r < 0)
		return r;
	memcpy(c.parts, u.parts, sizeof(c.parts));
	while (r == 0 && window_any_process(&c)) {
		r = window_process(&c, &number, &groups, &sum);
		c.sum = 0;
		if (r == 0)
			r = add_process(f, &c, number, groups);
		if (r == 0 && c.sum != sum)
			r = -EBADMSG;
		all += sum;
	}
	/* none of them is missing */
	return r == 0 && all != h->samples ? -EBADMSG : r;
}

/* A window of before there were dictionaries. */
static int add_older(struct functions *f, const struct head *h)
{
	struct answer a = { .selectors = f->selectors };
	_cleanup_(profile_freep) struct profile *p = NULL;
	int r = profile_new(h->start_ns, (uint32_t)h->hz, &p);

	if (r < 0)
		return r;
	p->end_ns = h->end_ns;
	a.p = p;
	older_forget(&f->windows.older);
	r = window_add(&f->windows, &a, h);
	older_forget(&f->windows.older);
	return r < 0 ? r : sums_add(&f->sums, p, f->of);
}

int functions_add(struct functions *f, const struct head *h)
{
	int r;

	if (!h->dictionary)
		return add_older(f, h);
	r = functions_turn(f, h->dictionary);
	if (r < 0)
		return r;
	sums_note(&f->sums, h->start_ns, h->end_ns, (uint32_t)h->hz);
	return add_counts(f, h);
}

static bool is_of_unit(const struct store_reader *reader, const struct sums *s,
		       const struct head *h)
{
	return !s->end_ns ||
	       (reader->unit_ns && s->start_ns / reader->unit_ns == h->start_ns / reader->unit_ns);
}

static int tell_unit(struct functions *f, store_sums_fn unit, void *ctx)
{
	int r;

	functions_sum(f);
	r = f->sums.end_ns ? unit(&f->sums, ctx) : 0;
	sums_clear(&f->sums);
	return r;
}

/* A roll-up of which only one name is wanted is not added up again, where it has the sums. */
static int add_one(struct functions *f, const struct store_reader *reader, const struct head *h,
		   const struct rollup *rollup)
{
	int r = 0;

	if (rollup && rollup->tier == TIER_HOURS && f->of->name &&
	    selectors_are_of_programs(f->selectors))
		r = named_add(&f->named, reader, f->selectors, f->of->name, h, &f->sums);
	return r == 0 ? functions_add(f, h) : MIN(r, 0);
}

static int add_all(struct functions *f, const struct store_reader *reader, struct walk *walk,
		   store_sums_fn unit, void *ctx)
{
	const struct rollup *rollup;
	struct head h;
	int r = 0;

	while (r == 0 && (r = walk_next(walk, &h, &rollup)) > 0) {
		r = is_of_unit(reader, &f->sums, &h) ? 0 : tell_unit(f, unit, ctx);
		if (r == 0)
			r = reader_overdue(reader);
		if (r == 0)
			r = add_one(f, reader, &h, rollup);
	}
	if (r == 0)
		r = tell_unit(f, unit, ctx);
	return r < 0 ? r : functions_tell(f);
}

static int sum_all(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		   const struct selectors *s, const struct sums_of *of, store_sums_fn unit,
		   void *ctx)
{
	static const struct selectors none;
	_cleanup_(functions_done) struct functions f = { .selectors = s ? s : &none, .of = of };
	_cleanup_(walk_done) struct walk walk = {};
	int r = walk_begin(&walk, &f.windows, reader, from_ns, to_ns, walk_tier_of(reader->unit_ns),
			   false);

	return r < 0 ? r : add_all(&f, reader, &walk, unit, ctx);
}

int store_each_sums(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		    const struct selectors *s, const struct sums_of *of, store_sums_fn unit,
		    void *ctx)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = sum_all(reader, from_ns, to_ns, s, of, unit, ctx);
	reader_end(reader);
	return r;
}
