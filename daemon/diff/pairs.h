/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/index.h"

/*
 * How many samples two numbers have together, such as those of a function and of the one that it
 * called. All zero is an empty one.
 */
struct pair {
	uint32_t a, b;
	double samples;
};
struct pairs {
	struct pair *pairs; /* owned */
	uint32_t n, room;
	struct index index;
};

void pairs_done(struct pairs *p);
size_t pairs_bytes(const struct pairs *p);
/* -ENOMEM. */
int pairs_add(struct pairs *p, uint32_t a, uint32_t b, double samples);
