/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/decode.h"

#include "fleet/sql.h"
#include "plop/limits.h"
#include "util/array.h"
#include "util/utf8.h"

char *fleet_text(struct rows_reader *r)
{
	char *raw = rows_string(r), *clean;

	if (!raw || utf8_is_valid(raw))
		return raw;
	clean = utf8_clean(raw);
	free(raw);
	r->bad = r->bad || !clean;
	return clean;
}

uint64_t fleet_samples(struct fleet_carry *c, uint64_t weight)
{
	uint64_t rest = c->rest + weight % FLEET_UNIT;

	c->rest = rest % FLEET_UNIT;
	return weight / FLEET_UNIT + rest / FLEET_UNIT;
}

static void row_done(struct fleet_row *row)
{
	free(row->service);
	free(row->version);
	free(row->host);
	free(row->region);
}

void fleet_rows_done(struct fleet_rows *rows)
{
	for (uint32_t i = 0; i < rows->n; i++)
		row_done(&rows->items[i]);
	free(rows->items);
	*rows = (struct fleet_rows){};
}

int fleet_rows_decode(const struct buf *answer, struct fleet_rows *ret)
{
	_cleanup_(fleet_rows_done) struct fleet_rows rows = {};
	struct rows_reader r = rows_of(answer);

	while (rows_more(&r)) {
		void *array = rows.items;
		struct fleet_row *row;

		if (array_reserve(&array, rows.n, &rows.room, sizeof(*rows.items)) < 0)
			return -ENOMEM;
		rows.items = array;
		row = &rows.items[rows.n++];
		*row = (struct fleet_row){};
		row->service = fleet_text(&r);
		row->version = fleet_text(&r);
		row->host = fleet_text(&r);
		row->region = fleet_text(&r);
		row->process = rows_u64(&r);
		row->stack = rows_u64(&r);
		row->state = rows_u8(&r);
		row->weight = rows_u64(&r);
		if (rows_bad(&r) || row->state >= SAMPLE_STATES)
			return -EBADMSG;
	}
	*ret = rows;
	rows = (struct fleet_rows){};
	return 0;
}

int fleet_ids_add(struct fleet_ids *ids, uint64_t id)
{
	void *array = ids->items;
	int r = array_reserve(&array, ids->n, &ids->room, sizeof(*ids->items));

	if (r < 0)
		return r;
	ids->items = array;
	ids->items[ids->n++] = id;
	return 0;
}

