/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "format/encoders.h"
#include "format/lines.h"
#include "format/text.h"

/*
 * "frame;frame count", root first. Readers take the last blank and number of a line as the count,
 * and some of them two such columns, so a frame ends in ":LINE)", or ":compiled)", unless it is
 * synthetic. There is no room for what a thread was doing: states are added up.
 */
static void write_frame(struct buf *b, const struct dict *d, uint32_t id)
{
	const struct dict_frame *f = dict_get_frame(d, id);
	const struct dict_function *fn = dict_get_function(d, f->function);

	text_collapsed(b, fn->name);
	if (fn->kind == PLOP_FRAME_SYNTHETIC)
		return;
	buf_puts(b, " (");
	text_collapsed(b, text_place(fn));
	if (f->line == DICT_LINE_COMPILED)
		buf_puts(b, ":compiled)");
	else
		buf_printf(b, ":%d)", f->line);
}

int collapsed_encode(const struct profile *p, struct buf *out)
{
	_cleanup_(lines_done) struct lines l = {};
	_cleanup_free_ uint64_t *counts = NULL;
	uint32_t stacks = dict_stacks(p->dict);
	int r;

	counts = calloc((size_t)stacks + 1, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	l.text.limit = out->limit;
	for (uint32_t i = 0; i < p->nsamples; i++)
		counts[p->samples[i].stack] += profile_weight(p, &p->samples[i]);
	for (uint32_t i = 0; i < stacks; i++) {
		const struct dict_stack *s = dict_get_stack(p->dict, i);

		/* A line without a frame would be no line for any reader. */
		if (!counts[i] || !s->depth)
			continue;
		for (uint32_t k = 0; k < s->depth; k++) {
			if (k)
				buf_putc(&l.text, ';');
			write_frame(&l.text, p->dict, s->frames[k]);
		}
		r = lines_end(&l, counts[i]);
		if (r < 0)
			return r;
	}
	r = lines_merge(&l);
	if (r < 0)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		buf_append(out, l.text.data + l.items[i].at, l.items[i].size);
		buf_printf(out, " %" PRIu64 "\n", l.items[i].count);
	}
	return out->error;
}
