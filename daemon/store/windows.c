/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/head.h"
#include "store/reader.h"
#include "store/schema.h"

/* Another element of an array, the window; processes: the elements of its own. */
static void put_window(struct buf *to, const struct head *h, const struct buf *processes)
{
	struct json_writer w = json_elements_on(to);

	json_put_object(&w, NULL);
	head_put(&w, h);
	json_put_elements(&w, "processes", processes);
	json_put_end(&w);
}

static void put_process(struct buf *to, int64_t pid, double start_time, const char *comm,
			const char *python, uint64_t samples)
{
	struct json_writer w = json_elements_on(to);

	json_put_object(&w, NULL);
	json_put_int(&w, "pid", pid);
	json_put_real(&w, "start_time", start_time);
	json_put_string(&w, "comm", comm);
	json_put_string(&w, "python", python);
	json_put_uint(&w, "samples", samples);
	json_put_end(&w);
}

/* All that is told of a window to somebody who may only know of some processes: what these have. */
static void reduce(struct head *h, uint64_t samples)
{
	h->tally = (struct tally){ .ticks = samples, .python = samples };
	h->samples = samples;
}

static bool listed(const struct selectors *s, uid_t uid)
{
	return !s || selectors_see(s, uid);
}

/* The processes of a window, and what its head says to whom the selectors are for. */
static int add_processes(sqlite3_stmt *st, struct head *h, const struct selectors *s,
			 struct buf *to, size_t *processes)
{
	uint64_t samples = 0;
	int r;

	sqlite3_reset(st);
	sqlite3_bind_int64(st, 1, h->id << SCHEMA_SAMPLES_SHIFT);
	sqlite3_bind_int64(st, 2, ((h->id + 1) << SCHEMA_SAMPLES_SHIFT) - 1);
	while ((r = db_step(st)) > 0) {
		uint64_t of_process = (uint64_t)sqlite3_column_int64(st, 4);
		const char *comm = db_text(st, 2), *python = db_text(st, 3);

		if (!listed(s, (uid_t)sqlite3_column_int64(st, 5)))
			continue;
		if (!comm || !python)
			return -ENOMEM;
		samples += of_process;
		put_process(to, sqlite3_column_int64(st, 0), sqlite3_column_double(st, 1), comm,
			    python, of_process);
		++*processes;
	}
	if (s && s->owned)
		reduce(h, samples);
	return r;
}

/* Rows that were written one after the other, for which the order is not the one that is wanted. */
struct rows {
	struct buf text;
	size_t *ends; /* owned */
	size_t n;
};

static int rows_add(struct rows *rows, const struct buf *row)
{
	size_t *ends;

	/* doubled at each power of two */
	if ((rows->n & (rows->n - 1)) == 0) {
		ends = reallocarray(rows->ends, MAX(2 * rows->n, (size_t)1), sizeof(*ends));
		if (!ends)
			return -ENOMEM;
		rows->ends = ends;
	}
	buf_append(&rows->text, row->data, row->size);
	rows->ends[rows->n++] = rows->text.size;
	return row->error ? row->error : rows->text.error;
}

static void rows_reverse(const struct rows *rows, struct buf *to)
{
	for (size_t i = rows->n; i-- > 0;) {
		size_t begin = i ? rows->ends[i - 1] : 0;

		if (to->size)
			buf_putc(to, ',');
		buf_append(to, rows->text.data + begin, rows->ends[i] - begin);
	}
}

static void rows_done(struct rows *rows)
{
	buf_free(&rows->text);
	free(rows->ends);
}

/* The newest first. */
static int list(const struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		unsigned int max, const struct selectors *s, struct rows *to)
{
	_cleanup_buf_ struct buf row = { .limit = to->text.limit };
	_cleanup_buf_ struct buf of_window = { .limit = to->text.limit };
	_cleanup_(db_finalizep) sqlite3_stmt *windows = NULL, *processes = NULL;
	_cleanup_free_ char *sql = NULL;
	sqlite3 *db = reader->db;
	size_t nprocesses = 0;
	int r;

	sql = head_select(SCHEMA_VERSION,
			  "WHERE end_ns > ?1 AND start_ns < ?2 ORDER BY end_ns DESC LIMIT ?3");
	if (!sql)
		return -ENOMEM;
	r = db_prepare(db, sql, &windows);
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
		struct head h;

		head_read(windows, &h);
		if (reader_passes_over(reader, h.start_ns))
			continue;
		buf_clear(&row);
		buf_clear(&of_window);
		r = add_processes(processes, &h, s, &of_window, &nprocesses);
		if (r < 0)
			return r;
		put_window(&row, &h, &of_window);
		r = rows_add(to, &row);
		if (r < 0)
			return r;
	}
	return r;
}

int store_windows(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns, unsigned int max,
		  const struct selectors *s, struct buf *to)
{
	_cleanup_(rows_done) struct rows newest_first = { .text.limit = to->limit };
	int r = reader_begin(reader);

	if (r == 0)
		r = list(reader, from_ns, to_ns, max, s, &newest_first);
	reader_end(reader);
	if (r < 0)
		return r;
	rows_reverse(&newest_first, to);
	return to->error;
}

int store_window_put(const struct profile *window, const struct selectors *s, struct buf *to)
{
	_cleanup_buf_ struct buf processes = { .limit = to->limit };
	uint64_t samples = 0;
	struct head h;

	head_of_profile(window, &h);
	for (uint32_t i = 0; i < window->nprocesses; i++) {
		const struct profile_process *p = &window->processes[i];

		if (!p->samples || !listed(s, p->info.uid))
			continue;
		samples += p->samples;
		put_process(&processes, p->info.pid, p->info.start_time, p->info.comm, p->python,
			    p->samples);
	}
	if (s && s->owned)
		reduce(&h, samples);
	put_window(to, &h, &processes);
	return to->error;
}
