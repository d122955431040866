/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * What the kernel side sends, out of a BPF ring buffer. Of its memory only as much is mapped as is
 * being looked at: libbpf's ring_buffer maps all of it, twice, and what is mapped counts as
 * plopd's.
 */
struct records {
	int fd;             /* the map's, not owned */
	size_t page;        /* bytes */
	size_t size;        /* ... of all data, a power of two */
	size_t window_size; /* ... of those that are mapped at once */
	/* the positions, which only grow: what was looked at, and what was written */
	uint64_t *consumed;
	const uint64_t *produced;
	const uint8_t *window; /* what is mapped of the data, NULL: nothing yet */
	uint64_t window_at;    /* the position that it begins at */
};

/* fd: of a ring buffer of so many bytes, which outlives it. To be closed even when it failed. */
int records_open(int fd, size_t size, struct records *ret);
void records_close(struct records *r);

/*
 * Hands up what waits, one record after the other, until each() returns other than 0, which is
 * returned, or the next one is not written to its end. -EAGAIN: there is no memory to look at it.
 */
int records_consume(struct records *r, int (*each)(void *ctx, const void *data, size_t size),
		    void *ctx);
