/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "format/by_line.h"
#include "format/text.h"

static void write_nodes(const struct profile *p, const struct by_line *l, struct buf *out)
{
	buf_printf(out, ",\"asked\":%" PRIu32 ",\"nodes\":[", l->nasked);
	for (uint32_t i = 0; i < l->nnodes; i++) {
		const struct callgraph_node *n = &l->nodes[i];
		const struct dict_function *f = callgraph_function(p, n);

		buf_printf(out, "%s{\"id\":%" PRIu32 ",\"function\":", i ? "," : "", i);
		text_json(out, f->name);
		text_json_where(out, f);
		buf_printf(out, ",\"self\":%" PRIu64 ",\"total\":%" PRIu64 "}", n->self, n->total);
	}
	buf_puts(out, "]");
}

/* The line that runs; null: it is not known, or nobody keeps it. */
static void write_line(struct buf *out, int line)
{
	if (line > 0)
		buf_printf(out, ",\"line\":%d", line);
	else
		buf_puts(out, ",\"line\":null");
}

static void write_lines(const struct by_line *l, struct buf *out)
{
	buf_puts(out, ",\"lines\":[");
	for (uint32_t i = 0; i < l->nlines; i++) {
		buf_printf(out, "%s{\"node\":%" PRIu32, i ? "," : "", l->lines[i].function);
		write_line(out, l->lines[i].line);
		buf_printf(out, ",\"self\":%" PRIu64 ",\"total\":%" PRIu64 "}", l->lines[i].self,
			   l->lines[i].total);
	}
	buf_puts(out, "],\"calls\":[");
	for (uint32_t i = 0; i < l->ncalls; i++) {
		buf_printf(out, "%s{\"source\":%" PRIu32, i ? "," : "", l->calls[i].source);
		write_line(out, l->calls[i].line);
		buf_printf(out, ",\"target\":%" PRIu32 ",\"count\":%" PRIu64 "}",
			   l->calls[i].target, l->calls[i].count);
	}
	buf_puts(out, "]");
}

static void write_processes(const struct profile *p, const struct by_line *l, struct buf *out)
{
	buf_puts(out, ",\"processes\":[");
	for (uint32_t i = 0; i < l->nprocesses; i++) {
		const struct profile_process *k = &p->processes[l->processes[i].process];

		buf_printf(out, "%s{\"pid\":%d,\"start_time\":", i ? "," : "", (int)k->info.pid);
		text_json_double(out, k->info.start_time);
		buf_puts(out, ",\"python\":");
		text_json(out, k->python);
		buf_printf(out, ",\"total\":%" PRIu64 "}", l->processes[i].total);
	}
	buf_puts(out, "]");
}

int by_line_encode(const struct profile *p, const char *name, const char *file, struct buf *out)
{
	_cleanup_(by_line_freep) struct by_line *l = NULL;
	int r = by_line_new(p, name, file, &l);

	if (r < 0)
		return r;
	buf_puts(out, "{\"type\":\"plop-lines\"");
	text_json_head(out, p, l->total, l->states);
	/* what has lost its stack may have been of these lines, too */
	buf_printf(out,
		   ",\"merged\":%" PRIu64 ",\"left_out\":{\"functions\":%" PRIu32
		   ",\"lines\":%" PRIu32 ",\"calls\":%" PRIu32 "}",
		   profile_other(p), l->functions_left_out, l->lines_left_out, l->calls_left_out);
	write_nodes(p, l, out);
	write_lines(l, out);
	write_processes(p, l, out);
	buf_puts(out, "}");
	return out->error;
}
