/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/statvfs.h>

#include "store/addition.h"
#include "store/head.h"
#include "store/internal.h"
#include "util/clock.h"

/* One window on its way into the database. */
struct save {
	struct store *s;
	struct dictionary *d;
	const struct profile *w;
	struct head head;
	const struct rollup *rollup; /* NULL: it is a window */
	bool there;       /* the head is in the file already, of an older version of the schema */
	struct life life; /* with the window */
	struct dictionary own; /* of a roll-up that has one */
	struct addition addition;
	uint32_t put;        /* samples of w that are in rows */
	uint32_t *processes; /* numbers of w's; 0: not put yet */
	struct counts rows;
	struct sections counts;
	struct buf blob;
	uint64_t *raw;   /* bytes before they were packed, of each process */
	uint64_t *bytes; /* of each process; NULL: nobody wants to know */
	uint64_t total;  /* of all */
};

/* What a row takes beside its blob, about: its numbers, and its share of a page half full. */
#define ROW_BYTES 128

static void save_done(struct save *v)
{
	addition_done(&v->addition);
	dictionary_end(&v->own);
	free(v->processes);
	counts_done(&v->rows);
	sections_done(&v->counts);
	buf_free(&v->blob);
	free(v->raw);
}

/* How much there is to be packed. */
static size_t save_size(const struct save *v)
{
	return sections_size(&v->addition.sections) + sections_size(&v->counts);
}

static int save_pending(struct save *v, const char *key, int64_t value)
{
	sqlite3_stmt *st = v->s->statements[ST_PENDING];

	db_bind_text(st, 1, key);
	sqlite3_bind_int64(st, 2, value);
	return db_run(st);
}

/* What the window changes of time beside itself, which is seldom. */
static int save_life(struct save *v)
{
	const struct life *l = &v->life;
	int r = 0;

	for (int i = ST_COUNTS; r == 0 && l->counts && i <= ST_COUNTS_RECORDINGS; i++) {
		sqlite3_stmt *st = v->s->statements[i];

		sqlite3_bind_int64(st, 1, l->counts);
		sqlite3_bind_int64(st, 2, l->from);
		sqlite3_bind_int64(st, 3, v->head.id - 1);
		r = db_run(st);
	}
	if (r == 0 && l->pending != v->s->life.pending)
		r = save_pending(v, "pending_ns", l->pending);
	if (r == 0 && l->pending && l->from != v->s->life.from)
		r = save_pending(v, "pending_from", l->from);
	return r;
}

static int save_head(struct save *v)
{
	sqlite3_stmt *st = v->s->statements[v->there  ? ST_USE_DICTIONARY :
					    v->rollup ? ST_ADD_ROLLUP :
							ST_ADD_WINDOW];
	int r, at;

	if (v->there) {
		sqlite3_bind_int64(st, 1, v->head.id);
		sqlite3_bind_int64(st, 2, v->head.dictionary);
		return db_run(st);
	}
	at = head_bind(st, &v->head);
	if (v->rollup)
		rollup_bind(st, at, v->rollup);
	r = db_run(st);
	return r < 0 || v->rollup ? r : save_life(v);
}

static void on_process(void *ctx, const struct count *rows, uint32_t n, size_t bytes)
{
	struct save *v = ctx;

	v->raw[rows->of] += bytes;
}

static int put_begin(struct save *v)
{
	int r = addition_begin(&v->addition, v->d, v->s->seed, v->w->dict);

	if (r < 0)
		return r;
	v->counts.n = COUNTS_SECTIONS;
	v->raw = calloc((size_t)v->w->nprocesses + 1, sizeof(*v->raw));
	v->processes = calloc((size_t)v->w->nprocesses + 1, sizeof(*v->processes));
	v->rows.rows = calloc((size_t)v->w->nsamples + 1, sizeof(*v->rows.rows));
	return v->raw && v->processes && v->rows.rows ? 0 : -ENOMEM;
}

