/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/utf8.h"
#include "store/reader.h"
#include "store/schema.h"

/* The head of a window, wherever it comes from. */
struct head {
	int64_t id; /* 0: none */
	uint64_t start_ns, end_ns, samples;
	int64_t stepped_ns;
	uint32_t hz;
	bool running;
	struct tally tally;
};

/* In two parts: 19 digits of nanoseconds do not fit a double, which then would round before it divides. */
static json_t *json_seconds(uint64_t ns)
{
	uint64_t whole = ns / NSEC_PER_SEC;

	return json_real((double)whole +
			 (double)(ns - whole * NSEC_PER_SEC) / (double)NSEC_PER_SEC);
}

static json_t *json_count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* jansson refuses what is not UTF-8; the file may hold it. */
static json_t *json_text(const char *s)
{
	_cleanup_free_ char *clean = s ? utf8_clean(s) : NULL;

	return clean ? json_string(clean) : NULL;
}

/*
 * json_pack() takes over values given by "o", also when it fails, and fails when one of them is NULL, so a failed
 * allocation anywhere shows as NULL here.
 */
static json_t *head_json(const struct head *h)
{
	json_t *lost = json_object();

	for (unsigned int i = 0; lost && i < PLOP_LOST_CAUSES; i++) {
		if (json_object_set_new(lost, tally_lost_name(i), json_count(h->tally.lost[i])) <
		    0) {
			json_decref(lost);
			return NULL;
		}
	}
	return json_pack("{s:o, s:o, s:o, s:f, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:[]}", "id",
			 h->id ? json_integer(h->id) : json_null(), "start",
			 json_seconds(h->start_ns), "end", json_seconds(h->end_ns), "clock_set_s",
			 (double)h->stepped_ns / (double)NSEC_PER_SEC, "hz", json_count(h->hz),
			 "running", h->running, "ticks", json_count(h->tally.ticks), "python",
			 json_count(h->tally.python), "other", json_count(h->tally.other), "lost",
			 lost, "truncated", json_count(h->tally.truncated), "samples",
			 json_count(h->samples), "processes");
}

static int add_process(json_t *window, int64_t pid, double start_time, const char *comm,
		       const char *python, uint64_t samples)
{
	json_t *p = json_pack("{s:I, s:f, s:o, s:o, s:o}", "pid", (json_int_t)pid, "start_time",
			      start_time, "comm", json_text(comm), "python", json_text(python),
			      "samples", json_count(samples));

	if (!p || json_array_append_new(json_object_get(window, "processes"), p) < 0)
		return -ENOMEM;
	return 0;
}

/* All that is told of a window to somebody who may only know of some processes: what these have. */
static int reduce(json_t *window, uint64_t samples)
{
	int r = json_object_set_new(window, "ticks", json_count(samples));

	if (r == 0)
		r = json_object_set_new(window, "python", json_count(samples));
	if (r == 0)
		r = json_object_set_new(window, "samples", json_count(samples));
	return r < 0 ? -ENOMEM : 0;
}

static bool listed(const struct selectors *s, uid_t uid)
{
	return !s || selectors_see(s, uid);
}

static int add_processes(sqlite3_stmt *st, int64_t id, const struct selectors *s, json_t *window,
			 size_t *processes)
{
	uint64_t samples = 0;
	int r;

	sqlite3_reset(st);
	sqlite3_bind_int64(st, 1, id << SCHEMA_SAMPLES_SHIFT);
	sqlite3_bind_int64(st, 2, ((id + 1) << SCHEMA_SAMPLES_SHIFT) - 1);
	while ((r = db_step(st)) > 0) {
		if (!listed(s, (uid_t)sqlite3_column_int64(st, 5)))
			continue;
		samples += (uint64_t)sqlite3_column_int64(st, 4);
		r = add_process(window, sqlite3_column_int64(st, 0), sqlite3_column_double(st, 1),
				db_text(st, 2), db_text(st, 3),
				(uint64_t)sqlite3_column_int64(st, 4));
		if (r < 0)
			return r;
		++*processes;
	}
	return r == 0 && s && s->owned ? reduce(window, samples) : r;
}