static int by_id(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

void fleet_ids_sort(struct fleet_ids *ids)
{
	uint32_t n = 0;

	if (ids->n)
		qsort(ids->items, ids->n, sizeof(*ids->items), by_id);
	for (uint32_t i = 0; i < ids->n; i++)
		if (!n || ids->items[n - 1] != ids->items[i])
			ids->items[n++] = ids->items[i];
	ids->n = n;
}

void fleet_ids_done(struct fleet_ids *ids)
{
	free(ids->items);
	*ids = (struct fleet_ids){};
}

uint32_t fleet_ids_find(const struct fleet_ids *ids, uint64_t id)
{
	const uint64_t *at = ids->n ? bsearch(&id, ids->items, ids->n, sizeof(*ids->items), by_id) :
				      NULL;

	return at ? (uint32_t)(at - ids->items) : FLEET_UNKNOWN;
}

void fleet_host_rows_done(struct fleet_host_rows *rows)
{
	for (uint32_t i = 0; i < rows->nhosts; i++)
		free(rows->hosts[i]);
	free(rows->hosts);
	free(rows->rows);
	*rows = (struct fleet_host_rows){};
}

/* Of the host that comes next; it is taken over where it is another one. */
static int add_host(struct fleet_host_rows *rows, char **host)
{
	void *array = rows->hosts;
	int r;

	if (rows->nhosts && streq(rows->hosts[rows->nhosts - 1], *host))
		return 0;
	r = array_reserve(&array, rows->nhosts, &rows->hosts_room, sizeof(*rows->hosts));
	if (r < 0)
		return r;
	rows->hosts = array;
	rows->hosts[rows->nhosts++] = TAKE_PTR(*host);
	return 0;
}

static int add_host_row(struct fleet_host_rows *rows, const struct fleet_host_row *row)
{
	void *array = rows->rows;
	int r = array_reserve(&array, rows->n, &rows->rows_room, sizeof(*rows->rows));

	if (r < 0)
		return r;
	rows->rows = array;
	rows->rows[rows->n++] = *row;
	return 0;
}

int fleet_host_rows_decode(const struct buf *answer, struct fleet_host_rows *ret,
			   struct fleet_ids *ids)
{
	_cleanup_(fleet_host_rows_done) struct fleet_host_rows rows = {};
	struct rows_reader reader = rows_of(answer);
	int r = 0;

	while (r == 0 && rows_more(&reader)) {
		_cleanup_free_ char *host = fleet_text(&reader);
		struct fleet_host_row row = { .stack = rows_u64(&reader) };

		row.weight = rows_u64(&reader);
		row.samples = rows_u64(&reader);
		if (rows_bad(&reader))
			return -EBADMSG;
		r = add_host(&rows, &host);
		row.host = rows.nhosts - 1;
		if (r == 0)
			r = add_host_row(&rows, &row);
		if (r == 0)
			r = fleet_ids_add(ids, row.stack);
	}
	if (r < 0)
		return r;
	*ret = rows;
	rows = (struct fleet_host_rows){};
	return 0;
}

int fleet_cells_decode(const struct buf *answer, fleet_cell_fn each, void *ctx)
{
	struct rows_reader reader = rows_of(answer);
	int r = 0;

	while (r == 0 && rows_more(&reader)) {
		_cleanup_free_ char *host = fleet_text(&reader);
		uint32_t begin = rows_u32(&reader);
		uint64_t values[3];

		for (int i = 0; i < 3; i++)
			values[i] = rows_u64(&reader);
		if (rows_bad(&reader))
			return -EBADMSG;
		r = each(host, begin, values, ctx);
	}
	return r;
}

/* The columns of a stack, an element for each frame. */
struct columns {
	char **names, **files, **modules; /* owned */
	int *lines, *first_lines;
	uint8_t *kinds;
	size_t n;
};

static void texts_done(char **texts, size_t n)
{
	for (size_t i = 0; texts && i < n; i++)
		free(texts[i]);
	free(texts);
}

static void columns_done(struct columns *c)
{
	texts_done(c->names, c->n);
	texts_done(c->files, c->n);
	texts_done(c->modules, c->n);
	free(c->lines);
	free(c->first_lines);
	free(c->kinds);
}

/* Whether the array that follows has as many elements as the others of the stack. */
static bool as_many(struct rows_reader *r, const struct columns *c)
{
	if (rows_array(r) != c->n)
		r->bad = true;
	return !r->bad;
}

static void read_texts(struct rows_reader *r, const struct columns *c, char **texts)
{
	if (!as_many(r, c))
		return;
	for (size_t i = 0; i < c->n && !rows_bad(r); i++)
		texts[i] = fleet_text(r);
}

static int *read_numbers(struct rows_reader *r, const struct columns *c)
{
	int *numbers = calloc(c->n + 1, sizeof(*numbers));

	if (numbers && as_many(r, c))
		for (size_t i = 0; i < c->n; i++)
			numbers[i] = (int)rows_u32(r);
	return numbers;
}

static int read_columns(struct rows_reader *r, struct columns *c)
{
	size_t n = rows_array(r);

	/* two more than a tick walks: what plop puts before and behind them */
	if (n > PLOP_MAX_DEPTH + 64)
		return -EBADMSG;
	c->n = n;
	c->names = calloc(n + 1, sizeof(*c->names));
	c->files = calloc(n + 1, sizeof(*c->files));
	c->modules = calloc(n + 1, sizeof(*c->modules));
	c->kinds = calloc(n + 1, sizeof(*c->kinds));
	if (!c->names || !c->files || !c->modules || !c->kinds)
		return -ENOMEM;
	for (size_t i = 0; i < n && !rows_bad(r); i++)
		c->names[i] = fleet_text(r);
	read_texts(r, c, c->files);
	c->lines = read_numbers(r, c);
	c->first_lines = read_numbers(r, c);
	if (!c->lines || !c->first_lines)
		return -ENOMEM;
	if (as_many(r, c))
		for (size_t i = 0; i < n; i++) {
			c->kinds[i] = rows_u8(r);
			if (c->kinds[i] >= PLOP_FRAME_KINDS)
				return -EBADMSG;
		}
	read_texts(r, c, c->modules);
	return rows_bad(r) ? -EBADMSG : 0;
}

static int intern(const struct columns *c, struct dict *d, uint32_t *ret)
{
	_cleanup_free_ uint32_t *frames = calloc(c->n + 1, sizeof(*frames));
	int r = frames ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < c->n; i++) {
		const struct dict_function f = { .name = c->names[i],
						 .module = c->modules[i],
						 .file = c->files[i],
						 .line = MAX(c->first_lines[i], 0),
						 .kind = (enum plop_frame_kind)c->kinds[i] };
		int line = MAX(c->lines[i], DICT_LINE_COMPILED);
		uint32_t function;

		r = dict_function(d, &f, &function);
		if (r == 0)
			r = dict_frame(d, function, f.kind == PLOP_FRAME_SYNTHETIC ? 0 : line,
				       &frames[i]);
	}
	return r < 0 ? r : dict_stack(d, frames, (uint32_t)c->n, ret);
}