/* All that is new of the next samples into the sections of the addition, up to and without end. */
static void put_samples(struct save *v, uint32_t end)
{
	const struct profile *w = v->w;

	for (; v->put < end; v->put++) {
		const struct profile_sample *sample = &w->samples[v->put];
		size_t size = save_size(v);

		v->rows.rows[v->rows.n++] = addition_count(&v->addition, w, sample, v->processes);
		v->raw[sample->process] += save_size(v) - size;
	}
}

static void put_end(struct save *v)
{
	counts_sort(&v->rows);
	counts_put(&v->rows, &v->counts, on_process, v);
}

static int save_addition(struct save *v)
{
	sqlite3_stmt *st = v->s->statements[ST_ADD_ADDITION];
	int64_t id = v->d->id << ADDITION_SHIFT | v->d->next_addition;
	int64_t numbers[DICTIONARY_PARTS];
	int r;

	if (memcmp(v->d->numbers, v->d->committed, sizeof(v->d->numbers)) == 0)
		return 0;
	r = sections_pack(&v->addition.sections, &v->blob);
	if (r < 0)
		return r;
	for (int i = 0; i < DICTIONARY_PARTS; i++) {
		numbers[i] = v->d->numbers[i];
		sqlite3_bind_int64(st, 2 + i, numbers[i]);
	}
	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2 + DICTIONARY_PARTS,
			   (int64_t)dictionary_hash(v->s->seed, id, numbers, DICTIONARY_PARTS,
						    v->blob.data, v->blob.size));
	sqlite3_bind_blob64(st, 3 + DICTIONARY_PARTS, v->blob.data, v->blob.size, SQLITE_STATIC);
	r = db_run(st);
	if (r < 0)
		return r;
	v->d->next_addition++;
	memcpy(v->d->committed, v->d->numbers, sizeof(v->d->numbers));
	v->total += v->blob.size + ROW_BYTES;
	return 0;
}

static int save_counts(struct save *v)
{
	sqlite3_stmt *st = v->s->statements[ST_ADD_COUNTS];
	int r = sections_pack(&v->counts, &v->blob);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, v->head.id);
	sqlite3_bind_int64(st, 2,
			   (int64_t)dictionary_hash(v->s->seed, v->head.id, &v->head.dictionary, 1,
						    v->blob.data, v->blob.size));
	sqlite3_bind_blob64(st, 3, v->blob.data, v->blob.size, SQLITE_STATIC);
	r = db_run(st);
	v->total += v->blob.size + 2 * ROW_BYTES;
	return r;
}

/* What each process took of the blobs, by what it put into them. */
static void share_bytes(struct save *v)
{
	size_t all = save_size(v);

	for (uint32_t i = 0; v->bytes && i < v->w->nprocesses; i++) {
		if (v->raw[i])
			v->bytes[i] += v->raw[i] * v->total / all + 1;
	}
}

/* What was put. */
static int save_rows(struct save *v)
{
	int r = save_head(v);

	if (r == 0)
		r = save_addition(v);
	if (r == 0)
		r = save_counts(v);
	if (r == 0)
		share_bytes(v);
	return r;
}

static int save_all(struct save *v)
{
	int r = put_begin(v);

	if (r < 0)
		return r;
	put_samples(v, v->w->nsamples);
	put_end(v);
	return save_rows(v);
}

int store_save(struct store *s, const struct profile *window)
{
	return store_save_for(s, window, NULL);
}

/*
 * How many windows may have a dictionary, a power of two. When windows go as there is no room,
 * what only these needed must go too, and a dictionary goes as a whole: so the fewer of such
 * windows find room, the fewer it is.
 */
#define DICTIONARY_PART 16
/* Where nobody has said how large the file may be. */
#define MAX_BYTES_UNSAID (UINT64_C(1) << 30)

