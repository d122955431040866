/* SPDX-License-Identifier: BSD-2-Clause */
#include "plop/version.h"
#include "ship/encode.h"

#include <xxhash.h>

#include "clickhouse/rows.h"

#define DAY_NS (86400 * NSEC_PER_SEC)

#define TEXT "LowCardinality(String)"
static const struct native_column of_stacks[] = {
	{ "day", "Date", NATIVE_U16, false },     { "stack_id", "UInt64", NATIVE_U64, false },
	{ "functions", TEXT, NATIVE_TEXT, true }, { "files", TEXT, NATIVE_TEXT, true },
	{ "lines", "UInt32", NATIVE_U32, true },  { "first_lines", "UInt32", NATIVE_U32, true },
	{ "kinds", "UInt8", NATIVE_U8, true },    { "modules", TEXT, NATIVE_TEXT, true },
};
static const struct native_column of_processes[] = {
	{ "day", "Date", NATIVE_U16, false },
	{ "process_id", "UInt64", NATIVE_U64, false },
	{ "host_id", "UInt64", NATIVE_U64, false },
	{ "host", TEXT, NATIVE_TEXT, false },
	{ "region", TEXT, NATIVE_TEXT, false },
	{ "pid", "UInt32", NATIVE_U32, false },
	{ "start_time", "Float64", NATIVE_U64, false },
	{ "uid", "UInt32", NATIVE_U32, false },
	{ "python", TEXT, NATIVE_TEXT, false },
	{ "comm", TEXT, NATIVE_TEXT, false },
	{ "exe", TEXT, NATIVE_TEXT, false },
	{ "cmdline", "String", NATIVE_STRING, false },
	{ "cgroup", TEXT, NATIVE_TEXT, false },
	{ "unit", TEXT, NATIVE_TEXT, false },
	{ "container", TEXT, NATIVE_TEXT, false },
	{ "service", TEXT, NATIVE_TEXT, false },
	{ "version", TEXT, NATIVE_TEXT, false },
};
static const struct native_column of_samples[] = {
	{ "start", "DateTime('UTC')", NATIVE_U32, false },
	{ "service", TEXT, NATIVE_TEXT, false },
	{ "version", TEXT, NATIVE_TEXT, false },
	{ "region", TEXT, NATIVE_TEXT, false },
	{ "host", TEXT, NATIVE_TEXT, false },
	{ "host_id", "UInt64", NATIVE_U64, false },
	{ "window", "UInt64", NATIVE_U64, false },
	{ "process_id", "UInt64", NATIVE_U64, false },
	{ "stack_id", "UInt64", NATIVE_U64, false },
	{ "state", "UInt8", NATIVE_U8, false },
	{ "samples", "UInt64", NATIVE_U64, false },
	{ "weight", "UInt64", NATIVE_U64, false },
};
static const struct native_column of_windows[] = {
	{ "day", "Date", NATIVE_U16, false },
	{ "start", "DateTime('UTC')", NATIVE_U32, false },
	{ "start_ns", "UInt64", NATIVE_U64, false },
	{ "end_ns", "UInt64", NATIVE_U64, false },
	{ "host_id", "UInt64", NATIVE_U64, false },
	{ "host", TEXT, NATIVE_TEXT, false },
	{ "region", TEXT, NATIVE_TEXT, false },
	{ "window", "UInt64", NATIVE_U64, false },
	{ "hz", "UInt32", NATIVE_U32, false },
	{ "weight", "UInt64", NATIVE_U64, false },
	{ "stepped_ns", "Int64", NATIVE_U64, false },
	{ "ticks", "UInt64", NATIVE_U64, false },
	{ "python", "UInt64", NATIVE_U64, false },
	{ "other", "UInt64", NATIVE_U64, false },
	{ "truncated", "UInt64", NATIVE_U64, false },
	{ "lost_causes", TEXT, NATIVE_TEXT, true },
	{ "lost_counts", "UInt64", NATIVE_U64, true },
	{ "samples", "UInt64", NATIVE_U64, false },
	{ "rows", "UInt64", NATIVE_U64, false },
	{ "plop", TEXT, NATIVE_TEXT, false },
};
#undef TEXT

const struct native_table ship_stacks = { "stacks", of_stacks, ARRAY_SIZE(of_stacks) };
const struct native_table ship_processes = { "processes", of_processes, ARRAY_SIZE(of_processes) };
const struct native_table ship_samples = { "samples", of_samples, ARRAY_SIZE(of_samples) };
const struct native_table ship_windows = { "windows", of_windows, ARRAY_SIZE(of_windows) };

/* What ids are hashes of is behind them: the row as it is written, but for day and id. */
static uint64_t put_hashed(struct buf *to, uint32_t day, const struct buf *rest, uint64_t seed)
{
	uint64_t id = XXH3_64bits_withSeed(rest->data, rest->size, seed);

	rows_put_u16(to, (uint16_t)day);
	rows_put_u64(to, id);
	buf_append(to, rest->data, rest->size);
	return id;
}

/* The columns of stacks, in their order: each has an element for each frame. */
enum column { FUNCTIONS, FILES, LINES, FIRST_LINES, KINDS, MODULES, COLUMNS };

