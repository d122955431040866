/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

#include "util/index.h"

/*
 * The flame trees of two sides (format tree), laid over one another: a function below the same ones
 * on both is one node.
 */
struct overlay_node {
	const json_t *function;   /* what it is, on the side that was added last; borrowed */
	char *key;                /* overlay_key(); owned */
	double total[2], self[2]; /* by side: shares of its whole */
	uint32_t above, child, next, last; /* numbers; last: its last child; 0: none */
};

/* All zero is an empty one. */
struct overlay {
	struct overlay_node *nodes; /* the first is the root */
	uint32_t n, room;
	struct index index; /* by what is above, and key */
};

/*
 * What makes a function of a tree or of GET /v1/diff the same one on both sides: its kind and name,
 * and what identity_of() its file is, or its module. Owned by the caller; NULL: no memory.
 */
char *overlay_key(const json_t *function);
/* The same of one that has another name. */
char *overlay_key_as(const json_t *function, const char *name);
/*
 * Adds a side's tree, which has to outlive it. renamed: by the key that functions have there, the
 * key that they have on the other side; NULL: none has another. -ENOMEM.
 */
int overlay_add(struct overlay *o, const json_t *tree, int side, const json_t *renamed);
void overlay_done(struct overlay *o);
