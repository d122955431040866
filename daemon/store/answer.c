/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>

#include "store/hash.h"
#include "store/head.h"
#include "store/idmap.h"
#include "store/packed.h"
#include "store/reader.h"
#include "store/schema.h"

/* What one query has met so far. */
struct query {
	const struct selectors *selectors;
	size_t limit; /* of memory for p; 0: none */
	bool prune;
	struct profile *p;
	struct idmap functions, stacks, processes; /* database id -> profile id */
	sqlite3_stmt *windows, *samples, *function, *stack, *process;
	uint32_t *frames; /* of one stack */
	uint32_t frames_room;
	/* What every row is held against: flipped bits are no answer. */
	int64_t seed;
	uint64_t *hashes; /* of the profile's functions */
	uint32_t hashes_room;
	struct buf scratch, stack_scratch;
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
	free(q->hashes);
	buf_free(&q->scratch);
	buf_free(&q->stack_scratch);
	profile_free(q->p);
}

/* Windows in time; and one window. */
#define IN_TIME "WHERE end_ns > ?1 AND start_ns < ?2 ORDER BY end_ns"
#define BY_ID   "WHERE id = ?1"

/* By the file's schema version: one that is damaged is read as it is. */
static const char *function_by_id(int version)
{
	return version < 3 ?
		       "SELECT name, file, line, hash,"
		       " CASE WHEN file='' AND line=0 THEN 3 ELSE 0 END, '' FROM functions"
		       " WHERE id=?1" :
		       "SELECT name, file, line, hash, kind, module FROM functions WHERE id=?1";
}

