/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>
#include <sys/stat.h>

#include "store/idmap.h"
#include "store/internal.h"
#include "store/packed.h"
#include "store/reader.h"
#include "store/schema.h"

/*
 * How the file is opened depends on the writer. While it is up, and after it ended with WAL and -shm kept, an ordinary
 * reader works, also one that may not write there. Without -shm such a reader can only take the file for
 * immutable, which stops being true as soon as a writer starts: a handle of that kind is used once.
 */
static int reader_connect(struct store_reader *r)
{
	struct stat sb;
	int version, e;

	if (stat(r->path, &sb) < 0)
		return -errno;
	/* The file may have been replaced, or brought up by a newer plopd. */
	if (r->db && !r->immutable && sb.st_dev == r->dev && sb.st_ino == r->ino)
		return schema_look(r->db, &version);
	sqlite3_close(r->db);
	r->db = NULL;
	r->immutable = false;
	e = db_open(r->path, DB_READ, &r->db);
	if (e == 0)
		e = schema_look(r->db, &version);
	if (e == -ENOENT || e == -EROFS || e == -EACCES) {
		sqlite3_close(r->db);
		r->db = NULL;
		r->immutable = true;
		e = db_open(r->path, DB_IMMUTABLE, &r->db);
		if (e == 0)
			e = schema_look(r->db, &version);
	}
	if (e == 0 && version == 0)
		e = -ENOENT;
	else if (e == 0 && version < SCHEMA_VERSION)
		e = -EAGAIN;
	if (e == 0)
		e = db_exec(r->db, "PRAGMA cache_size=-2048; PRAGMA temp_store=MEMORY");
	if (e < 0) {
		sqlite3_close(r->db);
		r->db = NULL;
		return e;
	}
	r->dev = sb.st_dev;
	r->ino = sb.st_ino;
	return 0;
}

int reader_begin(struct store_reader *r)
{
	int e = reader_connect(r);

	/* Deferred: the first SELECT fixes what is seen until reader_end(). */
	return e < 0 ? e : db_exec(r->db, "BEGIN");
}

void reader_end(struct store_reader *r)
{
	if (r->db && !sqlite3_get_autocommit(r->db))
		db_exec(r->db, "ROLLBACK");
}

int store_reader_open(const char *state_dir, struct store_reader **ret, char **ret_error)
{
	_cleanup_(store_reader_closep) struct store_reader *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->path = db_path(state_dir, STORE_FILE);
	if (!r->path)
		return -ENOMEM;
	e = reader_connect(r);
	if (e == -ENOENT)
		return db_fail(ret_error, e, "there is no %s yet", r->path);
	if (e == -EPROTO)
		return db_fail(ret_error, e, "%s was made by a newer plop", r->path);
	if (e == -EAGAIN)
		return db_fail(ret_error, e, "%s waits for plopd to bring it up to date", r->path);
	if (e == -EBADMSG)
		return db_fail(ret_error, e, "%s is no database of plop, or a broken one", r->path);
	if (e < 0)
		return db_fail(ret_error, e, "cannot read %s: %s", r->path, strerror(-e));
	*ret = TAKE_PTR(r);
	return 0;
}

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	sqlite3_close(r->db);
	free(r->path);
	free(r);
}

void store_reader_pass_over(struct store_reader *r, const uint64_t *starts, size_t n)
{
	r->passed_over = starts;
	r->npassed_over = n;
}

void store_reader_limit(struct store_reader *r, size_t bytes)
{
	r->limit = bytes;
}

bool reader_passes_over(const struct store_reader *r, uint64_t start_ns)
{
	for (size_t i = 0; i < r->npassed_over; i++) {
		if (r->passed_over[i] == start_ns)
			return true;
	}
	return false;
}

int store_reader_facts(struct store_reader *r, struct store_facts *ret)
{
	int e = reader_begin(r);

	if (e == 0)
		e = store_facts_of(r->db, r->path, ret);
	reader_end(r);
	return e;
}

/* What one query has met so far. */
struct query {
	const struct selectors *selectors;
	size_t limit; /* of memory for p; 0: none */
	struct profile *p;
	struct idmap functions, stacks, processes; /* database id -> profile id */
	sqlite3_stmt *windows, *samples, *function, *stack, *process;
	uint32_t *frames; /* of one stack */
	uint32_t frames_room;
};

/* The value of a process that the selectors leave out. */
#define LEFT_OUT (UINT32_MAX - 1)

static void query_done(struct query *q)
{
	sqlite3_finalize(q->windows);
	sqlite3_finalize(q->samples);
	sqlite3_finalize(q->function);
	sqlite3_finalize(q->stack);
	sqlite3_finalize(q->process);
	idmap_done(&q->functions);
	idmap_done(&q->stacks);
	idmap_done(&q->processes);
	free(q->frames);
	profile_free(q->p);
}

