/* SPDX-License-Identifier: BSD-2-Clause */
#include "version1.h"

#include "made.h"
#include "store/db.h"
#include "store/hash.h"
#include "store/packed.h"
#include "store/schema.h"

/* Other lines on which a stack is seen: so many that few stacks are seen twice. */
#define LINES 4000

/* The rows that version 1 had are described in store/schema.c. */
struct file {
	sqlite3 *db;
	int64_t seed, window; /* window: id of the last one */
	sqlite3_stmt *find_function, *find_stack, *find_process;
	sqlite3_stmt *add_stack, *add_samples, *add_window;
	/* of the functions of the window that is added */
	uint64_t *hashes;
	int64_t *ids;
	struct buf blob, hashed, scratch;
};

static const char add_window[] =
	"INSERT INTO windows(id, start_ns, end_ns, hz, ticks, python, other, truncated, lost_fault,"
	" lost_stacks_full, lost_frames_full, lost_unsupported, lost_corrupt, lost_drain, samples)"
	" VALUES(?1, ?2, ?3, 100, ?4, ?4, 0, 0, 0, 0, 0, 0, 0, 0, ?4)";

static void open_file(struct file *f, const char *dir)
{
	_cleanup_free_ char *path = db_path(dir, STORE_FILE);
	int64_t version;

	must(db_open(path, DB_WRITE, &f->db), "open");
	must(db_int(f->db, "PRAGMA user_version", &version), "version");
	must(version == 1 ? 0 : -EINVAL, "version 1");
	must(db_exec(f->db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
			    "PRAGMA cache_size=-262144"),
	     "pragma");
	must(db_int(f->db, "SELECT value FROM meta WHERE key = 'hash_seed'", &f->seed), "seed");
	must(db_int(f->db, "SELECT max(id) FROM windows", &f->window), "window");
	must(db_prepare(f->db, "SELECT id FROM functions WHERE hash = ?1", &f->find_function), "");
	must(db_prepare(f->db, "SELECT id FROM stacks WHERE hash = ?1", &f->find_stack), "");
	must(db_prepare(f->db, "SELECT id FROM processes WHERE hash = ?1", &f->find_process), "");
	must(db_prepare(f->db, "INSERT INTO stacks(hash, used, frames) VALUES(?1, ?2, ?3)",
			&f->add_stack),
	     "stacks");
	must(db_prepare(f->db,
			"INSERT INTO samples(id, process, samples, data) VALUES(?1, ?2, ?3, ?4)",
			&f->add_samples),
	     "samples");
	must(db_prepare(f->db, add_window, &f->add_window), "windows");
}

static void close_file(struct file *f)
{
	sqlite3_stmt *all[] = { f->find_function, f->find_stack,  f->find_process,
				f->add_stack,     f->add_samples, f->add_window };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		sqlite3_finalize(all[i]);
	must(db_exec(f->db, "PRAGMA journal_mode=WAL"), "pragma");
	sqlite3_close(f->db);
	buf_free(&f->blob);
	buf_free(&f->hashed);
	buf_free(&f->scratch);
	free(f->hashes);
	free(f->ids);
}

/* The row of that hash; 0: there is none. */
static int64_t find(sqlite3_stmt *st, uint64_t hash)
{
	int64_t id = 0;
	int r;

	sqlite3_bind_int64(st, 1, (int64_t)hash);
	r = db_step(st);
	must(r, "find");
	if (r > 0)
		id = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return id;
}

static int64_t add_stack(struct file *f, const struct profile *p, uint32_t stack)
{
	const struct dict_stack *s = dict_get_stack(p->dict, stack);
	uint64_t hash;
	int64_t id;

	buf_clear(&f->blob);
	buf_clear(&f->hashed);
	for (uint32_t i = 0; i < s->depth; i++) {
		const struct dict_frame *frame = dict_get_frame(p->dict, s->frames[i]);
		const struct dict_function *function = dict_get_function(p->dict, frame->function);

		hash_frame(&f->hashed, f->hashes[frame->function], frame->line);
		packed_put(&f->blob, (uint64_t)f->ids[frame->function]);
		packed_put_signed(&f->blob, (int64_t)frame->line - function->line);
	}
	must(hash_stack(&f->hashed, f->seed, &hash), "stack");
	id = find(f->find_stack, hash);
	if (id)
		return id;
	sqlite3_bind_int64(f->add_stack, 1, (int64_t)hash);
	sqlite3_bind_int64(f->add_stack, 2, (int64_t)(p->end_ns / NSEC_PER_SEC / SCHEMA_USED_HOUR));
	sqlite3_bind_blob64(f->add_stack, 3, f->blob.size ? f->blob.data : "", f->blob.size,
			    SQLITE_STATIC);
	must(db_run(f->add_stack), "stack");
	return sqlite3_last_insert_rowid(f->db);
}

