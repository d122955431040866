/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/window.h"

#include "store/schema.h"

int window_prepare(struct window_reader *w, const struct store_reader *reader, const char *from)
{
	_cleanup_free_ char *sql = from ? head_select(reader->version, "", from) : NULL;
	bool has_older = true;
	int r = 0;

	*w = (struct window_reader){};
	if (from)
		r = sql ? db_prepare(reader->db, sql, &w->heads) : -ENOMEM;
	if (r == 0)
		r = db_int(reader->db, "SELECT value FROM meta WHERE key='hash_seed'", &w->seed);
	if (r == 0 && reader->version >= SCHEMA_DICTIONARIES) {
		r = db_prepare(reader->db, "SELECT data, hash FROM counts WHERE id = ?1",
			       &w->counts);
		if (r == 0)
			r = lexicon_prepare(&w->lexicon, reader->db, w->seed);
		w->lexicon.no_lines = reader->functions;
		if (r == 0)
			r = older_tables(reader->db, &has_older);
	}
	if (r == 0 && has_older)
		r = older_prepare(&w->older, reader->db, reader->version, w->seed);
	return r == -ENOENT ? -EBADMSG : r;
}

void window_done(struct window_reader *w)
{
	sqlite3_finalize(w->heads);
	sqlite3_finalize(w->counts);
	lexicon_done(&w->lexicon);
	older_done(&w->older);
}

void window_forget(struct window_reader *w)
{
	lexicon_forget(&w->lexicon);
	older_forget(&w->older);
}

void window_spare(struct window_reader *w)
{
	if (lexicon_bytes(&w->lexicon) > WINDOW_LEXICON_MOST)
		lexicon_forget(&w->lexicon);
}

/* The sections of what a window counted. */
static int unpack_counts(struct window_reader *w, const struct head *h, bool processes_only,
			 struct unpacked *ret)
{
	const void *data = sqlite3_column_blob(w->counts, 0);
	size_t size = (size_t)sqlite3_column_bytes(w->counts, 0);
	uint64_t hash;

	if (!data)
		return -EBADMSG;
	hash = dictionary_hash(w->seed, h->id, &h->dictionary, 1, data, size);
	if (hash != (uint64_t)sqlite3_column_int64(w->counts, 1))
		return -EBADMSG;
	/* what each process had stands first */
	return processes_only ? sections_unpack_first(data, size, COUNTS_SECTIONS, ret) :
				sections_unpack(data, size, COUNTS_SECTIONS, ret);
}

static int read_counts(struct window_reader *w, const struct head *h, bool processes_only,
		       struct unpacked *ret)
{
	int r;

	if (!w->counts)
		return -EBADMSG;
	sqlite3_bind_int64(w->counts, 1, h->id);
	r = db_step(w->counts);
	if (r >= 0)
		r = r ? unpack_counts(w, h, processes_only, ret) : -EBADMSG;
	sqlite3_reset(w->counts);
	return r;
}

int window_unpack(struct window_reader *w, const struct head *h, struct unpacked *ret)
{
	return read_counts(w, h, false, ret);
}

/* The same, with its dictionary opened. */
static int open_counts(struct window_reader *w, const struct head *h, bool processes_only,
		       struct unpacked *ret)
{
	int r = lexicon_turn(&w->lexicon, h->dictionary);

	return r < 0 ? r : read_counts(w, h, processes_only, ret);
}

/* The note of a process (lexicon_note()) is its index + 1, or WINDOW_LEFT_OUT. */
int window_find_process(struct window_reader *w, struct answer *a, uint32_t number, uint32_t *ret)
{
	struct profile_process p;
	uint32_t *note, index;
	int r = lexicon_note(&w->lexicon, number, &note);

	if (r == 0 && !*note) {
		r = lexicon_process(&w->lexicon, number, &p);
		index = WINDOW_LEFT_OUT - 1;
		if (r == 0 && selectors_match_process(a->selectors, &p)) {
			const struct process_info all = process_info_of(0);

			r = profile_process(a->p, a->processes_alike ? &all : &p.info,
					    a->processes_alike ? "" : p.python, &index);
		}
		if (r == 0)
			*note = index + 1;
	}
	if (r == 0)
		*ret = *note == WINDOW_LEFT_OUT ? WINDOW_LEFT_OUT : *note - 1;
	return r;
}

