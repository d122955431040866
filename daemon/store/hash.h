/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/buf.h"

/*
 * The hashes by which rows of dictionaries are found, of their content with the seed of the file.
 * Who reads makes them anew: a row that is not what was written does not have its hash any more.
 * All use scratch. -ENOMEM.
 */
int hash_function(struct buf *scratch, int64_t seed, const struct dict_function *f, uint64_t *ret);
int hash_process(struct buf *scratch, int64_t seed, const struct process_info *info,
		 const char *python, uint64_t *ret);
/* A stack: begin with an empty scratch, and put each frame, root first. */
void hash_frame(struct buf *scratch, uint64_t function_hash, int line);
int hash_stack(const struct buf *scratch, int64_t seed, uint64_t *ret);
