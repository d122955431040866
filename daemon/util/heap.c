/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/heap.h"

#include <malloc.h>

/* Blocks from here on are mapped. When nothing is said, malloc() raises it to 32 MB by itself. */
#define MAPPED_BYTES (128 << 10)
/* As much may stay, as the next seconds need it again. */
#define KEPT_BYTES (1u << 20)

void heap_init(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
}

void heap_facts(struct heap_facts *ret)
{
	const struct mallinfo2 m = mallinfo2();

	ret->used = m.uordblks + m.hblkhd;
	ret->unused = m.fordblks;
}

void heap_give_back(void)
{
	struct heap_facts f;

	heap_facts(&f);
	if (f.unused > KEPT_BYTES)
		malloc_trim(0);
}