static unsigned int dictionary_windows(const struct store *s, const struct profile *window)
{
	uint64_t max = s->max_bytes ? s->max_bytes : MAX_BYTES_UNSAID;
	struct statvfs disk;
	uint64_t grown = s->grown ? s->grown : profile_bytes(window);
	uint64_t part, n = DICTIONARY_WINDOWS;

	/* nor may it become larger than the disk */
	if (statvfs(s->path, &disk) == 0)
		max = MIN(max, (uint64_t)disk.f_bavail * disk.f_frsize + file_bytes(s->path));
	part = max / DICTIONARY_PART / MAX(grown, UINT64_C(1));
	while (n > 1 && n > part)
		n /= 2;
	return (unsigned int)n;
}

/* The dictionary that the window shares with those before it, or a new one. */
static int choose_dictionary(struct save *v)
{
	struct dictionary *d = v->d;
	int r;

	if (!d->id || dictionary_is_full(d, dictionary_windows(v->s, v->w))) {
		prune_note(v->s, d->id);
		r = dictionary_begin(d, v->s->last_dictionary + 1);
		if (r < 0)
			return r;
		v->s->last_dictionary++;
	}
	dictionary_tick(d);
	v->head.dictionary = d->id;
	return 0;
}

/* All of a window in one transaction. */
static int save_in_one(struct save *v)
{
	struct store *s = v->s;
	int r = choose_dictionary(v);

	if (r == 0)
		r = db_run(s->statements[ST_BEGIN]);
	if (r < 0)
		return r;
	r = save_all(v);
	if (r == 0 && v->there)
		r = older_delete(s, v->head.id);
	if (r == 0)
		r = db_run(s->statements[ST_COMMIT]);
	if (r < 0)
		store_rollback(s);
	else
		v->d->windows++;
	return r;
}

static int save_once(struct store *s, const struct profile *window, uint64_t *bytes)
{
	_cleanup_(save_done) struct save v = {
		.s = s, .d = &s->dictionary, .w = window, .bytes = bytes
	};
	int64_t confirm = LIFE_CONFIRM_NS;
	int r;

	if (s->retention_ns[TIER_WINDOWS])
		confirm = (int64_t)MIN(s->retention_ns[TIER_WINDOWS], (uint64_t)LIFE_CONFIRM_NS);
	head_of_profile(window, &v.head);
	v.head.id = s->window_id + 1;
	v.head.stepped_ns += s->missed_ns;
	v.life = life_after(&s->life, v.head.id, window->start_ns, window->end_ns,
			    v.head.stepped_ns, confirm);
	v.head.life_ns = v.life.now;
	r = save_in_one(&v);
	if (r < 0)
		return r;
	s->window_id = v.head.id;
	s->life = v.life;
	s->missed_ns = 0;
	s->rolls = true;
	s->grown = MAX(v.total, s->grown - s->grown / 8);
	return 0;
}

int store_save_as(struct store *s, const struct profile *window, int64_t id, int64_t life_ns)
{
	_cleanup_(
		save_done) struct save v = { .s = s, .d = &s->older, .w = window, .life = s->life };

	head_of_profile(window, &v.head);
	v.head.id = id;
	v.head.life_ns = life_ns;
	v.life.counts = 0;
	return save_in_one(&v);
}

int save_begin_rollup(struct store *s, const struct profile *p, const struct rollup *of,
		      struct save **ret)
{
	struct save *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	*v = (struct save){ .s = s, .w = p, .rollup = of, .head = of->head };
	/* of its own: it outlives those that have what it has */
	v->d = &v->own;
	r = choose_dictionary(v);
	if (r == 0)
		r = put_begin(v);
	if (r == 0)
		*ret = v;
	else
		save_free(v);
	return r;
}

void save_free(struct save *v)
{
	if (!v)
		return;
	save_done(v);
	free(v);
}

/* Samples that are put between two looks at the clock. */
#define PUT_STEP 256

