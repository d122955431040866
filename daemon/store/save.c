/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/statvfs.h>

#include "store/hash.h"
#include "store/head.h"
#include "store/internal.h"
#include "store/packed.h"
#include "store/schema.h"

/* One window on its way into the database. */
struct save {
	struct store *s;
	const struct profile *w;
	int64_t id;              /* the window's */
	int64_t needed, covered; /* used must be this at least; and what it becomes then */
	struct life life;        /* with the window */
	int64_t stepped_ns;
	uint64_t *function_hashes; /* by the dict's ids */
	int64_t *function_ids;     /* 0: not looked up yet */
	int64_t *stack_ids;
	struct buf scratch;
	uint64_t *bytes;  /* of each process; NULL: nobody wants to know */
	uint64_t total;   /* of all */
	uint32_t process; /* for which something is saved now */
};

/*
 * What a row takes beside its texts and blobs: its numbers, its place in the index of hashes, and
 * its share of pages half full.
 */
#define ROW_BYTES 48

static void save_done(struct save *v)
{
	free(v->function_hashes);
	free(v->function_ids);
	free(v->stack_ids);
	buf_free(&v->scratch);
}

static void save_counts(struct save *v, size_t bytes)
{
	v->total += bytes + ROW_BYTES;
	if (v->bytes)
		v->bytes[v->process] += bytes + ROW_BYTES;
}

