/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>

#include "util/buf.h"

/* Reads what is called so; -ECANCELED: it could not, and has complained. */
struct diff_reader {
	int (*read)(const char *name, struct buf *to, void *ctx);
	void *ctx;
};

/*
 * Compares files of profiles, each a window of its side: the object that GET /v1/diff answers with,
 * owned by the caller, and so are the sides' flame trees, if ret_trees is not NULL. NULL: it has
 * complained, and there are no trees.
 */
json_t *diff_files(const struct diff_reader *reader, const char *const *base, size_t nbase,
		   const char *const *new, size_t nnew, json_t *ret_trees[2]);