bool save_put(struct save *v, uint64_t until_ns)
{
	uint32_t n = v->w->nsamples;

	while (v->put < n && clock_ns(CLOCK_MONOTONIC) < until_ns)
		put_samples(v, MIN(n, v->put + PUT_STEP));
	return v->put == n;
}

/* The rows of a roll-up, in one transaction. */
static int save_rollup_rows(struct save *v, int (*rows)(struct save *v))
{
	struct store *s = v->s;
	int r = db_run(s->statements[ST_BEGIN]);

	if (r < 0)
		return r;
	v->head.id = s->rollup_id - 1;
	r = rows(v);
	if (r == 0)
		r = db_run(s->statements[ST_COMMIT]);
	if (r < 0)
		store_rollback(s);
	else
		s->rollup_id = v->head.id;
	return r;
}

int save_end_rollup(struct save *v)
{
	put_end(v);
	return save_rollup_rows(v, save_rows);
}

int store_save_rollup(struct store *s, const struct profile *p, const struct rollup *of)
{
	struct save *v;
	int r = save_begin_rollup(s, p, of, &v);

	if (r < 0)
		return r;
	save_put(v, UINT64_MAX);
	r = save_end_rollup(v);
	save_free(v);
	return r;
}

static int save_head_and_counts(struct save *v)
{
	int r = save_head(v);

	return r < 0 ? r : save_counts(v);
}

int store_save_counts(struct store *s, const struct counts *c, const struct rollup *of)
{
	_cleanup_(save_done) struct save v = { .s = s, .rollup = of, .head = of->head };

	v.counts.n = COUNTS_SECTIONS;
	counts_put(c, &v.counts, NULL, NULL);
	return save_rollup_rows(&v, save_head_and_counts);
}

static int save_sums(struct save *v, int64_t rollup, const struct sections *sums)
{
	sqlite3_stmt *st = v->s->statements[ST_ADD_SUMS];
	int64_t dictionary = v->d ? v->d->id : 0;
	int r = v->d ? save_addition(v) : 0;

	buf_clear(&v->blob);
	if (r == 0 && v->d)
		r = sections_pack(sums, &v->blob);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, rollup);
	sqlite3_bind_int64(st, 2, dictionary);
	sqlite3_bind_int64(st, 3,
			   (int64_t)dictionary_hash(v->s->seed, rollup, &dictionary, 1,
						    v->blob.data, v->blob.size));
	/* never NULL */
	sqlite3_bind_blob64(st, 4, v->blob.size ? v->blob.data : "", v->blob.size, SQLITE_STATIC);
	return db_run(st);
}

int store_save_sums(struct store *s, int64_t rollup, struct addition *addition,
		    const struct sections *sums)
{
	_cleanup_(save_done) struct save v = { .s = s, .d = addition ? &s->sums : NULL };
	int r = db_run(s->statements[ST_BEGIN]);

	if (r < 0)
		return r;
	/* it stays the caller's */
	if (addition)
		v.addition.sections = addition->sections;
	r = save_sums(&v, rollup, sums);
	v.addition.sections = (struct sections){};
	if (r == 0)
		r = db_run(s->statements[ST_COMMIT]);
	if (r < 0)
		store_rollback(s);
	else if (addition)
		s->sums.windows++;
	return r;
}

int store_save_again(struct store *s, const struct profile *window, int64_t id)
{
	_cleanup_(save_done) struct save v = {
		.s = s, .d = &s->older, .w = window, .head.id = id, .there = true
	};

	return save_in_one(&v);
}

int store_save_for(struct store *s, const struct profile *window, uint64_t *bytes)
{
	int r = store_ready(s);

	if (r == 0)
		r = save_once(s, window, bytes);
	if (r == -EBADMSG && s->db) {
		r = store_mend(s, damage_find(s->db));
		if (r == 0)
			r = save_once(s, window, bytes);
	}
	if (r < 0)
		s->missed_ns += window->stepped_ns;
	return r;
}
