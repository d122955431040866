/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/statvfs.h>

#include "store/addition.h"
#include "store/head.h"
#include "store/internal.h"

/* One window on its way into the database. */
struct save {
	struct store *s;
	struct dictionary *d;
	const struct profile *w;
	struct head head;
	bool there;       /* the head is in the file already, of an older version of the schema */
	struct life life; /* with the window */
	struct addition addition;
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
	sqlite3_stmt *st = v->s->statements[ST_COUNTS];
	const struct life *l = &v->life;
	int r = 0;

	if (l->counts) {
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
	sqlite3_stmt *st = v->s->statements[v->there ? ST_USE_DICTIONARY : ST_ADD_WINDOW];
	int r;

	if (v->there) {
		sqlite3_bind_int64(st, 1, v->head.id);
		sqlite3_bind_int64(st, 2, v->head.dictionary);
		return db_run(st);
	}
	head_bind(st, &v->head);
	r = db_run(st);
	return r < 0 ? r : save_life(v);
}

/* A sample with the numbers of the dictionary. */
struct row {
	uint32_t process, thread, node, of; /* of: the index of the process */
	uint64_t count;
};

static int compare_rows(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->process != b->process)
		return a->process > b->process ? 1 : -1;
	if (a->thread != b->thread)
		return a->thread > b->thread ? 1 : -1;
	return (a->node > b->node) - (a->node < b->node);
}

/*
 * Sorts, and makes one row of those that differ in the thread's state alone. The store keeps
 * windows, which are time on CPU: what a thread did with the GIL is for recordings.
 */
static uint32_t merge_rows(struct row *rows, uint32_t n)
{
	uint32_t kept = 0;

	qsort(rows, n, sizeof(*rows), compare_rows);
	for (uint32_t i = 0; i < n; i++) {
		if (kept && compare_rows(&rows[kept - 1], &rows[i]) == 0)
			rows[kept - 1].count += rows[i].count;
		else
			rows[kept++] = rows[i];
	}
	return kept;
}

/* The counts of one process; returns how many groups, and their sum by ret. */
static uint32_t put_groups(struct save *v, const struct row *rows, uint32_t n, uint64_t *ret)
{
	struct buf *parts = v->counts.parts;
	uint32_t end, groups = 0, thread = 0;

	*ret = 0;
	for (uint32_t i = 0; i < n; i = end, groups++) {
		uint32_t before = 0;

		for (end = i; end < n && rows[end].thread == rows[i].thread;)
			end++;
		packed_put_signed(&parts[COUNTS_GROUPS], (int64_t)rows[i].thread - thread);
		packed_put(&parts[COUNTS_GROUPS], SAMPLE_PLAIN);
		packed_put(&parts[COUNTS_GROUPS], end - i);
		thread = rows[i].thread;
		for (uint32_t k = i; k < end; k++) {
			packed_put(&parts[COUNTS_NODES], rows[k].node - before);
			packed_put(&parts[COUNTS_COUNTS], rows[k].count);
			before = rows[k].node;
			*ret += rows[k].count;
		}
	}
	return groups;
}

static void put_rows(struct save *v, const struct row *rows, uint32_t n)
{
	struct buf *to = &v->counts.parts[COUNTS_PROCESSES];
	uint32_t end, before = 0;

	for (uint32_t i = 0; i < n; i = end) {
		size_t size = save_size(v);
		uint32_t groups;
		uint64_t sum;

		for (end = i; end < n && rows[end].process == rows[i].process;)
			end++;
		groups = put_groups(v, rows + i, end - i, &sum);
		packed_put_signed(to, (int64_t)rows[i].process - before);
		packed_put(to, groups);
		packed_put(to, sum);
		before = rows[i].process;
		v->raw[rows[i].of] += save_size(v) - size;
	}
}

/* All that is new, and all counts, into sections. */
static int put_window(struct save *v)
{
	_cleanup_free_ uint32_t *processes = NULL;
	_cleanup_free_ struct row *rows = NULL;
	const struct profile *w = v->w;

	processes = calloc((size_t)w->nprocesses + 1, sizeof(*processes));
	rows = calloc((size_t)w->nsamples + 1, sizeof(*rows));
	if (!processes || !rows)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->nsamples; i++) {
		const struct profile_sample *sample = &w->samples[i];
		uint32_t *process = &processes[sample->process];
		size_t size = save_size(v);

		if (!*process)
			*process = addition_process(&v->addition, &w->processes[sample->process]);
		rows[i] = (struct row){ *process, sample->thread,
					addition_stack(&v->addition, sample->stack),
					sample->process, sample->count };
		v->raw[sample->process] += save_size(v) - size;
	}
	put_rows(v, rows, merge_rows(rows, w->nsamples));
	return 0;
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

static int save_all(struct save *v)
{
	int r = addition_begin(&v->addition, v->d, v->s->seed, v->w->dict);

	v->counts.n = COUNTS_SECTIONS;
	v->raw = calloc((size_t)v->w->nprocesses + 1, sizeof(*v->raw));
	if (r == 0 && !v->raw)
		r = -ENOMEM;
	if (r == 0)
		r = put_window(v);
	if (r == 0)
		r = save_head(v);
	if (r == 0)
		r = save_addition(v);
	if (r == 0)
		r = save_counts(v);
	if (r == 0)
		share_bytes(v);
	return r;
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

	if (s->retention_ns)
		confirm = (int64_t)MIN(s->retention_ns, (uint64_t)LIFE_CONFIRM_NS);
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