/* The stacks of one thread in one state. */
static int add_stacks(struct window_reader *w, struct answer *a, struct window_cursor *c,
		      uint64_t n, enum sample_state state)
{
	/* stacks without the GIL are in the groups of those with it */
	enum sample_state states[] = { state,
				       state == SAMPLE_GIL_HELD ? SAMPLE_GIL_RELEASED : state };
	bool process = c->process != WINDOW_LEFT_OUT;
	bool wanted[] = {
		process && selectors_match_sample(a->selectors, c->thread, "", states[0]),
		process && selectors_match_sample(a->selectors, c->thread, "", states[1]),
	};
	uint32_t thread = a->threads_alike ? 0 : c->thread;
	uint64_t node = 0, step, count;
	uint32_t stack;

	for (; n > 0; n--) {
		int r = packed_get(&c->parts[COUNTS_NODES], &step);

		if (r == 0)
			r = packed_get(&c->parts[COUNTS_COUNTS], &count);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(node, step, &node) || node > DICTIONARY_MOST)
			return -EBADMSG;
		c->sum += count;
		if (!wanted[0] && !wanted[1])
			continue;
		r = lexicon_stack(&w->lexicon, (uint32_t)node, a->p->dict, &stack);
		if (r >= 0 && wanted[r])
			r = profile_add_state(a->p, c->process, thread, stack, states[r],
					      a->off_cpu ? 0 : count, a->off_cpu ? count : 0);
		if (r >= 0)
			r = answer_check(a, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

int window_group(struct window_cursor *c, enum sample_state *ret_state, uint64_t *ret_n)
{
	struct packed *groups = &c->parts[COUNTS_GROUPS];
	uint64_t state;
	int64_t thread;
	int r;

	r = packed_get_signed(groups, &thread);
	if (r == 0)
		r = packed_get(groups, &state);
	if (r == 0)
		r = packed_get(groups, ret_n);
	if (r < 0)
		return r;
	if (__builtin_add_overflow(thread, (int64_t)c->thread, &thread) || thread < 0 ||
	    thread > UINT32_MAX || state >= SAMPLE_STATES)
		return -EBADMSG;
	c->thread = (uint32_t)thread;
	*ret_state = (enum sample_state)state;
	return 0;
}

static int add_group(struct window_reader *w, struct answer *a, struct window_cursor *c)
{
	enum sample_state state;
	uint64_t n;
	int r = window_group(c, &state, &n);

	return r < 0 ? r : add_stacks(w, a, c, n, state);
}

int window_process(struct window_cursor *c, uint32_t *number, uint64_t *ret_groups,
		   uint64_t *ret_sum)
{
	struct packed *p = &c->parts[COUNTS_PROCESSES];
	int64_t step;
	int r = packed_get_signed(p, &step);

	if (r == 0)
		r = packed_get(p, ret_groups);
	if (r == 0)
		r = packed_get(p, ret_sum);
	if (r < 0)
		return r;
	if (__builtin_add_overflow(step, (int64_t)*number, &step) || step < 1 ||
	    step > DICTIONARY_MOST)
		return -EBADMSG;
	*number = (uint32_t)step;
	return 0;
}

bool window_any_process(const struct window_cursor *c)
{
	return c->parts[COUNTS_PROCESSES].at < c->parts[COUNTS_PROCESSES].end;
}

int window_add_counts(struct window_reader *w, struct answer *a, const struct unpacked *u,
		      uint64_t samples)
{
	uint64_t groups, sum, all = 0;
	struct window_cursor c = {};
	uint32_t number = 0;
	int r = 0;

	memcpy(c.parts, u->parts, sizeof(c.parts));
	while (r == 0 && window_any_process(&c)) {
		r = window_process(&c, &number, &groups, &sum);
		if (r == 0)
			r = window_find_process(w, a, number, &c.process);
		if (r < 0)
			return r;
		c.thread = 0;
		c.sum = 0;
		for (; r == 0 && groups > 0; groups--)
			r = add_group(w, a, &c);
		if (r == 0 && c.sum != sum)
			r = -EBADMSG;
		all += sum;
	}
	/* none of them is missing */
	return r == 0 && all != samples ? -EBADMSG : r;
}

int window_add(struct window_reader *w, struct answer *a, const struct head *h)
{
	_cleanup_(unpacked_done) struct unpacked u = {};
	int r;

	if (!h->dictionary)
		return w->older.samples ? older_add(&w->older, a, h) : -EBADMSG;
	r = open_counts(w, h, false, &u);
	return r < 0 ? r : window_add_counts(w, a, &u, h->samples);
}

/* The counts of one group, of which row has all but the node. */
static int count_group(struct window_cursor *c, uint64_t n, struct count row, struct counts *to)
{
	uint64_t node = 0, step;

	for (uint64_t i = 0; i < n; i++) {
		int r = packed_get(&c->parts[COUNTS_NODES], &step);

		if (r == 0)
			r = packed_get(&c->parts[COUNTS_COUNTS], &row.n);
		if (r < 0)
			return r;
		/* ascending: what is merged relies on it */
		if (__builtin_add_overflow(node, step, &node) || node > DICTIONARY_MOST ||
		    (i > 0 && step == 0))
			return -EBADMSG;
		c->sum += row.n;
		row.node = (uint32_t)node;
		r = counts_add(to, &row);
		if (r < 0)
			return r;
	}
	return 0;
}

static int count_process(struct window_cursor *c, uint32_t number, uint64_t groups,
			 struct counts *to)
{
	struct count row = { .process = number };
	int r = 0;

	c->thread = 0;
	for (uint64_t i = 0; r == 0 && i < groups; i++) {
		uint32_t thread = c->thread, before = row.state;
		enum sample_state state;
		uint64_t n;

		r = window_group(c, &state, &n);
		if (r == 0 && i > 0 &&
		    (c->thread < thread || (c->thread == thread && state <= before)))
			r = -EBADMSG;
		row.thread = c->thread;
		row.state = state;
		if (r == 0)
			r = count_group(c, n, row, to);
	}
	return r;
}

int window_counts(struct window_reader *w, const struct head *h, struct counts *to)
{
	_cleanup_(unpacked_done) struct unpacked u = {};
	uint64_t groups, sum, all = 0;
	struct window_cursor c = {};
	uint32_t number = 0;
	int r = window_unpack(w, h, &u);

	if (r < 0)
		return r;
	memcpy(c.parts, u.parts, sizeof(c.parts));
	while (r == 0 && window_any_process(&c)) {
		r = window_process(&c, &number, &groups, &sum);
		c.sum = 0;
		if (r == 0)
			r = count_process(&c, number, groups, to);
		if (r == 0 && c.sum != sum)
			r = -EBADMSG;
		all += sum;
	}
	/* none of them is missing */
	return r == 0 && all != h->samples ? -EBADMSG : r;
}

int window_each_process(struct window_reader *w, const struct head *h, answer_process_fn each,
			void *ctx)
{
	_cleanup_(unpacked_done) struct unpacked u = {};
	struct profile_process p;
	struct window_cursor c = {};
	uint64_t groups;
	uint32_t number = 0;
	int r;

	if (!h->dictionary)
		return w->older.samples ? older_each_process(&w->older, h->id, each, ctx) :
					  -EBADMSG;
	r = open_counts(w, h, true, &u);
	if (r < 0)
		return r;
	memcpy(c.parts, u.parts, sizeof(c.parts));
	while (r == 0 && window_any_process(&c)) {
		uint64_t sum;

		r = window_process(&c, &number, &groups, &sum);
		if (r == 0)
			r = lexicon_process(&w->lexicon, number, &p);
		p.samples = sum;
		if (r == 0)
			r = each(&p, ctx);
	}
	return r;
}
