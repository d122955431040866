/* SPDX-License-Identifier: BSD-2-Clause */
#include "draw/markup.h"

#include <math.h>

#define FLAME_ROW 17   /* pixels of height */
#define WIDTH     1200 /* pixels of a picture on its own */
#define TOP       24   /* of its title */
#define NOTE      16   /* of a line below it */
#define NARROW    0.02 /* of the width: no room for a text */
/* In pictures a frame of less than that of the width is left out: a third of a pixel. */
#define THINNEST (1.0 / 4096)

/* Shares differ by that much where the colour is full. */
#define FULL 0.05

static double width_of(const struct flame *f, const struct flame_frame *n)
{
	return f->difference ? (n->total + n->base_total) / 2 : n->total;
}

/* Where one is in the tree: at way[depth], which begins at begins[depth] of the width. */
struct walk {
	uint32_t way[FLAME_DEPTH], depth;
	double begins[FLAME_DEPTH];
};

/* To the next frame, into what the present one called if down is set. False: there is none. */
static bool walk_on(const struct flame *f, struct walk *w, bool down)
{
	const struct flame_frame *at = &f->frames[w->way[w->depth]];

	if (down && at->child && w->depth + 1 < FLAME_DEPTH) {
		w->begins[w->depth + 1] = w->begins[w->depth];
		w->way[++w->depth] = at->child;
		return true;
	}
	while (!at->next) {
		if (w->depth == 0)
			return false;
		at = &f->frames[w->way[--w->depth]];
	}
	w->begins[w->depth] += width_of(f, at);
	w->way[w->depth] = at->next;
	return true;
}

static uint32_t flame_depth(const struct flame *f)
{
	struct walk w = {};
	uint32_t most = 0;

	if (f->nframes == 0)
		return 0;
	do
		most = MAX(most, w.depth + 1);
	while (walk_on(f, &w, true));
	return most;
}

/* From grey to orange (more) or blue (less); black on each has a contrast of more than 7. */
static void put_change(struct buf *b, double change)
{
	static const int none[3] = { 228, 228, 228 };
	static const int more[3] = { 245, 145, 40 }, less[3] = { 100, 175, 225 };
	double part = fabs(change) < 0.0005 ? 0 : fmin(1, sqrt(fabs(change) / FULL));
	const int *to = change > 0 ? more : less;
	int c[3];

	for (int i = 0; i < 3; i++)
		c[i] = none[i] + (int)lround(part * (to[i] - none[i]));
	buf_printf(b, "#%02x%02x%02x", (unsigned int)c[0], (unsigned int)c[1], (unsigned int)c[2]);
}

/* Functions of one file have one colour, the same in each picture. */
static void put_place(struct buf *b, const struct flame_frame *n)
{
	static const char *const colours[] = { "#f7c67f", "#f2a37c", "#f6d96b", "#c9d98a",
					       "#9fd3b4", "#9ccbe3", "#c3bde8", "#e7b5cf" };
	uint32_t h = 2166136261;

	if (!*n->file) {
		buf_puts(b, "#e4e4e4");
		return;
	}
	for (const char *s = n->file; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619;
	buf_puts(b, colours[(h >> 16) % ARRAY_SIZE(colours)]);
}

static void put_hover(struct buf *b, const struct flame *f, const struct flame_frame *n)
{
	buf_puts(b, "<title>");
	markup_place(b, n);
	if (f->difference) {
		buf_puts(b, "\ntotal: base ");
		markup_share(b, n->base_total);
		buf_puts(b, ", new ");
		markup_share(b, n->total);
		buf_puts(b, ", ");
		markup_points(b, n->total - n->base_total);
		buf_puts(b, "\nself: base ");
		markup_share(b, n->base_self);
		buf_puts(b, ", new ");
		markup_share(b, n->self);
		buf_puts(b, ", ");
		markup_points(b, n->self - n->base_self);
	} else {
		buf_puts(b, "\ntotal ");
		markup_share(b, n->total);
		buf_puts(b, ", self ");
		markup_share(b, n->self);
	}
	if (n->said) {
		buf_putc(b, '\n');
		markup_text(b, n->said);
	}
	buf_puts(b, "</title>");
}

static void put_frame(struct buf *b, const struct flame *f, const struct flame_frame *n, double x,
		      unsigned int y)
{
	double width = width_of(f, n);

	buf_printf(b, "<svg x=\"%.4f%%\" y=\"%u\" width=\"%.4f%%\" height=\"%d\">", 100 * x, y,
		   100 * width, FLAME_ROW);
	put_hover(b, f, n);
	buf_puts(b, "<rect width=\"100%\" height=\"16\" fill=\"");
	if (f->difference)
		put_change(b, n->total - n->base_total);
	else
		put_place(b, n);
	buf_puts(b, "\"/>");
	if (width >= NARROW) {
		buf_puts(b, "<text x=\"3\" y=\"12\">");
		markup_text(b, n->name);
		buf_puts(b, "</text>");
	}
	buf_puts(b, "</svg>\n");
}

/* The frames, the root's from y on, each as an <svg> of its own, so that its text is cut off. */
static void put_frames(struct buf *b, const struct flame *f, unsigned int y)
{
	struct walk w = {};
	bool drawn;

	if (f->nframes == 0)
		return;
	do {
		const struct flame_frame *n = &f->frames[w.way[w.depth]];

		drawn = width_of(f, n) >= THINNEST;
		if (drawn)
			put_frame(b, f, n, w.begins[w.depth], y + w.depth * FLAME_ROW);
	} while (walk_on(f, &w, drawn));
}

static const char style[] = "text{font:11px monospace;fill:#000}rect{stroke:#fff;stroke-width:1}";
static const char legend[] =
	"Orange took more of the time than before, blue less: the stronger the colour, the more, "
	"up to 5 points. A frame is as wide as the mean of both sides.";

int flame_svg(const struct flame *f, struct buf *out)
{
	unsigned int y = TOP, height;

	height = y + (f->nnotes + f->difference) * NOTE + 8 + flame_depth(f) * FLAME_ROW + 4;
	buf_printf(out,
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\">\n"
		   "<style>%s .title{font-size:14px}</style>\n"
		   "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		   "<text class=\"title\" x=\"4\" y=\"%u\">",
		   WIDTH, height, style, y - 6);
	markup_text(out, f->title);
	buf_puts(out, "</text>\n");
	for (uint32_t i = 0; i < f->nnotes + f->difference; i++) {
		y += NOTE;
		buf_printf(out, "<text x=\"4\" y=\"%u\">", y - 6);
		markup_text(out, i < f->nnotes ? f->notes[i] : legend);
		buf_puts(out, "</text>\n");
	}
	put_frames(out, f, y + 8);
	buf_puts(out, "</svg>\n");
	return out->error;
}
