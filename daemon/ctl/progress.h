/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

/* A line on stderr that is drawn over and over, if stderr is a terminal; else nothing. */
struct progress {
	unsigned int columns; /* 0: not a terminal */
};
void progress_begin(struct progress *p);
void progress_show(const struct progress *p, const json_t *recording);
/* Wipes the line. */
void progress_end(const struct progress *p);

/* The line itself, in at most columns characters. Pure. */
const char *progress_line(const json_t *recording, unsigned int columns, char *buffer, size_t size);
