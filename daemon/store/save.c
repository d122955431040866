/* SPDX-License-Identifier: BSD-2-Clause */
#include <xxhash.h>

#include "store/internal.h"
#include "store/packed.h"
#include "store/schema.h"

/* One window on its way into the database. */
struct save {
	struct store *s;
	const struct profile *w;
	int64_t hour;              /* of the window's end, for used */
	uint64_t *function_hashes; /* by the dict's ids */
	int64_t *function_ids;     /* 0: not looked up yet */
	int64_t *stack_ids;
	struct buf scratch;
	uint64_t *bytes;  /* of each process; NULL: nobody wants to know */
	uint32_t process; /* for which something is saved now */
};

/* What a row takes beside its texts and blobs: its numbers, its place in the index of hashes, and its share of pages half full. */
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
	if (v->bytes)
		v->bytes[v->process] += bytes + ROW_BYTES;
}

/* The hash of what lies in scratch. */
static uint64_t hash_scratch(const struct save *v)
{
	return XXH3_64bits_withSeed(v->scratch.data, v->scratch.size, (uint64_t)v->s->seed);
}

/* With the NUL, so that "ab" "c" and "a" "bc" differ. */
static void scratch_text(struct save *v, const char *s)
{
	buf_append(&v->scratch, s, strlen(s) + 1);
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

		buf_clear(&v->scratch);
		scratch_text(v, f->name);
		scratch_text(v, f->file);
		buf_append(&v->scratch, &f->line, sizeof(f->line));
		if (v->scratch.error)
			return v->scratch.error;
		v->function_hashes[i] = hash_scratch(v);
	}
	return 0;
}

/* 1: found, with its id and the hour of its last use; 0: not there. */
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

static int use_row(struct store *s, enum store_statement use, int64_t id, int64_t hour)
{
	sqlite3_stmt *st = s->statements[use];

	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, hour);
	return db_run(st);
}

static int save_function(struct save *v, uint32_t function)
{
	const struct dict_function *f = dict_get_function(v->w->dict, function);
	sqlite3_stmt *st = v->s->statements[ST_ADD_FUNCTION];
	uint64_t hash = v->function_hashes[function];
	int64_t id, used;
	int r;

	if (v->function_ids[function])
		return 0;
	r = find_row(v->s, ST_FIND_FUNCTION, hash, &id, &used);
	if (r < 0)
		return r;
	if (r == 0) {
		sqlite3_bind_int64(st, 1, (int64_t)hash);
		sqlite3_bind_int64(st, 2, v->hour);
		sqlite3_bind_int64(st, 3, f->line);
		db_bind_text(st, 4, f->name);
		db_bind_text(st, 5, f->file);
		r = db_run(st);
		id = sqlite3_last_insert_rowid(v->s->db);
		save_counts(v, strlen(f->name) + strlen(f->file));
	} else {
		r = used < v->hour ? use_row(v->s, ST_USE_FUNCTION, id, v->hour) : 0;
	}
	if (r < 0)
		return r;
	v->function_ids[function] = id;
	return 0;
}

static int hash_stack(struct save *v, const struct dict_stack *stack, uint64_t *ret)
{
	buf_clear(&v->scratch);
	for (uint32_t i = 0; i < stack->depth; i++) {
		const struct dict_frame *f = dict_get_frame(v->w->dict, stack->frames[i]);
		uint64_t item[2] = { v->function_hashes[f->function], (uint64_t)(int64_t)f->line };

		buf_append(&v->scratch, item, sizeof(item));
	}
	if (v->scratch.error)
		return v->scratch.error;
	*ret = hash_scratch(v);
	return 0;
}

