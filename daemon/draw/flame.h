/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * A flame graph as a file that needs no other: the root on top, what a frame called below it, as
 * wide as its share of the time. Of two profiles it shows the difference: a frame is as wide as the
 * mean of both shares, and its colour says how they differ.
 *
 * Names may be anybody's: what is not visible (utf8_is_visible()) becomes "?", and all that markup
 * gives a meaning to is escaped. Pure. All texts are borrowed; "" is one that is not known.
 */
struct flame_frame {
	const char *name, *file;
	int line;                     /* of the function's first one; 0: not known */
	double total, self;           /* share of the whole, 0 to 1 */
	double base_total, base_self; /* of a difference: on the other side */
	const char *said;             /* more to be told of its function; NULL: nothing */
	uint32_t child,
		next; /* numbers of the first child, and of the caller's next one; 0: none */
};

/* Frames below one another, the root included; deeper ones are not drawn. */
#define FLAME_DEPTH 512

struct flame {
	const char *title;
	const char *const *notes; /* lines below it */
	uint32_t nnotes;
	bool difference;
	const struct flame_frame *frames; /* the first is the root */
	uint32_t nframes;
};

/* A picture of 1,200 pixels' width. 0, or the error of out. */
int flame_svg(const struct flame *f, struct buf *out);
