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