static int query_prepare(struct query *q, sqlite3 *db)
{
	int r;

	r = db_prepare(
		db,
		"SELECT id, start_ns, end_ns, hz, ticks, python, other, truncated, lost_fault,"
		" lost_stacks_full, lost_frames_full, lost_unsupported, lost_corrupt, lost_drain,"
		" lost_threads"
		" FROM windows WHERE end_ns > ?1 AND start_ns < ?2 ORDER BY end_ns",
		&q->windows);
	if (r == 0)
		r = db_prepare(db, "SELECT process, data FROM samples WHERE id BETWEEN ?1 AND ?2",
			       &q->samples);
	if (r == 0)
		r = db_prepare(db, "SELECT name, file, line FROM functions WHERE id=?1",
			       &q->function);
	if (r == 0)
		r = db_prepare(db, "SELECT frames FROM stacks WHERE id=?1", &q->stack);
	if (r == 0)
		r = db_prepare(
			db,
			"SELECT pid, start_ticks, start_time, uid, python, comm, exe, cmdline,"
			" cgroup, unit, container, service, version FROM processes WHERE id=?1",
			&q->process);
	return r;
}

/* The only row of a dictionary table. -EBADMSG: there is none, the file contradicts itself. */
static int lookup(sqlite3_stmt *st, uint64_t id)
{
	int r;

	sqlite3_reset(st);
	sqlite3_bind_int64(st, 1, (int64_t)id);
	r = db_step(st);
	return r == 0 ? -EBADMSG : MIN(r, 0);
}

/* SQLite gives NULL for a blob without bytes, and C allows no arithmetic on that. */
static struct packed column_packed(sqlite3_stmt *st, int column)
{
	static const uint8_t none[1];
	const uint8_t *at = sqlite3_column_blob(st, column);
	int size = sqlite3_column_bytes(st, column);

	return at ? (struct packed){ at, at + size } : (struct packed){ none, none };
}

static int load_function(struct query *q, uint64_t id, uint32_t *ret)
{
	const char *name, *file;
	int r;

	if (idmap_get(&q->functions, id, ret))
		return 0;
	r = lookup(q->function, id);
	if (r < 0)
		return r;
	name = db_text(q->function, 0);
	file = db_text(q->function, 1);
	if (!name || !file)
		return -ENOMEM;
	r = dict_function(q->p->dict, name, file, sqlite3_column_int(q->function, 2), ret);
	return r < 0 ? r : idmap_put(&q->functions, id, *ret);
}

static int load_frame(struct query *q, struct packed *data, uint32_t *ret)
{
	uint32_t function;
	int64_t delta, line;
	uint64_t id;
	int r;

	r = packed_get(data, &id);
	if (r == 0)
		r = packed_get_signed(data, &delta);
	if (r == 0)
		r = load_function(q, id, &function);
	if (r < 0)
		return r;
	if (__builtin_add_overflow(delta, dict_get_function(q->p->dict, function)->line, &line) ||
	    line > INT_MAX || line < INT_MIN)
		return -EBADMSG;
	return dict_frame(q->p->dict, function, (int)line, ret);
}

static int load_stack(struct query *q, uint64_t id, uint32_t *ret)
{
	struct packed data;
	uint32_t depth = 0;
	int r;

	if (idmap_get(&q->stacks, id, ret))
		return 0;
	r = lookup(q->stack, id);
	if (r < 0)
		return r;
	data = column_packed(q->stack, 0);
	while (data.at < data.end) {
		if (depth == q->frames_room) {
			uint32_t *frames =
				reallocarray(q->frames, (size_t)depth + 1024, sizeof(*frames));

			if (!frames)
				return -ENOMEM;
			q->frames = frames;
			q->frames_room = depth + 1024;
		}
		r = load_frame(q, &data, &q->frames[depth]);
		if (r < 0)
			return r;
		depth++;
	}
	r = dict_stack(q->p->dict, q->frames, depth, ret);
	return r < 0 ? r : idmap_put(&q->stacks, id, *ret);
}

/* ret: LEFT_OUT for a process that is not wanted. */
static int load_process(struct query *q, uint64_t id, uint32_t *ret)
{
	struct profile_process p = {};
	sqlite3_stmt *st = q->process;
	char **texts[] = { &p.python,         &p.info.comm,    &p.info.exe,
			   &p.info.cmdline,   &p.info.cgroup,  &p.info.unit,
			   &p.info.container, &p.info.service, &p.info.version };
	int r;

	if (idmap_get(&q->processes, id, ret))
		return 0;
	r = lookup(st, id);
	if (r < 0)
		return r;
	p.info.pid = sqlite3_column_int(st, 0);
	p.info.start_ticks = (uint64_t)sqlite3_column_int64(st, 1);
	p.info.start_time = sqlite3_column_double(st, 2);
	p.info.uid = (uid_t)sqlite3_column_int64(st, 3);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		/* Borrowed until the statement's next step; profile_process() copies. */
		*texts[i] = (char *)db_text(st, 4 + (int)i);
		if (!*texts[i])
			return -ENOMEM;
	}
	*ret = LEFT_OUT;
	if (selectors_match_process(q->selectors, &p))
		r = profile_process(q->p, &p.info, p.python, ret);
	return r < 0 ? r : idmap_put(&q->processes, id, *ret);
}

