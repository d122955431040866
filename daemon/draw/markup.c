/* SPDX-License-Identifier: BSD-2-Clause */
#include "draw/markup.h"

#include "util/utf8.h"

void markup_text(struct buf *b, const char *s)
{
	while (*s) {
		char bytes[UTF8_MAX];
		uint32_t c;

		s += utf8_decode(s, &c);
		if (c == UTF8_REPLACEMENT || !utf8_is_visible(c))
			c = '?';
		switch (c) {
		case '&':
			buf_puts(b, "&amp;");
			break;
		case '<':
			buf_puts(b, "&lt;");
			break;
		case '>':
			buf_puts(b, "&gt;");
			break;
		case '"':
			buf_puts(b, "&quot;");
			break;
		default:
			buf_append(b, bytes, utf8_encode(c, bytes));
		}
	}
}

void markup_share(struct buf *b, double share)
{
	buf_printf(b, "%.2f %%", 100 * share);
}

void markup_points(struct buf *b, double change)
{
	buf_printf(b, "%+.2f points", 100 * change);
}

void markup_place(struct buf *b, const struct flame_frame *f)
{
	markup_text(b, f->name);
	if (!*f->file)
		return;
	buf_puts(b, " (");
	markup_text(b, f->file);
	if (f->line > 0)
		buf_printf(b, ":%d", f->line);
	buf_putc(b, ')');
}
