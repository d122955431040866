/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/functions.h"
#include "store/internal.h"
#include "store/schema.h"

/*
 * Sums are made of a roll-up that is in the file, in a transaction of their own: so those of an
 * older plop's roll-ups are made as those of today's are, and whoever reads does without them until
 * then.
 *
 * Its counts are put together by program. Those of one program go to the nodes of the dictionary,
 * and up from these (functions.h), with a number for each name in place of each function.
 */

/* Programs times the nodes and texts that each is added up over: some 20 ms. */
#define WORK_MOST (UINT64_C(8) << 20)
/* Bytes of sums before they are packed. */
#define BYTES_MOST (1u << 20)

struct making {
	struct store *s;
	struct functions f;
	struct addition addition;
	struct counts counts;
	struct sections sums;
	/* by number of a process of the roll-up; 0: not met yet */
	uint32_t *programs;
	/* by number of a program: its first row + 1; and by row: the next one's */
	uint32_t *first, *next;
	uint32_t nprograms; /* different ones */
};

static void making_done(struct making *m)
{
	functions_done(&m->f);
	addition_done(&m->addition);
	counts_done(&m->counts);
	sections_done(&m->sums);
	free(m->programs);
	free(m->first);
	free(m->next);
}

static int number_of(const struct dict_function *f, void *ctx, uint32_t *ret)
{
	struct making *m = ctx;

	*ret = addition_text(&m->addition, f->name);
	return 0;
}

/* What all processes of a program have. */
static uint32_t add_program(struct making *m, const struct profile_process *p)
{
	struct profile_process k = *p;
	static char none[] = "";

	k.info.pid = 0;
	k.info.start_ticks = 0;
	k.info.start_time = 0;
	k.info.cmdline = none;
	k.python = none;
	return addition_process(&m->addition, &k);
}

/* The programs of all rows. */
static int find_programs(struct making *m)
{
	struct lexicon *l = &m->f.windows.lexicon;
	uint32_t most = l->numbers[DICTIONARY_PROCESSES];

	m->programs = calloc((size_t)most + 1, sizeof(*m->programs));
	if (!m->programs)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->counts.n; i++) {
		uint32_t process = m->counts.rows[i].process;
		struct profile_process p;
		int r;

		if (process > most)
			return -EBADMSG;
		if (m->programs[process])
			continue;
		r = lexicon_process(l, process, &p);
		if (r < 0)
			return r;
		m->programs[process] = add_program(m, &p);
	}
	return 0;
}

/* Has the rows of each program linked. */
static int link_rows(struct making *m)
{
	uint32_t most = m->s->sums.numbers[DICTIONARY_PROCESSES];

	m->first = calloc((size_t)most + 1, sizeof(*m->first));
	m->next = calloc((size_t)m->counts.n + 1, sizeof(*m->next));
	if (!m->first || !m->next)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->counts.n; i++) {
		uint32_t *first = &m->first[m->programs[m->counts.rows[i].process]];

		m->nprograms += !*first;
		m->next[i] = *first;
		*first = i + 1;
	}
	return 0;
}

/* The names that the program had, into the sections. Returns how many. */
static uint32_t put_names(struct making *m)
{
	const struct sums *s = &m->f.sums;
	uint32_t n = 0, before = 0;

	for (uint32_t i = 1; i < s->n; i++) {
		const struct sum *k = &s->functions[i];

		if (!k->total)
			continue;
		packed_put(&m->sums.parts[SUMS_NAMES], i - before);
		packed_put(&m->sums.parts[SUMS_SELVES], k->self);
		packed_put(&m->sums.parts[SUMS_CALLERS], k->total - k->self);
		before = i;
		n++;
	}
	return n;
}

static int add_rows(struct making *m, uint32_t first)
{
	int r = 0;

	sums_clear(&m->f.sums);
	for (uint32_t i = first; r == 0 && i; i = m->next[i - 1]) {
		const struct count *k = &m->counts.rows[i - 1];

		r = functions_count(&m->f, k->node, k->n);
	}
	if (r == 0)
		functions_sum(&m->f);
	return r;
}

static int put_programs(struct making *m)
{
	struct buf *programs = &m->sums.parts[SUMS_PROGRAMS];
	uint32_t before = 0;

	for (uint32_t i = 1; i <= m->s->sums.numbers[DICTIONARY_PROCESSES]; i++) {
		uint32_t names;
		int r = m->first[i] ? add_rows(m, m->first[i]) : 0;

		if (r < 0)
			return r;
		if (!m->first[i] || !m->f.sums.samples)
			continue;
		names = put_names(m);
		packed_put_signed(programs, (int64_t)i - before);
		packed_put(programs, names);
		packed_put(programs, m->f.sums.samples);
		before = i;
	}
	return 0;
}

static bool is_too_much(const struct making *m)
{
	uint64_t each = (uint64_t)m->f.nnodes + m->f.sums.n;

	return m->nprograms * each > WORK_MOST;
}

/* Reads the roll-up. */
static int begin(struct making *m, const struct store_reader *reader, const struct head *h)
{
	int r = window_prepare(&m->f.windows, reader, NULL);

	if (r == 0)
		r = addition_begin(&m->addition, &m->s->sums, m->s->seed, NULL);
	if (r == 0)
		r = functions_turn(&m->f, h->dictionary);
	if (r == 0)
		r = window_counts(&m->f.windows, h, &m->counts);
	if (r == 0)
		r = find_programs(m);
	return r < 0 ? r : link_rows(m);
}

static int make(struct store *s, const struct head *h)
{
	static const struct selectors all;
	const struct store_reader reader = { .db = s->db,
					     .version = SCHEMA_VERSION,
					     .functions = true };
	_cleanup_(making_done) struct making m = { .s = s, .sums.n = SUMS_SECTIONS };
	const struct sums_of of = { .number = number_of, .ctx = &m };
	int r;

	m.f.selectors = &all;
	m.f.of = &of;
	r = begin(&m, &reader, h);
	if (r < 0)
		return r;
	if (is_too_much(&m))
		return 0;
	r = put_programs(&m);
	if (r < 0 || sections_size(&m.sums) > BYTES_MOST)
		return r;
	r = store_save_sums(s, h->id, &m.addition, &m.sums);
	return r < 0 ? r : 1;
}

/* A dictionary that has room, or a new one. */
static int choose_dictionary(struct store *s)
{
	int r;

	if (s->sums.id && !dictionary_is_full(&s->sums, DICTIONARY_WINDOWS)) {
		dictionary_tick(&s->sums);
		return 0;
	}
	prune_note(s, s->sums.id);
	r = dictionary_begin(&s->sums, s->last_dictionary + 1);
	s->last_dictionary += r == 0;
	return r;
}

static int make_next(struct store *s, const struct head *h)
{
	int r = choose_dictionary(s);

	if (r == 0)
		r = make(s, h);
	if (r <= 0) {
		/* the file does not have what was put there */
		prune_note(s, s->sums.id);
		dictionary_end(&s->sums);
	}
	if (r == 0)
		r = store_save_sums(s, h->id, NULL, NULL);
	if (r < 0)
		return r;
	s->sums_to = h->id;
	return 1;
}

int named_step(struct store *s)
{
	_cleanup_free_ char *sql =
		rollup_select("WHERE id < ?1 AND tier = 2 ORDER BY id DESC LIMIT 1");
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	struct rollup next;
	int r = sql ? db_prepare(s->db, sql, &st) : -ENOMEM;

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, s->sums_to);
	r = db_step(st);
	if (r <= 0)
		return r;
	rollup_read(st, &next);
	sqlite3_reset(st);
	return make_next(s, &next.head);
}
