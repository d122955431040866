/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/buf.h"

/*
 * Texts with counts, of which equal ones become one: what differs in a profile (thread, process,
 * first line, a byte that had to be replaced) can read the same in a file.
 */
struct line {
	size_t at, size; /* in text */
	uint64_t count;
};
struct lines {
	struct buf text;
	struct line *items;
	size_t n, room;
	size_t begun; /* start of the line being written into text */
};

/* Write to l->text, then end the line. -ENOMEM; -EFBIG: beyond text's limit. */
int lines_end(struct lines *l, uint64_t count);
/* Sorts by bytes and merges equal ones. -ENOMEM, -EFBIG: a write to text failed. */
int lines_merge(struct lines *l);
/* By descending count, then by bytes; after lines_merge(). */
void lines_sort_by_count(struct lines *l);
void lines_done(struct lines *l);