static int query_prepare(struct query *q, sqlite3 *db, int version, const char *windows)
{
	_cleanup_free_ char *sql = head_select(version, windows);
	int r;

	if (!sql)
		return -ENOMEM;
	r = db_prepare(db, sql, &q->windows);
	if (r == 0)
		r = db_prepare(db,
			       "SELECT process, data, samples FROM samples WHERE id BETWEEN ?1"
			       " AND ?2",
			       &q->samples);
	if (r == 0)
		r = db_prepare(db, function_by_id(version), &q->function);
	if (r == 0)
		r = db_prepare(db, "SELECT frames, hash FROM stacks WHERE id=?1", &q->stack);
	if (r == 0)
		r = db_prepare(
			db,
			"SELECT pid, start_ticks, start_time, uid, python, comm, exe, cmdline,"
			" cgroup, unit, container, service, version, hash FROM processes WHERE"
			" id=?1",
			&q->process);
	if (r == 0)
		r = db_int(db, "SELECT value FROM meta WHERE key='hash_seed'", &q->seed);
	return r == -ENOENT ? -EBADMSG : r;
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

/* Notes the hash of a function of the profile. */
static int keep_hash(struct query *q, uint32_t function, uint64_t hash)
{
	if (function >= q->hashes_room) {
		uint32_t room = function + function / 2 + 256;
		uint64_t *hashes = reallocarray(q->hashes, room, sizeof(*hashes));

		if (!hashes)
			return -ENOMEM;
		q->hashes = hashes;
		q->hashes_room = room;
	}
	q->hashes[function] = hash;
	return 0;
}

/*
 * What the row says; texts are borrowed until the statement's next step. -EBADMSG: no function can
 * be so.
 */
static int read_function(sqlite3_stmt *st, struct dict_function *f)
{
	int64_t kind = sqlite3_column_int64(st, 4);

	f->name = db_text(st, 0);
	f->file = db_text(st, 1);
	f->line = sqlite3_column_int(st, 2);
	f->module = db_text(st, 5);
	if (!f->name || !f->file || !f->module)
		return -ENOMEM;
	if (kind < 0 || kind >= PLOP_FRAME_KINDS)
		return -EBADMSG;
	f->kind = (enum plop_frame_kind)kind;
	/* what the hash is not of */
	if ((f->kind == PLOP_FRAME_PYTHON || f->kind == PLOP_FRAME_SYNTHETIC) && *f->module)
		return -EBADMSG;
	return f->kind == PLOP_FRAME_SYNTHETIC && (*f->file || f->line) ? -EBADMSG : 0;
}

static int load_function(struct query *q, uint64_t id, uint32_t *ret)
{
	struct dict_function f;
	uint64_t hash;
	int r;

	if (idmap_get(&q->functions, id, ret))
		return 0;
	r = lookup(q->function, id);
	if (r == 0)
		r = read_function(q->function, &f);
	if (r == 0)
		r = hash_function(&q->scratch, q->seed, &f, &hash);
	if (r < 0)
		return r;
	if (hash != (uint64_t)sqlite3_column_int64(q->function, 3))
		return -EBADMSG;
	r = dict_function(q->p->dict, &f, ret);
	if (r == 0)
		r = keep_hash(q, *ret, hash);
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
	hash_frame(&q->stack_scratch, q->hashes[function], (int)line);
	return dict_frame(q->p->dict, function, (int)line, ret);
}

static int load_stack(struct query *q, uint64_t id, uint32_t *ret)
{
	struct packed data;
	uint32_t depth = 0;
	uint64_t hash;
	int r;

	if (idmap_get(&q->stacks, id, ret))
		return 0;
	r = lookup(q->stack, id);
	if (r < 0)
		return r;
	data = column_packed(q->stack, 0);
	buf_clear(&q->stack_scratch);
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
	r = hash_stack(&q->stack_scratch, q->seed, &hash);
	if (r == 0 && hash != (uint64_t)sqlite3_column_int64(q->stack, 1))
		r = -EBADMSG;
	if (r == 0)
		r = dict_stack(q->p->dict, q->frames, depth, ret);
	return r < 0 ? r : idmap_put(&q->stacks, id, *ret);
}

/* ret: LEFT_OUT for a process that is not wanted. */
static int load_process(struct query *q, uint64_t id, uint32_t *ret)
{
	struct profile_process p = {};
	sqlite3_stmt *st = q->process;
	uint64_t hash;
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
	r = hash_process(&q->scratch, q->seed, &p.info, p.python, &hash);
	if (r == 0 && hash != (uint64_t)sqlite3_column_int64(st, 4 + ARRAY_SIZE(texts)))
		r = -EBADMSG;
	if (r < 0)
		return r;
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

/* ret_sum: all counts are added to it. */
static int add_thread(struct query *q, uint32_t process, struct packed *data, uint64_t *ret_sum)
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
		*ret_sum += count;
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

/* All samples of a window. */
static int add_samples(struct query *q, const struct head *h)
{
	uint64_t sum, all = 0;
	struct packed data;
	uint32_t process;
	int r;

	sqlite3_reset(q->samples);
	sqlite3_bind_int64(q->samples, 1, h->id << SCHEMA_SAMPLES_SHIFT);
	sqlite3_bind_int64(q->samples, 2, ((h->id + 1) << SCHEMA_SAMPLES_SHIFT) - 1);
	while ((r = db_step(q->samples)) > 0) {
		r = load_process(q, (uint64_t)sqlite3_column_int64(q->samples, 0), &process);
		if (r < 0)
			return r;
		all += (uint64_t)sqlite3_column_int64(q->samples, 2);
		/* The blob of a process that is not wanted is not even read. */
		if (process == LEFT_OUT)
			continue;
		data = column_packed(q->samples, 1);
		sum = 0;
		while (data.at < data.end) {
			r = add_thread(q, process, &data, &sum);
			if (r < 0)
				return r;
		}
		if (sum != (uint64_t)sqlite3_column_int64(q->samples, 2))
			return -EBADMSG;
	}
	/* none of them is missing */
	if (r == 0 && all != h->samples)
		return -EBADMSG;
	return r;
}

/* All ids of the profile are others afterwards. */
static int query_prune(struct query *q)
{
	idmap_done(&q->functions);
	idmap_done(&q->stacks);
	idmap_done(&q->processes);
	q->functions = q->stacks = q->processes = (struct idmap){};
	return profile_prune(&q->p, q->limit / 6);
}

static int query_run(struct query *q, const struct store_reader *reader, uint64_t from_ns,
		     uint64_t to_ns)
{
	struct head all = {}, h;
	int r;

	sqlite3_bind_int64(q->windows, 1, (int64_t)MIN(from_ns, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(q->windows, 2, (int64_t)MIN(to_ns, (uint64_t)INT64_MAX));
	while ((r = db_step(q->windows)) > 0) {
		head_read(q->windows, &h);
		if (reader_passes_over(reader, h.start_ns))
			continue;
		head_add(&all, &h);
		head_to_profile(&all, q->p);
		r = reader_overdue(reader);
		if (r == 0)
			r = add_samples(q, &h);
		if (r == 0 && q->prune && query_bytes(q) > q->limit / 3)
			r = query_prune(q);
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

static int query_all(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		     const struct selectors *s, struct profile **ret)
{
	_cleanup_(query_done) struct query q = { .selectors = s,
						 .limit = reader->limit,
						 .prune = reader->prune };
	int r;

	r = profile_new(from_ns, 0, &q.p);
	if (r < 0)
		return r;
	q.p->end_ns = MAX(from_ns, to_ns);
	r = query_prepare(&q, reader->db, reader->version, IN_TIME);
	if (r == 0)
		r = query_run(&q, reader, from_ns, to_ns);
	if (r == 0 && any_without_samples(q.p))
		return profile_select(q.p, s, ret);
	if (r == 0)
		*ret = TAKE_PTR(q.p);
	return r;
}

static int query_window(struct store_reader *reader, int64_t id, struct profile **ret,
			int64_t *ret_life_ns)
{
	static const struct selectors none;
	_cleanup_(query_done) struct query q = { .selectors = &none };
	int r = profile_new(0, 0, &q.p);
	struct head h;

	if (r == 0)
		r = query_prepare(&q, reader->db, reader->version, BY_ID);
	if (r < 0)
		return r;
	sqlite3_bind_int64(q.windows, 1, id);
	r = db_step(q.windows);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	head_read(q.windows, &h);
	head_to_profile(&h, q.p);
	r = add_samples(&q, &h);
	if (r < 0)
		return r;
	*ret_life_ns = h.life_ns;
	*ret = TAKE_PTR(q.p);
	return 0;
}

int reader_window(struct store_reader *reader, int64_t id, struct profile **ret,
		  int64_t *ret_life_ns)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = query_window(reader, id, ret, ret_life_ns);
	reader_end(reader);
	return r;
}

int store_profile(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		  const struct selectors *s, struct profile **ret)
{
	static const struct selectors none;
	int r = reader_begin(reader);

	if (r == 0)
		r = query_all(reader, from_ns, to_ns, s ? s : &none, ret);
	reader_end(reader);
	return r;
}
