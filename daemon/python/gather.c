/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/gather.h"

#define NOTED 1

void gather_reset(struct gather *g, const struct reader *memory)
{
	g->r = memory;
	g->missed = g->direct = false;
	g->n = 0;
}

/* Misses it, unless it is to be read at once. */
static int absent(struct gather *g, uint64_t address, void *buffer, size_t size)
{
	if (g->direct || g->n == GATHER_BLOCKS || size > GATHER_BYTES)
		return reader_read(g->r, address, buffer, size);
	g->missed = true;
	g->blocks[g->n].address = address;
	g->blocks[g->n].size = MAX(size, (size_t)GATHER_LEAST);
	g->blocks[g->n++].result = NOTED;
	return -EAGAIN;
}

static int gather_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct gather *g = ctx;

	for (size_t i = 0; i < g->n; i++) {
		const struct gather_block *b = &g->blocks[i];

		if (address < b->address || address - b->address > b->size ||
		    size > b->size - (address - b->address))
			continue;
		if (b->result == 0) {
			memcpy(buffer, b->bytes + (address - b->address), size);
			return 0;
		}
		/* where less than the block is mapped */
		if (b->result < 0)
			return reader_read(g->r, address, buffer, size);
		g->missed = true;
		return -EAGAIN;
	}
	return absent(g, address, buffer, size);
}

struct reader gather_reader(struct gather *g)
{
	return (struct reader){ .read = gather_read, .ctx = g };
}

void gather_fetch(struct gather *first, size_t stride, size_t n)
{
	struct reader_part parts[GATHER_MANY * GATHER_BLOCKS];
	struct gather_block *blocks[GATHER_MANY * GATHER_BLOCKS];
	size_t m = 0;

	for (size_t i = 0; i < MIN(n, (size_t)GATHER_MANY); i++) {
		struct gather *g = (struct gather *)((char *)first + i * stride);

		for (size_t k = 0; k < g->n; k++) {
			struct gather_block *b = &g->blocks[k];

			if (b->result != NOTED)
				continue;
			blocks[m] = b;
			parts[m++] = (struct reader_part){ b->address, b->bytes, b->size, 0 };
		}
	}
	if (m == 0)
		return;
	reader_read_parts(first->r, parts, m);
	for (size_t i = 0; i < m; i++)
		blocks[i]->result = parts[i].result < 0 ? parts[i].result : 0;
}
