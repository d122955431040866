/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "fleet/internal.h"
#include "fleet/sql_hosts.h"

/*
 * What hosts did over time: the heaviest, and all others together. A host of which not all windows
 * were shipped is told by those that were: by the time that these are long, and not by that of the
 * clock.
 */

/* Columns of an answer, and what it has where no step is asked for. */
#define COLUMNS_MOST 400
#define COLUMNS      120

/* A row, of so many columns: sums of millionths; seconds too, of windows. */
struct host {
	char *name, *region; /* owned; NULL: of all hosts */
	uint64_t weight;
	struct cell {
		double seconds, samples, self, total;
		uint32_t hz;
	} * cells; /* owned */
};

struct hosts {
	struct fleet_read *read;
	const struct query *query;
	const char *function;              /* "": none */
	struct host rows[FLEET_HOSTS + 1]; /* the last: all hosts */
	uint32_t n;
	uint64_t all; /* how many there are */
	uint32_t step_s, begin_s, columns;
};

static void hosts_done(struct hosts *h)
{
	for (uint32_t i = 0; i <= FLEET_HOSTS; i++) {
		free(h->rows[i].name);
		free(h->rows[i].region);
		free(h->rows[i].cells);
	}
}

/* -EINVAL: they would be too many. */
static int set_columns(struct hosts *h)
{
	uint64_t from = h->query->from_ns / NSEC_PER_SEC;
	uint64_t to = MIN(h->query->to_ns / NSEC_PER_SEC, (uint64_t)UINT32_MAX), step;

	from = MIN(from, to);
	step = h->query->step_ns / NSEC_PER_SEC;
	if (!step)
		step = (to - from) / COLUMNS + 1;
	step = (step + FLEET_WINDOW_S - 1) / FLEET_WINDOW_S * FLEET_WINDOW_S;
	h->step_s = (uint32_t)MIN(step, (uint64_t)QUERY_MAX_STEP);
	/* a window that has begun before, but ends in that time, is of it */
	from = from > FLEET_WINDOW_S ? from - FLEET_WINDOW_S + 1 : 0;
	h->begin_s = (uint32_t)(from / h->step_s * h->step_s);
	if ((to - h->begin_s) / h->step_s >= COLUMNS_MOST)
		return -EINVAL;
	h->columns = (uint32_t)((to - h->begin_s) / h->step_s) + 1;
	return 0;
}

static int add_row(struct hosts *h, uint32_t at, char **name, char **region, uint64_t weight)
{
	struct host *row = &h->rows[at];

	row->cells = calloc(h->columns, sizeof(*row->cells));
	if (!row->cells)
		return -ENOMEM;
	if (name) {
		row->name = TAKE_PTR(*name);
		row->region = TAKE_PTR(*region);
	}
	row->weight = weight;
	return 0;
}

int fleet_count_hosts(struct fleet_read *f, const struct query *q, uint64_t *ret)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r;

	fleet_sql_count_hosts(&sql, f->db, q);
	r = fleet_ask(f, &sql, &answer);
	if (r < 0)
		return r;
	reader = rows_of(&answer);
	*ret = rows_u64(&reader);
	return rows_bad(&reader) ? -EBADMSG : 0;
}

int fleet_name_hosts(struct fleet_read *f, const struct query *q, char **names, size_t most,
		     size_t *ret_n)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r;

	*ret_n = 0;
	fleet_sql_heaviest_hosts(&sql, f->db, q);
	r = fleet_ask(f, &sql, &answer);
	reader = rows_of(&answer);
	while (r == 0 && rows_more(&reader) && *ret_n < most) {
		_cleanup_free_ char *name = fleet_text(&reader);

		free(fleet_text(&reader)); /* its region */
		(void)rows_u64(&reader);
		if (rows_bad(&reader))
			return -EBADMSG;
		names[(*ret_n)++] = TAKE_PTR(name);
	}
	return r;
}

static int read_heaviest(struct hosts *h)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	struct rows_reader reader;
	int r;

	fleet_sql_heaviest_hosts(&sql, h->read->db, h->query);
	r = fleet_ask(h->read, &sql, &answer);
	reader = rows_of(&answer);
	while (r == 0 && rows_more(&reader) && h->n < FLEET_HOSTS) {
		_cleanup_free_ char *name = fleet_text(&reader), *region = fleet_text(&reader);
		uint64_t weight = rows_u64(&reader);

		if (rows_bad(&reader))
			return -EBADMSG;
		r = add_row(h, h->n++, &name, &region, weight);
	}
	if (r < 0)
		return r;
	fleet_sql_count_hosts(&sql, h->read->db, h->query);
	r = fleet_ask(h->read, &sql, &answer);
	if (r < 0)
		return r;
	reader = rows_of(&answer);
	h->all = rows_u64(&reader);
	r = add_row(h, FLEET_HOSTS, NULL, NULL, rows_u64(&reader));
	return rows_bad(&reader) ? -EBADMSG : r;
}

static struct cell *cell_of(struct hosts *h, const char *host, uint32_t begin)
{
	uint32_t column = (begin - h->begin_s) / h->step_s;
	struct host *row = NULL;

