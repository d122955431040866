/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "draw/flame.h"

/* s as text of XML or HTML, and as the value of an attribute in double quotes. */
void markup_text(struct buf *b, const char *s);
/* "12.34 %" */
void markup_share(struct buf *b, double share);
/* "+1.23 points" */
void markup_points(struct buf *b, double change);
/* "render (views.py:12)"; of a file that is not known only the name. */
void markup_place(struct buf *b, const struct flame_frame *f);

/* The frames, the root's from y on, each as an <svg> of its own, so that its text is cut off. */
#define FLAME_ROW 17 /* pixels of height */
/* bare: texts of narrow frames are left out; else they are there, and hidden. */
void markup_frames(struct buf *b, const struct flame *f, unsigned int y, bool bare);
/* How many frames lie below one another, the root included. */
uint32_t flame_depth(const struct flame *f);
/* What the rules of style are that frames need. Static string. */
const char *flame_style(void);
/* What the colours of a difference mean. Static string. */
const char *flame_legend(void);
