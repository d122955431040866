/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "format/encoders.h"
#include "format/text.h"

/*
 * The nodes of the call graph as a table for people: what each function took by itself, and with
 * all that it called; by descending self. The first line says what a number is and what 100 % are.
 */
static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void write_function(const struct dict_function *f, struct buf *out)
{
	text_collapsed(out, f->name);
	if (f->kind == PLOP_FRAME_SYNTHETIC)
		return;
	buf_puts(out, " (");
	text_collapsed(out, text_place(f));
	if (f->line > 0)
		buf_printf(out, ":%d", f->line);
	buf_putc(out, ')');
}

int top_encode(const struct profile *p, struct buf *out)
{
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;
	int r = callgraph_new(p, CALLGRAPH_NODES, &g);

	if (r < 0)
		return r;
	buf_printf(out, "%" PRIu64 " %s\n%12s %8s %12s %8s  %s\n", g->total, profile_unit(p),
		   "SELF", "%", "TOTAL", "%", "FUNCTION");
	for (uint32_t i = 0; i < g->nnodes; i++) {
		const struct callgraph_node *n = &g->nodes[i];

		buf_printf(out, "%12" PRIu64 " %8.2f %12" PRIu64 " %8.2f  ", n->self,
			   percent(n->self, g->total), n->total, percent(n->total, g->total));
		write_function(callgraph_function(p, n), out);
		buf_putc(out, '\n');
	}
	return out->error;
}
