/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "format/encoders.h"
#include "format/json_parts.h"
#include "format/text.h"

#define TYPE   "{\"type\":\"plop-callgraph\""
#define MERGED "\"merged\":{\"functions\":"

void json_merged(const struct callgraph *g, struct buf *out)
{
	buf_printf(out, "," MERGED "%" PRIu32 ",\"edges\":%" PRIu32 "}", g->merged,
		   g->edges_left_out);
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

void json_threads(const struct profile *p, struct buf *out)
{
	const char *comma = "";

	buf_putc(out, '[');
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
	buf_putc(out, ']');
}

void json_process(const struct profile_process *p, struct buf *out)
{
	buf_printf(out, "\"pid\":%d,\"start_time\":", (int)p->info.pid);
	text_json_double(out, p->info.start_time);
	buf_puts(out, ",\"python\":");
	text_json(out, p->python);
	write_info(&p->info, out);
}

void json_function(const struct dict_function *f, struct buf *out)
{
	buf_puts(out, "\"function\":");
	text_json(out, f->name);
	text_json_where(out, f);
}

void json_edge(uint32_t source, uint32_t target, uint64_t count, struct buf *out)
{
	buf_printf(out, "{\"source\":%" PRIu32 ",\"target\":%" PRIu32 ",\"count\":%" PRIu64 "}",
		   source, target, count);
}

int json_totals(const struct profile *p, uint64_t **ret)
{
	uint64_t *totals = calloc((size_t)p->nprocesses + 1, sizeof(*totals));

	if (!totals)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nsamples; i++)
		totals[p->samples[i].process] += profile_weight(p, &p->samples[i]);
	*ret = totals;
	return 0;
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

int json_write(const struct profile *p, const struct callgraph *g, const uint64_t *totals,
	       const uint64_t *sequence, struct buf *out)
{
	buf_puts(out, TYPE);
	text_json_head(out, p, g->total, g->states);
	json_merged(g, out);
	if (sequence)
		buf_printf(out, ",\"sequence\":%" PRIu64, *sequence);
	buf_puts(out, ",\"labels\":");
	text_json_labels(out, &p->labels);
	buf_puts(out, ",\"processes\":[");
	for (uint32_t i = 0; i < p->nprocesses; i++) {
		buf_puts(out, i ? ",{" : "{");
		json_process(&p->processes[i], out);
		buf_printf(out, ",\"samples\":%" PRIu64 ",\"total\":%" PRIu64 "}",
			   p->processes[i].samples, totals[i]);
	}
	buf_puts(out, "],\"threads\":");
	json_threads(p, out);
	buf_puts(out, ",\"nodes\":[");
	for (uint32_t i = 0; i < g->nnodes; i++) {
		const struct callgraph_node *n = &g->nodes[i];

		buf_printf(out, "%s{\"id\":%" PRIu32 ",", i ? "," : "", i);
		json_function(callgraph_function(p, n), out);
		buf_printf(out, ",\"self\":%" PRIu64 ",\"total\":%" PRIu64 "}", n->self, n->total);
	}
	buf_puts(out, "],\"edges\":[");
	for (uint32_t i = 0; i < g->nedges; i++) {
		const struct callgraph_edge *e = &g->edges[i];

		if (i)
			buf_putc(out, ',');
		json_edge(e->source, e->target, e->count, out);
	}
	buf_puts(out, "]}");
	return out->error;
}

/* The call graph, as GET /v1/profile, /v1/stream and the viewer know it. */
int json_encode(const struct profile *p, struct buf *out)
{
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;
	_cleanup_free_ uint64_t *totals = NULL;
	int r = json_totals(p, &totals);

	if (r == 0)
		r = callgraph_new(p, CALLGRAPH_NODES, &g);
	return r < 0 ? r : json_write(p, g, totals, NULL, out);
}