/* The functions of a window: hashes, and ids of their rows. */
static void find_functions(struct file *f, const struct dict *d)
{
	uint32_t n = dict_functions(d);

	free(f->hashes);
	free(f->ids);
	f->hashes = calloc(n + 1u, sizeof(*f->hashes));
	f->ids = calloc(n + 1u, sizeof(*f->ids));
	must(f->hashes && f->ids ? 0 : -ENOMEM, "functions");
	for (uint32_t i = 0; i < n; i++) {
		must(hash_function(&f->scratch, f->seed, dict_get_function(d, i), &f->hashes[i]),
		     "function");
		f->ids[i] = find(f->find_function, f->hashes[i]);
		must(f->ids[i] ? 0 : -ENOENT, "function");
	}
}

/* A sample with the id of its stack. */
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

/* The rows of one process. */
static void add_samples(struct file *f, const struct profile_process *p, const struct row *rows,
			uint32_t n, uint32_t number)
{
	uint64_t hash, sum = 0;
	uint32_t end;

	buf_clear(&f->blob);
	for (uint32_t i = 0; i < n; i = end) {
		int64_t before = 0;

		for (end = i; end < n && rows[end].thread == rows[i].thread;)
			end++;
		packed_put(&f->blob, rows[i].thread);
		packed_put(&f->blob, end - i);
		for (uint32_t k = i; k < end; k++) {
			packed_put(&f->blob, (uint64_t)(rows[k].stack - before));
			packed_put(&f->blob, rows[k].count);
			before = rows[k].stack;
			sum += rows[k].count;
		}
	}
	must(hash_process(&f->scratch, f->seed, &p->info, p->python, &hash), "process");
	sqlite3_bind_int64(f->add_samples, 1, f->window << SCHEMA_SAMPLES_SHIFT | number);
	sqlite3_bind_int64(f->add_samples, 2, find(f->find_process, hash));
	sqlite3_bind_int64(f->add_samples, 3, (int64_t)sum);
	sqlite3_bind_blob64(f->add_samples, 4, f->blob.data, f->blob.size, SQLITE_STATIC);
	must(db_run(f->add_samples), "samples");
}

static void add(struct file *f, const struct profile *p)
{
	struct row *rows = calloc(p->nsamples, sizeof(*rows));
	uint32_t end, number = 0;

	must(rows ? 0 : -ENOMEM, "rows");
	f->window++;
	find_functions(f, p->dict);
	for (uint32_t i = 0; i < p->nsamples; i++)
		rows[i] = (struct row){ p->samples[i].process, p->samples[i].thread,
					add_stack(f, p, p->samples[i].stack), p->samples[i].count };
	qsort(rows, p->nsamples, sizeof(*rows), compare_rows);
	for (uint32_t i = 0; i < p->nsamples; i = end) {
		for (end = i; end < p->nsamples && rows[end].process == rows[i].process;)
			end++;
		add_samples(f, &p->processes[rows[i].process], rows + i, end - i, number++);
	}
	sqlite3_bind_int64(f->add_window, 1, f->window);
	sqlite3_bind_int64(f->add_window, 2, (int64_t)p->start_ns);
	sqlite3_bind_int64(f->add_window, 3, (int64_t)p->end_ns);
	sqlite3_bind_int64(f->add_window, 4, (int64_t)p->samples_total);
	must(db_run(f->add_window), "window");
	free(rows);
}

static uint64_t size(struct file *f)
{
	int64_t pages, page;

	must(db_int(f->db, "PRAGMA page_count", &pages), "size");
	must(db_int(f->db, "PRAGMA page_size", &page), "size");
	return (uint64_t)(pages * page);
}

unsigned int version1_grow(const char *dir, const struct profile *from, uint64_t bytes,
			   unsigned int stacks)
{
	struct file f = {};
	unsigned int n = 0;

	open_file(&f, dir);
	must(db_exec(f.db, "BEGIN"), "begin");
	for (; size(&f) < bytes; n++) {
		struct profile *p = made_window(from, n, stacks, LINES);

		add(&f, p);
		profile_free(p);
	}
	must(db_exec(f.db, "COMMIT"), "commit");
	close_file(&f);
	return n;
}