	if (begin < h->begin_s || column >= h->columns)
		return NULL;
	for (uint32_t i = 0; i < h->n; i++)
		if (streq(h->rows[i].name, host))
			row = &h->rows[i];
	/* those of all hosts have no name */
	if (!row && !*host)
		row = &h->rows[FLEET_HOSTS];
	return row ? &row->cells[column] : NULL;
}

static int add_samples(const char *host, uint32_t begin, const uint64_t values[3], void *ctx)
{
	struct cell *c = cell_of(ctx, host, begin);

	if (c) {
		c->samples += (double)values[0];
		c->self += (double)values[1];
		c->total += (double)values[2];
	}
	return 0;
}

static int add_windows(const char *host, uint32_t begin, const uint64_t values[3], void *ctx)
{
	struct cell *c = cell_of(ctx, host, begin);

	if (c) {
		c->seconds += (double)values[0] / 1000;
		c->hz = (uint32_t)MIN(values[1], (uint64_t)UINT32_MAX);
	}
	return 0;
}

/* Of those hosts, or of all as one: n is 0. */
static int read_cells(struct hosts *h, const char *const *names, size_t n)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	int r;

	fleet_sql_samples_by_host(&sql, h->read->db, h->query, names, n, h->step_s, h->function);
	r = fleet_ask(h->read, &sql, &answer);
	if (r == 0)
		r = fleet_cells_decode(&answer, add_samples, h);
	if (r < 0)
		return r;
	fleet_sql_windows_by_host(&sql, h->read->db, h->query, names, n, h->step_s);
	r = fleet_ask(h->read, &sql, &answer);
	return r == 0 ? fleet_cells_decode(&answer, add_windows, h) : r;
}

static double rounded(double v)
{
	return round(v * 1e5) / 1e5;
}

static double cpus_of(const struct cell *c)
{
	return c->seconds > 0 && c->hz ? c->samples / c->seconds / c->hz : NAN;
}

static void put_row(struct json_writer *w, const struct hosts *h, const struct host *row)
{
	json_put_uint(w, "samples", row->weight / FLEET_UNIT);
	json_put_array(w, "cpus");
	for (uint32_t i = 0; i < h->columns; i++)
		json_put_real(w, NULL, rounded(cpus_of(&row->cells[i])));
	json_put_end(w);
	if (!*h->function)
		return;
	for (int total = 0; total < 2; total++) {
		json_put_array(w, total ? "total" : "self");
		for (uint32_t i = 0; i < h->columns; i++) {
			const struct cell *c = &row->cells[i];

			json_put_real(w, NULL, rounded((total ? c->total : c->self) / c->samples));
		}
		json_put_end(w);
	}
}

/* What all hosts have, without those that are told by themselves. */
static void take_rows(struct hosts *h)
{
	struct host *others = &h->rows[FLEET_HOSTS];

	for (uint32_t i = 0; i < h->n; i++) {
		const struct host *row = &h->rows[i];

		others->weight -= MIN(row->weight, others->weight);
		for (uint32_t k = 0; k < h->columns; k++) {
			struct cell *c = &others->cells[k];

			c->seconds = MAX(c->seconds - row->cells[k].seconds, 0);
			c->samples = MAX(c->samples - row->cells[k].samples, 0);
			c->self = MAX(c->self - row->cells[k].self, 0);
			c->total = MAX(c->total - row->cells[k].total, 0);
		}
	}
}

static int write_hosts(struct hosts *h)
{
	struct json_writer w = json_writer_on(&h->read->question->answer);

	json_put_object(&w, NULL);
	json_put_uint(&w, "begin", h->begin_s);
	json_put_uint(&w, "step", h->step_s);
	json_put_uint(&w, "columns", h->columns);
	json_put_uint(&w, "hosts_all", h->all);
	json_put_array(&w, "hosts");
	for (uint32_t i = 0; i < h->n; i++) {
		json_put_object(&w, NULL);
		json_put_string(&w, "host", h->rows[i].name);
		json_put_string(&w, "region", h->rows[i].region);
		put_row(&w, h, &h->rows[i]);
		json_put_end(&w);
	}
	json_put_end(&w);
	if (h->all > h->n) {
		take_rows(h);
		json_put_object(&w, "others");
		json_put_uint(&w, "hosts", h->all - h->n);
		put_row(&w, h, &h->rows[FLEET_HOSTS]);
		json_put_end(&w);
	} else {
		json_put_null(&w, "others");
	}
	json_put_end(&w);
	return json_writer_done(&w);
}

int fleet_read_hosts(struct fleet_read *f)
{
	struct question *k = f->question;
	_cleanup_(hosts_done) struct hosts h = { .read = f, .query = &k->query };
	const char *names[FLEET_HOSTS];
	int r = set_columns(&h);

	h.function = k->query.function ? k->query.function : "";
	if (r < 0) {
		k->error =
			strdup("there are more than 400 steps in that time: ask for a longer one");
		return r;
	}
	r = read_heaviest(&h);
	for (uint32_t i = 0; i < h.n; i++)
		names[i] = h.rows[i].name;
	if (r == 0 && h.n)
		r = read_cells(&h, names, h.n);
	if (r == 0 && h.all > h.n)
		r = read_cells(&h, NULL, 0);
	return r == 0 ? write_hosts(&h) : r;
}
