/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "format/encoders.h"
#include "format/text.h"

#define TYPE   "{\"type\":\"plop-callgraph\""
#define MERGED "\"merged\":{\"functions\":"

static void write_head(const struct profile *p, const struct callgraph *g, struct buf *out)
{
	buf_puts(out, TYPE);
	text_json_head(out, p, g->total, g->states);
	/*
	 * What [other] stands for: functions that are no nodes of their own, and calls that are not
	 * told.
	 */
	buf_printf(out, "," MERGED "%" PRIu32 ",\"edges\":%" PRIu32 "}", g->merged,
		   g->edges_left_out);
	buf_puts(out, ",\"labels\":");
	text_json_labels(out, &p->labels);
}

/* What else is known of a process. */
static void write_info(const struct process_info *info, struct buf *out)
{
	const struct {
		const char *key, *value;
	} rows[] = {
		{ "comm", info->comm },           { "service", info->service },
		{ "version", info->version },     { "unit", info->unit },
		{ "container", info->container }, { "cgroup", info->cgroup },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		buf_printf(out, ",\"%s\":", rows[i].key);
		text_json(out, rows[i].value);
	}
}

static void write_threads(const struct profile *p, struct buf *out)
{
	const char *comma = "";

	for (uint32_t i = 0; i < p->nthreads; i++) {
		const struct profile_thread *t = &p->threads[i];

		if (!*t->name)
			continue;
		buf_printf(out, "%s{\"pid\":%d,\"tid\":%" PRIu32 ",\"name\":", comma,
			   (int)p->processes[t->process].info.pid, t->tid);
		text_json(out, t->name);
		buf_putc(out, '}');
		comma = ",";
	}
}

static void write_process(const struct profile_process *p, uint64_t total, struct buf *out)
{
	buf_printf(out, "{\"pid\":%d,\"start_time\":", (int)p->info.pid);
	text_json_double(out, p->info.start_time);
	buf_puts(out, ",\"python\":");
	text_json(out, p->python);
	write_info(&p->info, out);
	buf_printf(out, ",\"samples\":%" PRIu64 ",\"total\":%" PRIu64 "}", p->samples, total);
}

uint64_t format_merged(const char *data, size_t size)
{
	static const char begin[] = TYPE, merged[] = MERGED;
	/* before it there are numbers, and words of plop's own */
	const char *at = size > sizeof(begin) && memcmp(data, begin, sizeof(begin) - 1) == 0 ?
				 memmem(data, MIN(size, (size_t)4096), merged, sizeof(merged) - 1) :
				 NULL;
	uint64_t n = 0;

	for (at = at ? at + sizeof(merged) - 1 : data + size;
	     at < data + size && *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	return n;
}

/* The call graph, as GET /v1/profile, /v1/stream and the viewer know it. */
int json_encode(const struct profile *p, struct buf *out)
{
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;
	_cleanup_free_ uint64_t *totals = NULL;
	int r;

	totals = calloc((size_t)p->nprocesses + 1, sizeof(*totals));
	if (!totals)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nsamples; i++)
		totals[p->samples[i].process] += profile_weight(p, &p->samples[i]);
	r = callgraph_new(p, CALLGRAPH_NODES, &g);
	if (r < 0)
		return r;
	write_head(p, g, out);
	buf_puts(out, ",\"processes\":[");
	for (uint32_t i = 0; i < p->nprocesses; i++) {
		if (i)
			buf_putc(out, ',');
		write_process(&p->processes[i], totals[i], out);
	}
	buf_puts(out, "],\"threads\":[");
	write_threads(p, out);
	buf_puts(out, "],\"nodes\":[");
	for (uint32_t i = 0; i < g->nnodes; i++) {
		const struct callgraph_node *n = &g->nodes[i];
		const struct dict_function *f = callgraph_function(p, n);

		buf_printf(out, "%s{\"id\":%" PRIu32 ",\"function\":", i ? "," : "", i);
		text_json(out, f->name);
		text_json_where(out, f);
		buf_printf(out, ",\"self\":%" PRIu64 ",\"total\":%" PRIu64 "}", n->self, n->total);
	}
	buf_puts(out, "],\"edges\":[");
	for (uint32_t i = 0; i < g->nedges; i++) {
		const struct callgraph_edge *e = &g->edges[i];

		buf_printf(out,
			   "%s{\"source\":%" PRIu32 ",\"target\":%" PRIu32 ",\"count\":%" PRIu64
			   "}",
			   i ? "," : "", e->source, e->target, e->count);
	}
	buf_puts(out, "]}");
	return out->error;
}
