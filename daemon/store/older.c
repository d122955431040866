/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/older.h"

#include <limits.h>

#include "store/hash.h"
#include "store/packed.h"
#include "store/schema.h"

/* The value of a process that the selectors leave out. */
#define LEFT_OUT (UINT32_MAX - 1)

void older_done(struct older *q)
{
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
	*q = (struct older){};
}

/* By the file's schema version: one that is damaged is read as it is. */
static const char *function_by_id(int version)
{
	return version < 3 ?
		       "SELECT name, file, line, hash,"
		       " CASE WHEN file='' AND line=0 THEN 3 ELSE 0 END, '' FROM functions"
		       " WHERE id=?1" :
		       "SELECT name, file, line, hash, kind, module FROM functions WHERE id=?1";
}

int older_prepare(struct older *q, sqlite3 *db, int version, int64_t seed)
{
	int r;

	q->seed = seed;
	r = db_prepare(db, "SELECT process, data, samples FROM samples WHERE id BETWEEN ?1 AND ?2",
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

/* Notes the hash of a function of the profile. */
static int keep_hash(struct older *q, uint32_t function, uint64_t hash)
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

static int load_function(struct older *q, struct answer *a, uint64_t id, uint32_t *ret)
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
	r = dict_function(a->p->dict, &f, ret);
	if (r == 0)
		r = keep_hash(q, *ret, hash);
	return r < 0 ? r : idmap_put(&q->functions, id, *ret);
}

static int load_frame(struct older *q, struct answer *a, struct packed *data, uint32_t *ret)
{
	uint32_t function;
	int64_t delta, line;
	uint64_t id;
	int r;

	r = packed_get(data, &id);
	if (r == 0)
		r = packed_get_signed(data, &delta);
	if (r == 0)
		r = load_function(q, a, id, &function);
	if (r < 0)
		return r;
	if (__builtin_add_overflow(delta, dict_get_function(a->p->dict, function)->line, &line) ||
	    line > INT_MAX || line < INT_MIN)
		return -EBADMSG;
	hash_frame(&q->stack_scratch, q->hashes[function], (int)line);
	return dict_frame(a->p->dict, function, (int)line, ret);
}

static int load_stack(struct older *q, struct answer *a, uint64_t id, uint32_t *ret)
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
		r = load_frame(q, a, &data, &q->frames[depth]);
		if (r < 0)
			return r;
		depth++;
	}
	r = hash_stack(&q->stack_scratch, q->seed, &hash);
	if (r == 0 && hash != (uint64_t)sqlite3_column_int64(q->stack, 1))
		r = -EBADMSG;
	if (r == 0)
		r = dict_stack(a->p->dict, q->frames, depth, ret);
	return r < 0 ? r : idmap_put(&q->stacks, id, *ret);
}

/* Texts are borrowed until the next one is read. */
static int read_process(struct older *q, uint64_t id, struct profile_process *ret)
{
	struct profile_process p = {};
	sqlite3_stmt *st = q->process;
	uint64_t hash;
	char **texts[] = { &p.python,         &p.info.comm,    &p.info.exe,
			   &p.info.cmdline,   &p.info.cgroup,  &p.info.unit,
			   &p.info.container, &p.info.service, &p.info.version };
	int r;

	r = lookup(st, id);
	if (r < 0)
		return r;
	p.info.pid = sqlite3_column_int(st, 0);
	p.info.start_ticks = (uint64_t)sqlite3_column_int64(st, 1);
	p.info.start_time = sqlite3_column_double(st, 2);
	p.info.uid = (uid_t)sqlite3_column_int64(st, 3);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = (char *)db_text(st, 4 + (int)i);
		if (!*texts[i])
			return -ENOMEM;
	}
	r = hash_process(&q->scratch, q->seed, &p.info, p.python, &hash);
	if (r == 0 && hash != (uint64_t)sqlite3_column_int64(st, 4 + ARRAY_SIZE(texts)))
		r = -EBADMSG;
	if (r == 0)
		*ret = p;
	return r;
}

/* ret: LEFT_OUT for a process that is not wanted. */
static int load_process(struct older *q, struct answer *a, uint64_t id, uint32_t *ret)
{
	struct profile_process p;
	int r;

	if (idmap_get(&q->processes, id, ret))
		return 0;
	r = read_process(q, id, &p);
	if (r < 0)
		return r;
	*ret = LEFT_OUT;
	if (selectors_match_process(a->selectors, &p))
		r = profile_process(a->p, &p.info, p.python, ret);
	return r < 0 ? r : idmap_put(&q->processes, id, *ret);
}

size_t older_bytes(const struct older *q)
{
	return idmap_bytes(&q->functions) + idmap_bytes(&q->stacks) + idmap_bytes(&q->processes);
}

/* ret_sum: all counts are added to it. */
static int add_thread(struct older *q, struct answer *a, uint32_t process, struct packed *data,
		      uint64_t *ret_sum)
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
	wanted = selectors_match_thread(a->selectors, (uint32_t)thread);
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
		r = load_stack(q, a, id, &stack);
		if (r == 0)
			r = profile_add(a->p, process, (uint32_t)thread, stack, count);
		if (r == 0)
			r = answer_check(a, older_bytes(q));
		if (r < 0)
			return r;
	}
	return 0;
}

int older_add(struct older *q, struct answer *a, const struct head *h)
{
	uint64_t sum, all = 0;
	struct packed data;
	uint32_t process;
	int r;

	sqlite3_reset(q->samples);
	sqlite3_bind_int64(q->samples, 1, h->id << SCHEMA_SAMPLES_SHIFT);
	sqlite3_bind_int64(q->samples, 2, ((h->id + 1) << SCHEMA_SAMPLES_SHIFT) - 1);
	while ((r = db_step(q->samples)) > 0) {
		r = load_process(q, a, (uint64_t)sqlite3_column_int64(q->samples, 0), &process);
		if (r < 0)
			return r;
		all += (uint64_t)sqlite3_column_int64(q->samples, 2);
		/* The blob of a process that is not wanted is not even read. */
		if (process == LEFT_OUT)
			continue;
		data = column_packed(q->samples, 1);
		sum = 0;
		while (data.at < data.end) {
			r = add_thread(q, a, process, &data, &sum);
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

void older_forget(struct older *q)
{
	idmap_done(&q->functions);
	idmap_done(&q->stacks);
	idmap_done(&q->processes);
}

int older_each_process(struct older *q, int64_t window, answer_process_fn each, void *ctx)
{
	struct profile_process p;
	int r;

	sqlite3_reset(q->samples);
	sqlite3_bind_int64(q->samples, 1, window << SCHEMA_SAMPLES_SHIFT);
	sqlite3_bind_int64(q->samples, 2, ((window + 1) << SCHEMA_SAMPLES_SHIFT) - 1);
	while ((r = db_step(q->samples)) > 0) {
		r = read_process(q, (uint64_t)sqlite3_column_int64(q->samples, 0), &p);
		if (r < 0)
			return r;
		p.samples = (uint64_t)sqlite3_column_int64(q->samples, 2);
		r = each(&p, ctx);
		if (r < 0)
			return r;
	}
	return r;
}

int older_tables(sqlite3 *db, bool *ret)
{
	int64_t n;
	int r = db_int(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'samples'", &n);

	if (r == 0)
		*ret = n > 0;
	return r;
}
