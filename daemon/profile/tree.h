/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"

/*
 * The flame tree: stacks by function, root first, those that begin alike together. A node's value
 * is what it weighs with all that it called, by profile_weight(): its self and its children's.
 *
 * Only what can be drawn is in it: nodes of at least 1 in TREE_WIDTH of the whole, TREE_DEPTH below
 * one another, and TREE_NODES in all, for which the least weight is doubled as often as it takes.
 * What is folded away is a child of its caller, TREE_OTHER, of the same weight: no sum changes.
 * Children are in the order of their names; what is in the tree depends on the content alone.
 */
#define TREE_WIDTH 4096
#define TREE_DEPTH 400
#define TREE_NODES 20000

struct tree_node {
	uint32_t function; /* dict id, or TREE_OTHER */
	uint32_t child;    /* index of the first; 0: none */
	uint32_t next;     /* the next child of the same node; 0: none */
	uint64_t value, self;
};
#define TREE_OTHER UINT32_MAX
/* The first node is the root, which is no function. */
struct tree {
	struct tree_node *nodes;
	uint32_t nnodes, room;
	/* what TREE_OTHER stands for: places in stacks, and their weight */
	uint64_t folded, folded_value;
	uint64_t states[SAMPLE_STATES]; /* of the whole */
};

/* -ENOMEM. */
int tree_new(const struct profile *p, struct tree **ret);
void tree_free(struct tree *t);
DEFINE_FREEP(struct tree, tree_free)
/* What a node is, but the root. */
const struct dict_function *tree_function(const struct profile *p, const struct tree_node *n);