static void read_head(sqlite3_stmt *st, struct head *h)
{
	h->id = sqlite3_column_int64(st, 0);
	h->start_ns = (uint64_t)sqlite3_column_int64(st, 1);
	h->end_ns = (uint64_t)sqlite3_column_int64(st, 2);
	h->hz = (uint32_t)sqlite3_column_int64(st, 3);
	h->samples = (uint64_t)sqlite3_column_int64(st, 4);
	h->tally.ticks = (uint64_t)sqlite3_column_int64(st, 5);
	h->tally.python = (uint64_t)sqlite3_column_int64(st, 6);
	h->tally.other = (uint64_t)sqlite3_column_int64(st, 7);
	h->tally.truncated = (uint64_t)sqlite3_column_int64(st, 8);
	for (int i = 0; i < STORE_LOST_CAUSES; i++)
		h->tally.lost[i] = (uint64_t)sqlite3_column_int64(st, 9 + i);
	h->stepped_ns = sqlite3_column_int64(st, 9 + STORE_LOST_CAUSES);
}

/* The newest first. */
static int list(const struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		unsigned int max, const struct selectors *s, json_t *to)
{
	_cleanup_(db_finalizep) sqlite3_stmt *windows = NULL, *processes = NULL;
	sqlite3 *db = reader->db;
	size_t nprocesses = 0;
	int r;

	r = db_prepare(
		db,
		"SELECT id, start_ns, end_ns, hz, samples, ticks, python, other,"
		" truncated, lost_fault, lost_stacks_full, lost_frames_full, lost_unsupported,"
		" lost_corrupt, lost_drain, lost_threads, stepped_ns FROM windows WHERE end_ns > "
		"?1 "
		"AND start_ns < ?2"
		" ORDER BY end_ns DESC LIMIT ?3",
		&windows);
	if (r == 0)
		r = db_prepare(db,
			       "SELECT p.pid, p.start_time, p.comm, p.python, s.samples, p.uid "
			       "FROM samples s"
			       " JOIN processes p ON p.id = s.process WHERE s.id BETWEEN ?1 AND ?2",
			       &processes);
	if (r < 0)
		return r;
	sqlite3_bind_int64(windows, 1, (int64_t)MIN(from_ns, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(windows, 2, (int64_t)MIN(to_ns, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(windows, 3, max);
	while (nprocesses < STORE_LISTED_MAX && (r = db_step(windows)) > 0) {
		struct head h = {};
		json_t *window;

		read_head(windows, &h);
		if (s && s->owned)
			h.tally = (struct tally){};
		if (reader_passes_over(reader, h.start_ns))
			continue;
		window = head_json(&h);
		if (!window || json_array_append_new(to, window) < 0)
			return -ENOMEM;
		r = add_processes(processes, h.id, s, window, &nprocesses);
		if (r < 0)
			return r;
	}
	return r;
}

int store_windows(struct store_reader *r, uint64_t from_ns, uint64_t to_ns, unsigned int max,
		  const struct selectors *s, json_t **ret)
{
	json_t *newest_first = json_array(), *to = json_array();
	int e = newest_first && to ? reader_begin(r) : -ENOMEM;

	if (e == 0)
		e = list(r, from_ns, to_ns, max, s, newest_first);
	reader_end(r);
	for (size_t i = json_array_size(newest_first); i-- > 0 && e >= 0;) {
		if (json_array_append(to, json_array_get(newest_first, i)) < 0)
			e = -ENOMEM;
	}
	json_decref(newest_first);
	if (e < 0)
		json_decref(to);
	else
		*ret = to;
	return MIN(e, 0);
}

int store_window_json(const struct profile *window, const struct selectors *s, json_t **ret)
{
	struct head h = {
		.start_ns = window->start_ns,
		.end_ns = window->end_ns,
		.samples = window->samples_total,
		.stepped_ns = window->stepped_ns,
		.hz = window->hz,
		.running = window->running,
		.tally = s && s->owned ? (struct tally){} : window->tally,
	};
	json_t *to = head_json(&h);
	uint64_t samples = 0;
	int r = to ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < window->nprocesses; i++) {
		const struct profile_process *p = &window->processes[i];

		if (!p->samples || !listed(s, p->info.uid))
			continue;
		samples += p->samples;
		r = add_process(to, p->info.pid, p->info.start_time, p->info.comm, p->python,
				p->samples);
	}
	if (r == 0 && s && s->owned)
		r = reduce(to, samples);
	if (r < 0)
		json_decref(to);
	else
		*ret = to;
	return r;
}