static int hash_functions(struct save *v)
{
	uint32_t n = dict_functions(v->w->dict);

	v->function_hashes = calloc((size_t)n + 1, sizeof(*v->function_hashes));
	v->function_ids = calloc((size_t)n + 1, sizeof(*v->function_ids));
	v->stack_ids = calloc((size_t)dict_stacks(v->w->dict) + 1, sizeof(*v->stack_ids));
	if (!v->function_hashes || !v->function_ids || !v->stack_ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct dict_function *f = dict_get_function(v->w->dict, i);

		int r = hash_function(&v->scratch, v->s->seed, f, &v->function_hashes[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* 1: found, with its id and up to when it is needed; 0: not there. */
static int find_row(struct store *s, enum store_statement find, uint64_t hash, int64_t *ret_id,
		    int64_t *ret_used)
{
	sqlite3_stmt *st = s->statements[find];
	int r;

	sqlite3_bind_int64(st, 1, (int64_t)hash);
	r = db_step(st);
	if (r > 0) {
		*ret_id = sqlite3_column_int64(st, 0);
		*ret_used = sqlite3_column_int64(st, 1);
	}
	sqlite3_reset(st);
	return r;
}

static int use_row(struct save *v, enum store_statement use, int64_t id)
{
	sqlite3_stmt *st = v->s->statements[use];

	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, v->covered);
	return db_run(st);
}

static int save_function(struct save *v, uint32_t function)
{
	const struct dict_function *f = dict_get_function(v->w->dict, function);
	sqlite3_stmt *st = v->s->statements[ST_ADD_FUNCTION];
	uint64_t hash = v->function_hashes[function];
	/* what a Python function's file tells is not kept as well */
	const char *module = f->kind == PLOP_FRAME_PYTHON ? "" : f->module;
	int64_t id, used;
	int r;

	if (v->function_ids[function])
		return 0;
	r = find_row(v->s, ST_FIND_FUNCTION, hash, &id, &used);
	if (r < 0)
		return r;
	if (r == 0) {
		sqlite3_bind_int64(st, 1, (int64_t)hash);
		sqlite3_bind_int64(st, 2, v->covered);
		sqlite3_bind_int64(st, 3, f->line);
		db_bind_text(st, 4, f->name);
		db_bind_text(st, 5, f->file);
		sqlite3_bind_int(st, 6, f->kind);
		db_bind_text(st, 7, module);
		r = db_run(st);
		id = sqlite3_last_insert_rowid(v->s->db);
		save_counts(v, strlen(f->name) + strlen(f->file) + strlen(module));
	} else {
		r = used < v->needed ? use_row(v, ST_USE_FUNCTION, id) : 0;
	}
	if (r < 0)
		return r;
	v->function_ids[function] = id;
	return 0;
}

static int hash_frames(struct save *v, const struct dict_stack *stack, uint64_t *ret)
{
	buf_clear(&v->scratch);
	for (uint32_t i = 0; i < stack->depth; i++) {
		const struct dict_frame *f = dict_get_frame(v->w->dict, stack->frames[i]);

		hash_frame(&v->scratch, v->function_hashes[f->function], f->line);
	}
	return hash_stack(&v->scratch, v->s->seed, ret);
}

/*
 * The functions of a stack live at least as long as it does, so all that renews the stack renews
 * them.
 */
static int save_functions_of(struct save *v, const struct dict_stack *stack)
{
	for (uint32_t i = 0; i < stack->depth; i++) {
		int r = save_function(v, dict_get_frame(v->w->dict, stack->frames[i])->function);

		if (r < 0)
			return r;
	}
	return 0;
}

static int add_stack(struct save *v, const struct dict_stack *stack, uint64_t hash, int64_t *ret_id)
{
	sqlite3_stmt *st = v->s->statements[ST_ADD_STACK];
	int r;

	buf_clear(&v->scratch);
	for (uint32_t i = 0; i < stack->depth; i++) {
		const struct dict_frame *f = dict_get_frame(v->w->dict, stack->frames[i]);

		packed_put(&v->scratch, (uint64_t)v->function_ids[f->function]);
		packed_put_signed(&v->scratch,
				  (int64_t)f->line -
					  dict_get_function(v->w->dict, f->function)->line);
	}
	if (v->scratch.error)
		return v->scratch.error;
	sqlite3_bind_int64(st, 1, (int64_t)hash);
	sqlite3_bind_int64(st, 2, v->covered);
	/* A NULL pointer would bind NULL instead of no bytes. */
	sqlite3_bind_blob64(st, 3, v->scratch.size ? v->scratch.data : "", v->scratch.size,
			    SQLITE_STATIC);
	r = db_run(st);
	if (r < 0)
		return r;
	*ret_id = sqlite3_last_insert_rowid(v->s->db);
	save_counts(v, v->scratch.size);
	return 0;
}

static int save_stack(struct save *v, uint32_t id)
{
	const struct dict_stack *stack = dict_get_stack(v->w->dict, id);
	struct recent_stack *recent, found = {};
	uint64_t hash = 0;
	int r;

	r = hash_frames(v, stack, &hash);
	if (r < 0)
		return r;
	recent = &v->s->recent[hash % RECENT_STACKS];
	if (recent->id && recent->hash == hash && recent->used >= v->needed) {
		v->stack_ids[id] = recent->id;
		return 0;
	}
	found.hash = hash;
	r = find_row(v->s, ST_FIND_STACK, hash, &found.id, &found.used);
	if (r < 0)
		return r;
	if (r == 0 || found.used < v->needed) {
		bool there = r > 0;

		r = save_functions_of(v, stack);
		if (r == 0 && there)
			r = use_row(v, ST_USE_STACK, found.id);
		else if (r == 0)
			r = add_stack(v, stack, hash, &found.id);
		if (r < 0)
			return r;
		found.used = v->covered;
	}
	*recent = found;
	v->stack_ids[id] = found.id;
	return 0;
}

static int save_process(struct save *v, const struct profile_process *p, int64_t *ret_id)
{
	const struct process_info *i = &p->info;
	const char *texts[] = { p->python, i->comm,      i->exe,     i->cmdline, i->cgroup,
				i->unit,   i->container, i->service, i->version };
	int64_t numbers[] = { i->pid, (int64_t)i->start_ticks, i->uid };
	sqlite3_stmt *st = v->s->statements[ST_ADD_PROCESS];
	uint64_t hash;
	int64_t used = 0;
	int r;

	r = hash_process(&v->scratch, v->s->seed, i, p->python, &hash);
	if (r == 0)
		r = find_row(v->s, ST_FIND_PROCESS, hash, ret_id, &used);
	if (r < 0)
		return r;
	if (r > 0)
		return used < v->needed ? use_row(v, ST_USE_PROCESS, *ret_id) : 0;
	sqlite3_bind_int64(st, 1, (int64_t)hash);
	sqlite3_bind_int64(st, 2, v->covered);
	sqlite3_bind_int64(st, 3, numbers[0]);
	sqlite3_bind_int64(st, 4, numbers[1]);
	sqlite3_bind_double(st, 5, i->start_time);
	sqlite3_bind_int64(st, 6, numbers[2]);
	for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
		db_bind_text(st, 7 + (int)k, texts[k]);
	r = db_run(st);
	*ret_id = sqlite3_last_insert_rowid(v->s->db);
	save_counts(v, v->scratch.size);
	return r;
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
		sqlite3_bind_int64(st, 3, v->id - 1);
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
	sqlite3_stmt *st = v->s->statements[ST_ADD_WINDOW];
	struct head h;
	int r;

	head_of_profile(v->w, &h);
	h.id = v->id;
	h.stepped_ns = v->stepped_ns;
	h.life_ns = v->life.now;
	head_bind(st, &h);
	r = db_run(st);
	return r < 0 ? r : save_life(v);
}

/* A sample with the database's stack id. */
struct row {
	uint32_t process, thread;
	int64_t stack;
	uint64_t count;
};

static int compare_rows(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->process != b->process)
		return a->process > b->process ? 1 : -1;
	if (a->thread != b->thread)
		return a->thread > b->thread ? 1 : -1;
	return (a->stack > b->stack) - (a->stack < b->stack);
}

/* Packs the rows of one process into scratch; returns their sum by ret. */
static int pack_rows(struct save *v, const struct row *rows, uint32_t n, uint64_t *ret)
{
	uint64_t sum = 0;
	uint32_t end;

	buf_clear(&v->scratch);
	for (uint32_t i = 0; i < n; i = end) {
		int64_t before = 0;

		for (end = i; end < n && rows[end].thread == rows[i].thread;)
			end++;
		packed_put(&v->scratch, rows[i].thread);
		packed_put(&v->scratch, end - i);
		for (uint32_t k = i; k < end; k++) {
			packed_put(&v->scratch, (uint64_t)(rows[k].stack - before));
			packed_put(&v->scratch, rows[k].count);
			before = rows[k].stack;
			sum += rows[k].count;
		}
	}
	*ret = sum;
	return v->scratch.error;
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

static int save_rows(struct save *v, struct row *rows, uint32_t n)
{
	sqlite3_stmt *st = v->s->statements[ST_ADD_SAMPLES];
	uint32_t end, number = 0;
	int64_t process = 0;
	uint64_t sum = 0;
	int r;

	n = merge_rows(rows, n);
	for (uint32_t i = 0; i < n; i = end, number++) {
		for (end = i; end < n && rows[end].process == rows[i].process;)
			end++;
		if (number >> SCHEMA_SAMPLES_SHIFT)
			return -E2BIG;
		v->process = rows[i].process;
		r = save_process(v, &v->w->processes[rows[i].process], &process);
		if (r == 0)
			r = pack_rows(v, rows + i, end - i, &sum);
		if (r < 0)
			return r;
		sqlite3_bind_int64(st, 1, v->id << SCHEMA_SAMPLES_SHIFT | number);
		sqlite3_bind_int64(st, 2, process);
		sqlite3_bind_int64(st, 3, (int64_t)sum);
		sqlite3_bind_blob64(st, 4, v->scratch.data, v->scratch.size, SQLITE_STATIC);
		r = db_run(st);
		if (r < 0)
			return r;
		save_counts(v, v->scratch.size);
	}
	return 0;
}

static int save_all(struct save *v)
{
	_cleanup_free_ struct row *rows = NULL;
	const struct profile *w = v->w;
	int r;

	r = hash_functions(v);
	if (r < 0)
		return r;
	rows = calloc((size_t)w->nsamples + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->nsamples; i++) {
		const struct profile_sample *sample = &w->samples[i];

		v->process = sample->process;
		if (!v->stack_ids[sample->stack]) {
			r = save_stack(v, sample->stack);
			if (r < 0)
				return r;
		}
		rows[i] = (struct row){ sample->process, sample->thread,
					v->stack_ids[sample->stack], sample->count };
	}
	r = save_head(v);
	return r < 0 ? r : save_rows(v, rows, w->nsamples);
}

int store_save(struct store *s, const struct profile *window)
{
	return store_save_for(s, window, NULL);
}

/*
 * How many windows ahead a row is taken to be needed, a power of two: rows that stay are then
 * written again at each of so many windows only. When windows go as there is no room, rows that
 * only these needed must go too, so the fewer of such windows find room, the fewer it is.
 */
#define AHEAD_MOST UINT64_C(128)
#define AHEAD_PART 16
/* Where nobody has said how large the file may be. */
#define MAX_BYTES_UNSAID (UINT64_C(1) << 30)

static int64_t windows_ahead(const struct store *s, const struct profile *window)
{
	uint64_t max = s->max_bytes ? s->max_bytes : MAX_BYTES_UNSAID;
	struct statvfs disk;
	uint64_t grown = s->grown ? s->grown : profile_bytes(window);
	uint64_t part, ahead = AHEAD_MOST;

	/* nor may it become larger than the disk */
	if (statvfs(s->path, &disk) == 0)
		max = MIN(max, (uint64_t)disk.f_bavail * disk.f_frsize + file_bytes(s->path));
	part = max / AHEAD_PART / MAX(grown, UINT64_C(1));
	while (ahead > 1 && ahead > part)
		ahead /= 2;
	return (int64_t)ahead;
}

/* All of a window in one transaction. */
static int save_in_one(struct save *v)
{
	struct store *s = v->s;
	int64_t ahead = windows_ahead(s, v->w);
	int r;

	v->needed = SCHEMA_USED_WINDOW + v->id;
	v->covered = SCHEMA_USED_WINDOW + (v->id + ahead - 1) / ahead * ahead;
	r = db_run(s->statements[ST_BEGIN]);
	if (r < 0)
		return r;
	r = save_all(v);
	if (r == 0)
		r = db_run(s->statements[ST_COMMIT]);
	if (r < 0)
		store_rollback(s);
	return r;
}

static int save_once(struct store *s, const struct profile *window, uint64_t *bytes)
{
	_cleanup_(save_done) struct save v = { .s = s, .w = window, .bytes = bytes };
	int64_t confirm = LIFE_CONFIRM_NS;
	int r;

	if (s->retention_ns)
		confirm = (int64_t)MIN(s->retention_ns, (uint64_t)LIFE_CONFIRM_NS);
	v.id = s->window_id + 1;
	v.stepped_ns = window->stepped_ns + s->missed_ns;
	v.life =
		life_after(&s->life, v.id, window->start_ns, window->end_ns, v.stepped_ns, confirm);
	r = save_in_one(&v);
	if (r < 0)
		return r;
	s->window_id = v.id;
	s->life = v.life;
	s->missed_ns = 0;
	s->grown = MAX(v.total, s->grown - s->grown / 8);
	return 0;
}

int store_save_as(struct store *s, const struct profile *window, int64_t id, int64_t life_ns)
{
	_cleanup_(save_done) struct save v = { .s = s, .w = window, .id = id, .life = s->life };

	v.stepped_ns = window->stepped_ns;
	v.life.now = life_ns;
	v.life.counts = 0;
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