int fleet_stacks_decode(const struct buf *answer, const struct fleet_ids *ids, struct dict *d,
			uint32_t *numbers)
{
	struct rows_reader reader = rows_of(answer);
	int r = 0;

	while (r == 0 && rows_more(&reader)) {
		_cleanup_(columns_done) struct columns c = {};
		uint32_t at = fleet_ids_find(ids, rows_u64(&reader));

		r = read_columns(&reader, &c);
		/* what has no frame is no stack */
		if (r == 0 && c.n && at != FLEET_UNKNOWN)
			r = intern(&c, d, &numbers[at]);
	}
	return r;
}

void fleet_process_done(struct fleet_process *p)
{
	process_info_done(&p->info);
	free(p->python);
	*p = (struct fleet_process){};
}

int fleet_processes_decode(const struct buf *answer, const struct fleet_ids *ids,
			   struct fleet_process *processes)
{
	struct rows_reader reader = rows_of(answer);

	while (rows_more(&reader)) {
		struct fleet_process p = { .id = rows_u64(&reader) };
		uint32_t at = fleet_ids_find(ids, p.id), pid = rows_u32(&reader);

		p.info.pid = pid <= INT32_MAX ? (pid_t)pid : 0;
		p.info.start_time = rows_f64(&reader);
		p.info.uid = rows_u32(&reader);
		/* it is who it is by the store's id, whatever its host */
		p.info.start_ticks = p.id;
		p.python = fleet_text(&reader);
		p.info.comm = fleet_text(&reader);
		p.info.exe = fleet_text(&reader);
		p.info.cmdline = fleet_text(&reader);
		p.info.cgroup = fleet_text(&reader);
		p.info.unit = fleet_text(&reader);
		p.info.container = fleet_text(&reader);
		p.info.service = strdup("");
		p.info.version = strdup("");
		if (rows_bad(&reader) || !p.info.service || !p.info.version ||
		    !(p.info.start_time >= 0 && p.info.start_time < 1e11) || at == FLEET_UNKNOWN) {
			bool skip = !rows_bad(&reader) && at == FLEET_UNKNOWN;

			fleet_process_done(&p);
			if (skip)
				continue;
			return -EBADMSG;
		}
		fleet_process_done(&processes[at]);
		processes[at] = p;
	}
	return rows_bad(&reader) ? -EBADMSG : 0;
}