/* Memory that the answer takes so far. */
static size_t query_bytes(const struct query *q)
{
	return profile_bytes(q->p) + idmap_bytes(&q->functions) + idmap_bytes(&q->stacks) +
	       idmap_bytes(&q->processes);
}

static int add_thread(struct query *q, uint32_t process, struct packed *data)
{
	uint64_t thread, n, id = 0, delta, count;
	uint32_t stack;
	bool wanted;
	int r;

	r = packed_get(data, &thread);
	if (r == 0)
		r = packed_get(data, &n);
	if (r < 0)
		return r;
	if (thread > UINT32_MAX)
		return -EBADMSG;
	wanted = selectors_match_thread(q->selectors, (uint32_t)thread);
	for (; n > 0; n--) {
		r = packed_get(data, &delta);
		if (r == 0)
			r = packed_get(data, &count);
		if (r < 0)
			return r;
		id += delta;
		if (!wanted)
			continue;
		r = load_stack(q, id, &stack);
		if (r == 0)
			r = profile_add(q->p, process, (uint32_t)thread, stack, count);
		if (r == 0 && q->limit && query_bytes(q) > q->limit)
			r = -E2BIG;
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_samples(struct query *q, int64_t window)
{
	struct packed data;
	uint32_t process;
	int r;

	sqlite3_reset(q->samples);
	sqlite3_bind_int64(q->samples, 1, window << SCHEMA_SAMPLES_SHIFT);
	sqlite3_bind_int64(q->samples, 2, ((window + 1) << SCHEMA_SAMPLES_SHIFT) - 1);
	while ((r = db_step(q->samples)) > 0) {
		r = load_process(q, (uint64_t)sqlite3_column_int64(q->samples, 0), &process);
		if (r < 0)
			return r;
		/* The blob of a process that is not wanted is not even read. */
		if (process == LEFT_OUT)
			continue;
		data = column_packed(q->samples, 1);
		while (data.at < data.end) {
			r = add_thread(q, process, &data);
			if (r < 0)
				return r;
		}
	}
	return r;
}

static void add_window(struct query *q, bool first)
{
	uint64_t start = (uint64_t)sqlite3_column_int64(q->windows, 1);
	uint64_t end = (uint64_t)sqlite3_column_int64(q->windows, 2);
	sqlite3_stmt *st = q->windows;
	struct tally t = {};

	q->p->start_ns = first ? start : MIN(q->p->start_ns, start);
	q->p->end_ns = first ? end : MAX(q->p->end_ns, end);
	/* As profile_merge() has it, but the newest rate: it is that of most that is asked for. */
	q->p->hz = (uint32_t)sqlite3_column_int64(st, 3);
	t.ticks = (uint64_t)sqlite3_column_int64(st, 4);
	t.python = (uint64_t)sqlite3_column_int64(st, 5);
	t.other = (uint64_t)sqlite3_column_int64(st, 6);
	t.truncated = (uint64_t)sqlite3_column_int64(st, 7);
	for (int i = 0; i < STORE_LOST_CAUSES; i++)
		t.lost[i] = (uint64_t)sqlite3_column_int64(st, 8 + i);
	tally_add(&q->p->tally, &t);
}

static int query_run(struct query *q, const struct store_reader *reader, uint64_t from_ns,
		     uint64_t to_ns)
{
	bool first = true;
	int r;

	sqlite3_bind_int64(q->windows, 1, (int64_t)MIN(from_ns, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(q->windows, 2, (int64_t)MIN(to_ns, (uint64_t)INT64_MAX));
	while ((r = db_step(q->windows)) > 0) {
		if (reader_passes_over(reader, (uint64_t)sqlite3_column_int64(q->windows, 1)))
			continue;
		add_window(q, first);
		first = false;
		r = add_samples(q, sqlite3_column_int64(q->windows, 0));
		if (r < 0)
			return r;
	}
	return r;
}

/* Whether a process was met whose threads the selectors leave out, all of them. */
static bool any_without_samples(const struct profile *p)
{
	for (uint32_t i = 0; i < p->nprocesses; i++)
		if (!p->processes[i].samples)
			return true;
	return false;
}

static int query_all(struct store_reader *r, uint64_t from_ns, uint64_t to_ns,
		     const struct selectors *s, struct profile **ret)
{
	_cleanup_(query_done) struct query q = { .selectors = s, .limit = r->limit };
	int e;

	e = profile_new(from_ns, 0, &q.p);
	if (e < 0)
		return e;
	q.p->end_ns = MAX(from_ns, to_ns);
	e = query_prepare(&q, r->db);
	if (e == 0)
		e = query_run(&q, r, from_ns, to_ns);
	if (e == 0 && any_without_samples(q.p))
		return profile_select(q.p, s, ret);
	if (e == 0)
		*ret = TAKE_PTR(q.p);
	return e;
}

int store_profile(struct store_reader *r, uint64_t from_ns, uint64_t to_ns,
		  const struct selectors *s, struct profile **ret)
{
	static const struct selectors none;
	int e = reader_begin(r);

	if (e == 0)
		e = query_all(r, from_ns, to_ns, s ? s : &none, ret);
	reader_end(r);
	return e;
}
