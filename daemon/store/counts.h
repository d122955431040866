/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/dictionary.h"

/* What a window counted, with the numbers of its dictionary: the rows of a blob of "counts". */
struct count {
	uint32_t process, thread, state, node;
	uint32_t of; /* whatever on_process() wants to know of the process */
	uint64_t n;
};
/* Owned, ascending by the first four, no two alike in these. */
struct counts {
	struct count *rows;
	uint32_t n, room;
};
void counts_done(struct counts *c);

/* Sorts, and makes one of those that are alike. */
void counts_sort(struct counts *c);
/* One more row at the end. -ENOMEM. */
int counts_add(struct counts *c, const struct count *row);
/* Adds all of from, of the same dictionary, to c, in its order. -ENOMEM: c is what it was. */
int counts_merge(struct counts *c, const struct counts *from);

/*
 * Puts all rows into the sections of a blob. on_process, unless NULL, is told how many rows each
 * process had, and how many bytes these took.
 */
void counts_put(const struct counts *c, struct sections *to,
		void (*on_process)(void *ctx, const struct count *rows, uint32_t n, size_t bytes),
		void *ctx);
