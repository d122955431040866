/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "proc/process.h"
#include "python/binary.h"
#include "python/mapped.h"
#include "python/python.h"

/*
 * Which file, in which state of its content. Its mtime can be set, as package managers and image
 * layers do, so that another file that has the inode by now, or other content in the same, looks
 * like the first; its ctime cannot.
 */
struct cache_key {
	uint64_t device, inode, mtime_ns, ctime_ns, size;
};

/*
 * The files behind a process's mappings, each examined once (struct python_cache). What is handed
 * out stays the cache's, until its next addition. ret_key: NULL: nobody asks. All return 0 or a
 * negative errno: -EPERM, -EACCES: plop may not open it; -ENOMEM.
 */
int cache_look_at_exe(struct python_cache *c, pid_t pid, const char *exe_path,
		      const struct binary **ret, struct cache_key *ret_key);
/* The file behind a mapping: by the kernel's own link, else by its name in the process's root. */
int cache_look_at_map(struct python_cache *c, pid_t pid, const struct process_map *m,
		      const struct binary **ret, struct cache_key *ret_key);
/* What was found out of a file; NULL: nothing, or it was forgotten. */
const struct binary *cache_find(const struct python_cache *c, const struct cache_key *key);
/* Whether a process has that file mapped there: one mapping, from start to end. */
bool cache_is_mapped(pid_t pid, uint64_t start, uint64_t end, const struct cache_key *key);

/*
 * That a program was seen to have its interpreter in a library that it is linked to. NULL: nothing
 * was, or it was forgotten.
 */
struct cache_linked {
	struct cache_key program, library;
	uint64_t from, to; /* the library's first mapping, before relocation */
};
const struct cache_linked *cache_linked(const struct python_cache *c,
					const struct cache_key *program);
void cache_add_linked(struct python_cache *c, const struct cache_linked *l);

/*
 * Calls each() for the lines of /proc/PID/maps, until it returns something but 0; a negative one is
 * handed on. 1: there are more than PLOP_MAX_MAPS.
 */
int cache_each_map(struct python_cache *c, pid_t pid, int (*each)(char *line, void *ctx),
		   void *ctx);

/*
 * Whether a mapped file was seen to be none that matters within the last ten seconds. Each process
 * has a dozen libraries that others have too, and to ask for the state of each by its mapping costs
 * more than all else.
 */
bool cache_is_plain(const struct python_cache *c, const struct mapped_key *key);
void cache_add_plain(struct python_cache *c, const struct mapped_key *key);

/*
 * Another process is looked at: what was not met before is opened for so long; -EAGAIN from then
 * on. What was is known then, so the next look gets further.
 */
void cache_begin(struct python_cache *c);
/* How many files may be opened from now on that were not met before; those beyond are -EAGAIN. */
void cache_opens(struct python_cache *c, unsigned int n);

const char *cache_base_name(const char *path);
/*
 * libpython3.8.so.1.0, python3.11, libpypy3-c.so; not the extension modules, which name their
 * interpreter too.
 */
bool cache_is_interpreter_name(const char *name);
