/* SPDX-License-Identifier: BSD-2-Clause */
#include "draw/markup.h"
#include "draw/texts.h"

static void put_row(struct buf *b, const struct flame_frame *n)
{
	buf_puts(b, "<tr><td>");
	markup_share(b, n->base_self);
	buf_puts(b, "</td><td>");
	markup_share(b, n->self);
	buf_puts(b, "</td><td>");
	markup_points(b, n->self - n->base_self);
	buf_puts(b, "</td><td>");
	markup_place(b, n);
	if (n->said) {
		buf_puts(b, ": ");
		markup_text(b, n->said);
	}
	buf_puts(b, "</td></tr>\n");
}

static void put_table(struct buf *b, const struct flame *f)
{
	if (f->nrows == 0)
		return;
	buf_puts(b, "<table>\n<thead><tr><th>self, base</th><th>self, new</th>"
		    "<th>change</th><th>function</th></tr></thead>\n<tbody>\n");
	for (uint32_t i = 0; i < f->nrows; i++)
		put_row(b, &f->rows[i]);
	buf_puts(b, "</tbody>\n</table>\n");
}

int flame_page(const struct flame *f, struct buf *out)
{
	buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		      "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
	markup_text(out, f->title);
	buf_printf(out, "</title>\n<style>\n%s%s\n</style>\n</head>\n<body>\n<h1>", page_style,
		   flame_style());
	markup_text(out, f->title);
	buf_puts(out, "</h1>\n");
	for (uint32_t i = 0; i <= f->nnotes; i++) {
		buf_puts(out, "<p>");
		markup_text(out, i < f->nnotes ? f->notes[i] : flame_legend());
		buf_puts(out, "</p>\n");
	}
	buf_puts(out, "<form hidden><label>Find <input id=\"find\" type=\"search\"></label> "
		      "<button id=\"all\" type=\"button\">Show all</button> "
		      "<output id=\"told\"></output></form>\n");
	buf_printf(out,
		   "<svg class=\"flame\" role=\"img\" aria-label=\"flame graph; the table below "
		   "has its functions\" height=\"%u\">\n",
		   flame_depth(f) * FLAME_ROW);
	markup_frames(out, f, 0, false);
	buf_puts(out, "</svg>\n");
	put_table(out, f);
	buf_printf(out, "<script>\n%s</script>\n</body>\n</html>\n", page_script);
	return out->error;
}
