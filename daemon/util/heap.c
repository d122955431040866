/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/heap.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Of what is never written. What the linker writes before it is made read-only is no such part. */
static int object_give_back(struct dl_phdr_info *object, size_t size, void *ctx)
{
	const uintptr_t page = *(const uintptr_t *)ctx;

	for (unsigned int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		uintptr_t from = object->dlpi_addr + p->p_vaddr, to = from + p->p_filesz;

		from = (from + page - 1) / page * page;
		to = to / page * page;
		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && from < to)
			madvise((void *)from, to - from, MADV_DONTNEED);
	}
	return 0;
}

void program_give_back(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	dl_iterate_phdr(object_give_back, &page);
}
