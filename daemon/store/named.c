/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/named.h"

/* The note of a program (lexicon_note()). */
enum { NOTE_NONE, NOTE_LEFT_OUT, NOTE_WANTED };

static void forget(struct named *n)
{
	free(n->is_name);
	n->is_name = NULL;
}

void named_done(struct named *n)
{
	sqlite3_finalize(n->row);
	lexicon_done(&n->lexicon);
	forget(n);
	*n = (struct named){};
}

static int prepare(struct named *n, const struct store_reader *reader)
{
	int r;

	if (n->row)
		return 0;
	r = db_int(reader->db, "SELECT value FROM meta WHERE key='hash_seed'", &n->seed);
	if (r == 0)
		r = lexicon_prepare(&n->lexicon, reader->db, n->seed);
	if (r == 0)
		r = db_prepare(reader->db, "SELECT dictionary, hash, data FROM sums WHERE id = ?1",
			       &n->row);
	return r == -ENOENT ? -EBADMSG : r;
}

/* Has all names of a dictionary compared. Two of its texts may be the same. */
static int turn(struct named *n, int64_t dictionary, const char *name)
{
	struct lexicon *l = &n->lexicon;
	uint32_t texts;
	int r;

	if (l->id == dictionary && n->is_name)
		return 0;
	forget(n);
	r = lexicon_turn(l, dictionary);
	if (r == 0)
		r = lexicon_load_all(l);
	if (r < 0)
		return r;
	texts = l->numbers[DICTIONARY_TEXTS];
	n->is_name = calloc((size_t)texts + 1, sizeof(*n->is_name));
	if (!n->is_name)
		return -ENOMEM;
	for (uint32_t i = 1; r == 0 && i <= texts; i++) {
		const char *text;

		r = lexicon_text(l, i, &text);
		if (r == 0)
			n->is_name[i] = streq(text, name);
	}
	return r;
}

static int is_wanted(struct named *n, const struct selectors *s, uint32_t number, bool *ret)
{
	struct profile_process p;
	uint32_t *note;
	int r = lexicon_note(&n->lexicon, number, &note);

	if (r == 0 && *note == NOTE_NONE) {
		r = lexicon_process(&n->lexicon, number, &p);
		if (r == 0)
			*note = selectors_match_process(s, &p) ? NOTE_WANTED : NOTE_LEFT_OUT;
	}
	if (r == 0)
		*ret = *note == NOTE_WANTED;
	return r;
}

/* The names of one program, which has so many samples. */
static int add_names(const struct named *n, struct packed *parts, uint64_t names, uint64_t samples,
		     struct sum *to)
{
	uint64_t name = 0, all = 0, step, self, callers;

	for (; names > 0; names--) {
		int r = packed_get(&parts[SUMS_NAMES], &step);

		if (r == 0)
			r = packed_get(&parts[SUMS_SELVES], &self);
		if (r == 0)
			r = packed_get(&parts[SUMS_CALLERS], &callers);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(name, step, &name) || step == 0 ||
		    name > n->lexicon.numbers[DICTIONARY_TEXTS])
			return -EBADMSG;
		all += self;
		if (n->is_name[name]) {
			to->self += self;
			to->total += self + callers;
		}
	}
	/* each has one that is innermost */
	return all == samples ? 0 : -EBADMSG;
}

static int add_programs(struct named *n, const struct selectors *s, struct packed *parts,
			struct sums *to)
{
	struct packed *programs = &parts[SUMS_PROGRAMS];
	int64_t number = 0, step;
	uint64_t names, samples;
	bool wanted = false;
	struct sum left_out = {};

	while (programs->at < programs->end) {
		int r = packed_get_signed(programs, &step);

		if (r == 0)
			r = packed_get(programs, &names);
		if (r == 0)
			r = packed_get(programs, &samples);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(number, step, &number) || number < 1 ||
		    number > DICTIONARY_MOST)
			return -EBADMSG;
		r = is_wanted(n, s, (uint32_t)number, &wanted);
		if (r == 0)
			r = add_names(n, parts, names, samples,
				      wanted ? &to->functions[SUMS_NAMED] : &left_out);
		if (r < 0)
			return r;
		to->samples += wanted ? samples : 0;
	}
	/* nothing is left over */
	return parts[SUMS_NAMES].at == parts[SUMS_NAMES].end ? 0 : -EBADMSG;
}

static int add_row(struct named *n, const struct selectors *s, const char *name,
		   const struct head *h, struct sums *to)
{
	_cleanup_(unpacked_done) struct unpacked u = {};
	int64_t dictionary = sqlite3_column_int64(n->row, 0);
	const void *data = sqlite3_column_blob(n->row, 2);
	size_t size = (size_t)sqlite3_column_bytes(n->row, 2);
	int r;

	if (dictionary_hash(n->seed, h->id, &dictionary, 1, data, size) !=
	    (uint64_t)sqlite3_column_int64(n->row, 1))
		return -EBADMSG;
	if (!dictionary)
		return 0;
	r = sections_unpack(data, size, SUMS_SECTIONS, &u);
	if (r == 0)
		r = turn(n, dictionary, name);
	if (r == 0)
		r = sums_hold(to, SUMS_NAMED);
	if (r < 0)
		return r;
	sums_note(to, h->start_ns, h->end_ns, (uint32_t)h->hz);
	r = add_programs(n, s, u.parts, to);
	return r < 0 ? r : 1;
}

int named_add(struct named *n, const struct store_reader *reader, const struct selectors *s,
	      const char *name, const struct head *h, struct sums *to)
{
	int r = prepare(n, reader);

	if (r < 0)
		return r;
	sqlite3_bind_int64(n->row, 1, h->id);
	r = db_step(n->row);
	if (r > 0)
		r = add_row(n, s, name, h, to);
	sqlite3_reset(n->row);
	return r;
}
