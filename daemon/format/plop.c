/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "format/encoders.h"
#include "format/lines.h"
#include "format/text.h"

/*
 * The file of plop 0.4 and before: the repr of a Python dict {((file, line, function), ... leaf
 * first): count}, which its viewer reads by ast.literal_eval. Most frequent first; all stacks,
 * where the ancestor kept 50. Keys must differ, or the reader would keep only one of them. Behind
 * it comments of Python say what became of the ticks, what the counts are if they are not samples,
 * and the labels.
 */
int plop_encode(const struct profile *p, struct buf *out)
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

		if (!counts[i])
			continue;
		buf_putc(&l.text, '(');
		for (uint32_t k = s->depth; k-- > 0;) {
			const struct dict_frame *f = dict_get_frame(p->dict, s->frames[k]);
			const struct dict_function *fn = dict_get_function(p->dict, f->function);

			buf_putc(&l.text, '(');
			text_python(&l.text, text_place(fn));
			buf_printf(&l.text, ", %d, ", MAX(f->line, 0));
			text_python(&l.text, fn->name);
			buf_putc(&l.text, ')');
			/* A tuple of one item needs its comma. */
			if (k)
				buf_puts(&l.text, ", ");
			else if (s->depth == 1)
				buf_putc(&l.text, ',');
		}
		buf_putc(&l.text, ')');
		r = lines_end(&l, counts[i]);
		if (r < 0)
			return r;
	}
	r = lines_merge(&l);
	if (r < 0)
		return r;
	lines_sort_by_count(&l);
	buf_putc(out, '{');
	for (size_t i = 0; i < l.n; i++) {
		if (i)
			buf_puts(out, ", ");
		buf_append(out, l.text.data + l.items[i].at, l.items[i].size);
		buf_printf(out, ": %" PRIu64, l.items[i].count);
	}
	buf_puts(out, "}\n# ");
	text_comment(out, p);
	if (p->off_cpu)
		buf_printf(out, " unit=%s", profile_unit(p));
	/* A label's value has no line end, see labels_add(). */
	for (size_t i = 0; i < p->labels.n; i++)
		buf_printf(out, "\n# label.%s=%s", p->labels.items[i].key,
			   p->labels.items[i].value);
	buf_putc(out, '\n');
	return out->error;
}