static void put_frame(enum column c, const struct dict_frame *f, const struct dict_function *of,
		      struct buf *to)
{
	switch (c) {
	case FUNCTIONS:
		rows_put_string(to, of->name);
		break;
	case FILES:
		rows_put_string(to, of->file);
		break;
	case LINES:
		rows_put_u32(to, (uint32_t)f->line);
		break;
	case FIRST_LINES:
		rows_put_u32(to, (uint32_t)of->line);
		break;
	case KINDS:
		rows_put_u8(to, (uint8_t)of->kind);
		break;
	case MODULES:
	case COLUMNS:
		rows_put_string(to, of->module);
		break;
	}
}

static void stack_columns(const struct dict *d, const struct dict_stack *s, struct buf *to)
{
	for (enum column c = FUNCTIONS; c < COLUMNS; c++) {
		rows_put_array(to, s->depth);
		for (uint32_t i = 0; i < s->depth; i++) {
			const struct dict_frame *f = dict_get_frame(d, s->frames[i]);

			put_frame(c, f, dict_get_function(d, f->function), to);
		}
	}
}

static void process_columns(const struct profile_process *p, const struct ship_host *host,
			    struct buf *to)
{
	const char *const texts[] = { p->python,         p->info.comm,    p->info.exe,
				      p->info.cmdline,   p->info.cgroup,  p->info.unit,
				      p->info.container, p->info.service, p->info.version };

	rows_put_u64(to, host->id);
	rows_put_string(to, host->name);
	rows_put_string(to, host->region);
	rows_put_u32(to, (uint32_t)p->info.pid);
	rows_put_f64(to, p->info.start_time);
	rows_put_u32(to, p->info.uid);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		rows_put_string(to, texts[i]);
}

/* A row of samples before it is written. */
struct counted {
	const struct profile_process *process;
	uint64_t process_id, stack_id, count, weight;
	uint32_t state;
};

static int compare(const void *one, const void *other)
{
	const struct counted *a = one, *b = other;

	if (a->process_id != b->process_id)
		return a->process_id < b->process_id ? -1 : 1;
	if (a->stack_id != b->stack_id)
		return a->stack_id < b->stack_id ? -1 : 1;
	return a->state < b->state ? -1 : a->state > b->state;
}

/* One row for each process, stack and state: the store keeps one of two that have all the same. */
static uint32_t add_up(struct counted *c, uint32_t n)
{
	uint32_t to = 0;

	if (n)
		qsort(c, n, sizeof(*c), compare);
	for (uint32_t i = 0; i < n; i++) {
		if (to && compare(&c[to - 1], &c[i]) == 0)
			c[to - 1].count += c[i].count;
		else
			c[to++] = c[i];
	}
	return to;
}

/* What is being encoded: ids by their numbers in the profile. */
struct encoding {
	const struct profile *profile;
	const struct ship_host *host;
	const struct seen *seen;
	struct ship_rows *rows;
	uint64_t *processes, *stacks; /* 0: has none yet */
	struct counted *counted;
	struct buf row;
};

static void encoding_done(struct encoding *e)
{
	free(e->processes);
	free(e->stacks);
	free(e->counted);
	buf_free(&e->row);
}

/* Puts what e->row has, unless the store has it already. Its id. */
static uint64_t put_new(struct encoding *e, struct buf *to)
{
	size_t before = to->size;
	uint64_t id = put_hashed(to, e->rows->day, &e->row, e->host->seed);

	if (seen_has(e->seen, id))
		to->size = before;
	else
		e->rows->ids[e->rows->nids++] = id;
	return id;
}

static uint64_t process_id(struct encoding *e, uint32_t number)
{
	uint64_t *id = &e->processes[number];

	if (!*id) {
		buf_clear(&e->row);
		process_columns(&e->profile->processes[number], e->host, &e->row);
		*id = put_new(e, &e->rows->processes);
	}
	return *id;
}

static uint64_t stack_id(struct encoding *e, uint32_t number)
{
	const struct dict *d = e->profile->dict;
	uint64_t *id = &e->stacks[number];

	if (!*id) {
		buf_clear(&e->row);
		stack_columns(d, dict_get_stack(d, number), &e->row);
		*id = put_new(e, &e->rows->stacks);
	}
	return *id;
}

static uint32_t seconds(uint64_t ns)
{
	return (uint32_t)(ns / NSEC_PER_SEC);
}

static void put_sample(const struct encoding *e, const struct counted *c, uint64_t window)
{
	struct buf *to = &e->rows->samples;

	rows_put_u32(to, seconds(e->profile->start_ns));
	rows_put_string(to, c->process->info.service);
	rows_put_string(to, c->process->info.version);
	rows_put_string(to, e->host->region);
	rows_put_string(to, e->host->name);
	rows_put_u64(to, e->host->id);
	rows_put_u64(to, window);
	rows_put_u64(to, c->process_id);
	rows_put_u64(to, c->stack_id);
	rows_put_u8(to, (uint8_t)c->state);
	rows_put_u64(to, c->count);
	rows_put_u64(to, c->weight);
}

