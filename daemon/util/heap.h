/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * The heap of a daemon that runs for months. What is freed goes back to the system, where malloc()
 * alone would keep most of it for good.
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