/* The functions of a stack live at least as long as it does, so all that renews the stack renews them. */
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
	sqlite3_bind_int64(st, 2, v->hour);
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

	r = hash_stack(v, stack, &hash);
	if (r < 0)
		return r;
	recent = &v->s->recent[hash % RECENT_STACKS];
	if (recent->id && recent->hash == hash && recent->used >= v->hour) {
		v->stack_ids[id] = recent->id;
		return 0;
	}
	found.hash = hash;
	r = find_row(v->s, ST_FIND_STACK, hash, &found.id, &found.used);
	if (r < 0)
		return r;
	if (r == 0 || found.used < v->hour) {
		bool there = r > 0;

		r = save_functions_of(v, stack);
		if (r == 0 && there)
			r = use_row(v->s, ST_USE_STACK, found.id, v->hour);
		else if (r == 0)
			r = add_stack(v, stack, hash, &found.id);
		if (r < 0)
			return r;
		found.used = v->hour;
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
	int64_t used;
	int r;

	buf_clear(&v->scratch);
	buf_append(&v->scratch, numbers, sizeof(numbers));
	buf_append(&v->scratch, &i->start_time, sizeof(i->start_time));
	for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
		scratch_text(v, texts[k]);
	if (v->scratch.error)
		return v->scratch.error;
	r = find_row(v->s, ST_FIND_PROCESS, hash_scratch(v), ret_id, &used);
	if (r < 0)
		return r;
	if (r > 0)
		return used < v->hour ? use_row(v->s, ST_USE_PROCESS, *ret_id, v->hour) : 0;
	sqlite3_bind_int64(st, 1, (int64_t)hash_scratch(v));
	sqlite3_bind_int64(st, 2, v->hour);
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

static int save_window(struct save *v, int64_t *ret_id)
{
	sqlite3_stmt *st = v->s->statements[ST_ADD_WINDOW];
	const struct profile *w = v->w;
	int r;

	sqlite3_bind_int64(st, 1, (int64_t)w->start_ns);
	sqlite3_bind_int64(st, 2, (int64_t)w->end_ns);
	sqlite3_bind_int64(st, 3, w->hz);
	sqlite3_bind_int64(st, 4, (int64_t)w->tally.ticks);
	sqlite3_bind_int64(st, 5, (int64_t)w->tally.python);
	sqlite3_bind_int64(st, 6, (int64_t)w->tally.other);
	sqlite3_bind_int64(st, 7, (int64_t)w->tally.truncated);
	sqlite3_bind_int64(st, 8, (int64_t)w->samples_total);
	_Static_assert(STORE_LOST_CAUSES == 7 && PLOP_LOST_CAUSES == 8,
		       "one column for each cause: a new one needs a migration");
	for (int i = 0; i < STORE_LOST_CAUSES; i++)
		sqlite3_bind_int64(st, 9 + i, (int64_t)w->tally.lost[i]);
	r = db_run(st);
	if (r < 0)
		return r;
	*ret_id = sqlite3_last_insert_rowid(v->s->db);
	return 0;
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
 * Sorts, and makes one row of those that differ in the thread's state alone. The store keeps windows, which are time on
 * CPU: what a thread did with the GIL is for recordings.
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

static int save_rows(struct save *v, int64_t window, struct row *rows, uint32_t n)
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
		sqlite3_bind_int64(st, 1, window << SCHEMA_SAMPLES_SHIFT | number);
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
	int64_t window;
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
	r = save_window(v, &window);
	if (r < 0)
		return r;
	return save_rows(v, window, rows, w->nsamples);
}

int store_save(struct store *s, const struct profile *window)
{
	return store_save_for(s, window, NULL);
}

int store_save_for(struct store *s, const struct profile *window, uint64_t *bytes)
{
	_cleanup_(save_done) struct save v = { .s = s, .w = window, .bytes = bytes };
	int r;

	v.hour = (int64_t)(window->end_ns / NSEC_PER_SEC / SCHEMA_USED_UNIT);
	r = db_run(s->statements[ST_BEGIN]);
	if (r < 0)
		return r;
	r = save_all(&v);
	if (r == 0)
		r = db_run(s->statements[ST_COMMIT]);
	if (r < 0)
		store_rollback(s);
	return r;
}