static void put_head(const struct encoding *e, uint64_t window, uint64_t weight)
{
	const struct profile *p = e->profile;
	struct buf *to = &e->rows->head;

	rows_put_u16(to, (uint16_t)e->rows->day);
	rows_put_u32(to, seconds(p->start_ns));
	rows_put_u64(to, p->start_ns);
	rows_put_u64(to, p->end_ns);
	rows_put_u64(to, e->host->id);
	rows_put_string(to, e->host->name);
	rows_put_string(to, e->host->region);
	rows_put_u64(to, window);
	rows_put_u32(to, p->hz);
	rows_put_u64(to, weight);
	rows_put_u64(to, (uint64_t)p->stepped_ns);
	rows_put_u64(to, p->tally.ticks);
	rows_put_u64(to, p->tally.python);
	rows_put_u64(to, p->tally.other);
	rows_put_u64(to, p->tally.truncated);
	rows_put_array(to, PLOP_LOST_CAUSES);
	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		rows_put_string(to, tally_lost_name(i));
	rows_put_array(to, PLOP_LOST_CAUSES);
	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		rows_put_u64(to, p->tally.lost[i]);
	rows_put_u64(to, e->rows->count);
	rows_put_u64(to, e->rows->nsamples);
	rows_put_string(to, PLOP_VERSION);
}

/* A number of its own on that host: a file that was put back has other windows of the same ids. */
static uint64_t window_of(const struct profile *p, const struct store_place *place)
{
	const uint64_t of[] = { place->writer, (uint64_t)place->id, p->start_ns };

	return XXH3_64bits(of, sizeof(of));
}

static int begin(struct encoding *e)
{
	const struct profile *p = e->profile;
	size_t stacks = dict_stacks(p->dict) + (size_t)1;

	e->processes = calloc(p->nprocesses + (size_t)1, sizeof(*e->processes));
	e->stacks = calloc(stacks, sizeof(*e->stacks));
	e->counted = calloc(p->nsamples + (size_t)1, sizeof(*e->counted));
	e->rows->ids = calloc(stacks + p->nprocesses, sizeof(*e->rows->ids));
	return e->processes && e->stacks && e->counted && e->rows->ids ? 0 : -ENOMEM;
}

/* Those of processes that are not left out. */
static int count_samples(struct encoding *e, const struct ship_weights *weights)
{
	const struct profile *p = e->profile;
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct profile_sample *s = &p->samples[i];

		if (!weights->processes[s->process] && !weights->all)
			continue;
		e->counted[n++] = (struct counted){ .process = &p->processes[s->process],
						    .process_id = process_id(e, s->process),
						    .stack_id = stack_id(e, s->stack),
						    .count = s->count,
						    .weight = weights->processes[s->process],
						    .state = s->state };
		e->rows->count += s->count;
		if (e->row.error)
			return -ENOMEM;
	}
	e->rows->nsamples = add_up(e->counted, n);
	return 0;
}

int ship_encode(const struct profile *p, const struct ship_host *host,
		const struct store_place *place, const struct ship_weights *weights,
		const struct seen *seen, struct ship_rows *ret)
{
	_cleanup_(
		ship_rows_done) struct ship_rows rows = { .day = (uint32_t)(p->start_ns / DAY_NS) };
	_cleanup_(encoding_done) struct encoding e = {
		.profile = p, .host = host, .seen = seen, .rows = &rows
	};
	uint64_t window = window_of(p, place);
	int r = begin(&e);

	if (r == 0)
		r = count_samples(&e, weights);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < rows.nsamples; i++)
		put_sample(&e, &e.counted[i], window);
	put_head(&e, window, weights->head);
	if (rows.stacks.error || rows.processes.error || rows.samples.error || rows.head.error)
		return -ENOMEM;
	*ret = rows;
	rows = (struct ship_rows){};
	return 0;
}

void ship_rows_done(struct ship_rows *rows)
{
	buf_free(&rows->stacks);
	buf_free(&rows->processes);
	buf_free(&rows->samples);
	buf_free(&rows->head);
	free(TAKE_PTR(rows->ids));
}

int ship_rows_add(struct ship_rows *to, const struct ship_rows *rows)
{
	buf_append(&to->stacks, rows->stacks.data, rows->stacks.size);
	buf_append(&to->processes, rows->processes.data, rows->processes.size);
	buf_append(&to->samples, rows->samples.data, rows->samples.size);
	buf_append(&to->head, rows->head.data, rows->head.size);
	to->nsamples += rows->nsamples;
	to->count += rows->count;
	return to->stacks.error || to->processes.error || to->samples.error || to->head.error ?
		       -ENOMEM :
		       0;
}

int ship_bound(struct profile **p, uint32_t rows)
{
	size_t bytes = profile_content(*p);
	int r = 0;

	/* rows differ in what they take, so it shows afterwards how many are left */
	while (r == 0 && (*p)->nsamples > rows && bytes) {
		bytes = (size_t)((double)bytes * 0.8 * rows / (*p)->nsamples);
		r = profile_prune(p, bytes);
	}
	return r;
}
