/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/cache.h"

/*
 * Where a process has its program and what that is linked to, by what the kernel told the program
 * and by the list that its loader keeps for debuggers: a few words, where the list of mappings is
 * some hundred lines. All of it lies in the process's memory, and may be anything.
 */

/*
 * Where the kernel put the program that it executed, by where that begins (getauxval(3)).
 * -ENOENT: it does not tell.
 */
int loader_program_bias(pid_t pid, const struct binary *exe, uint64_t *ret);

/*
 * The libpython that the program is linked to, if that is the one which another process of the same
 * program was seen to have, and is mapped as there. -ENOENT: it is not known, or not there, so it
 * is to be looked for among the mappings. *ret stays the cache's, until its next addition.
 * *ret_list: where the program has the address of the list.
 */
int loader_find_library(struct python_cache *cache, pid_t pid, const struct binary *exe,
			const struct cache_key *program, const struct binary **ret,
			uint64_t *ret_bias, uint64_t *ret_list);
