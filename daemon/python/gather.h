/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/reader.h"

/*
 * Reading the same of many: a system call costs more than what it copies. Each of the many has a
 * struct gather, through whose reader what is not there yet fails, and is noted; gather_fetch()
 * then reads what all of them noted at once, and each is tried again. Whatever an attempt returned
 * counts only if it missed nothing.
 */
#define GATHER_BLOCKS 12
#define GATHER_BYTES  512
#define GATHER_LEAST  128 /* so much is read at least, as what follows is often asked for next */
#define GATHER_MANY   64

struct gather_block {
	uint64_t address;
	size_t size;
	int result; /* > 0: not read yet; < 0: not all of it can be read */
	uint8_t bytes[GATHER_BYTES];
};

struct gather {
	const struct reader *r; /* for what is too large, or has no room */
	bool missed;            /* something was not there */
	bool direct;            /* it is read at once instead */
	size_t n;
	struct gather_block blocks[GATHER_BLOCKS];
};

/* Forgets all. */
void gather_reset(struct gather *g, const struct reader *memory);
/* g must outlive it. */
struct reader gather_reader(struct gather *g);
/* Reads what is noted: of n, at most GATHER_MANY, which lie stride bytes apart from first on. */
void gather_fetch(struct gather *first, size_t stride, size_t n);
