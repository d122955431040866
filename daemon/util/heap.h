/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * The memory of a daemon that runs for months. What is freed goes back to the system, where
 * malloc() alone would keep most of it for good.
 */

/* Before the first thread: one heap for all of them, and large blocks mapped each by itself. */
void heap_init(void);

struct heap_facts {
	size_t used;   /* bytes in use, as malloc() counts them */
	size_t unused; /* ... freed, and neither used again nor given back */
};
void heap_facts(struct heap_facts *ret);

/*
 * Gives back what is free, if that is much. It takes some milliseconds, in which others wait that
 * want memory: for a worker thread, after much was freed.
 */
void heap_give_back(void);

/*
 * Once plopd has started: the pages of the program and its libraries that only its start needed do
 * not count as its memory any more. What is used again comes back, out of the page cache.
 */
void program_give_back(void);
