/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <time.h>

#include "draw/flame.h"
#include "format/encoders.h"
#include "format/text.h"
#include "profile/tree.h"
#include "util/clock.h"

/* All that a flame graph borrows. */
struct drawing {
	struct tree *tree;
	struct flame_frame *frames;
	char *notes[2];
};

static void drawing_done(struct drawing *d)
{
	tree_free(d->tree);
	free(d->frames);
	for (size_t i = 0; i < ARRAY_SIZE(d->notes); i++)
		free(d->notes[i]);
}

static struct flame_frame frame_of(const struct dict_function *f, uint64_t total, uint64_t self,
				   uint64_t whole)
{
	return (struct flame_frame){
		.name = f->name,
		.file = text_place(f),
		.line = f->line,
		.total = whole ? (double)total / (double)whole : 0,
		.self = whole ? (double)self / (double)whole : 0,
	};
}

static int fill_frames(const struct profile *p, struct drawing *d)
{
	const struct tree *t = d->tree;
	uint64_t whole = t->nodes[0].value;

	d->frames = calloc(t->nnodes, sizeof(*d->frames));
	if (!d->frames)
		return -ENOMEM;
	d->frames[0] = frame_of(&(struct dict_function){ .name = "all", .file = "", .module = "" },
				whole, t->nodes[0].self, whole);
	for (uint32_t i = 1; i < t->nnodes; i++)
		d->frames[i] = frame_of(tree_function(p, &t->nodes[i]), t->nodes[i].value,
					t->nodes[i].self, whole);
	for (uint32_t i = 0; i < t->nnodes; i++) {
		d->frames[i].child = t->nodes[i].child;
		d->frames[i].next = t->nodes[i].next;
	}
	return 0;
}

static void put_time(struct buf *b, uint64_t ns)
{
	time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	char text[32];
	struct tm tm;

	if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%F %T", &tm) > 0)
		buf_puts(b, text);
}

/* Of what it is: its time, rate, samples and labels. */
static int fill_notes(const struct profile *p, struct drawing *d)
{
	_cleanup_buf_ struct buf when = {}, labels = {};

	buf_printf(&when, "%" PRIu64 " %s of Python", d->tree->nodes[0].value, profile_unit(p));
	if (p->hz)
		buf_printf(&when, " at %u Hz", p->hz);
	if (p->start_ns) {
		buf_puts(&when, ", ");
		put_time(&when, p->start_ns);
		buf_puts(&when, " to ");
		put_time(&when, p->end_ns);
		buf_puts(&when, " UTC");
	}
	if (p->tally.ticks)
		buf_printf(&when, "; of %" PRIu64 " ticks %" PRIu64 " were lost", p->tally.ticks,
			   tally_lost(&p->tally));
	d->notes[0] = buf_string(&when);
	text_json_labels(&labels, &p->labels);
	d->notes[1] = buf_string(&labels);
	return d->notes[0] && d->notes[1] ? 0 : -ENOMEM;
}

int svg_encode(const struct profile *p, struct buf *out)
{
	_cleanup_(drawing_done) struct drawing d = {};
	struct flame f = { .title = "Flame graph by plop" };
	int r = tree_new(p, &d.tree);

	if (r == 0)
		r = fill_frames(p, &d);
	if (r == 0)
		r = fill_notes(p, &d);
	if (r < 0)
		return r;
	f.frames = d.frames;
	f.nframes = d.tree->nnodes;
	f.notes = (const char *const *)d.notes;
	f.nnotes = p->labels.n ? 2 : 1;
	return flame_svg(&f, out);
}
