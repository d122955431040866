/* SPDX-License-Identifier: BSD-2-Clause */
#include "sampler/records.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/macro.h"

/* More than a record and the page that it begins in. */
#define WINDOW_SIZE (64u << 10)

/*
 * A ring buffer's file is a page with the position of who reads it, which that one writes; a page
 * with that of those who write; and all data twice over, so that no record is in two pieces
 * (Documentation/bpf/ringbuf.rst, kernel/bpf/ringbuf.c).
 */
static off_t data_at(const struct records *r, uint64_t position)
{
	return (off_t)(2 * r->page + (position & (r->size - 1)));
}

int records_open(int fd, size_t size, struct records *ret)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p;

	*ret = (struct records){ .fd = fd, .page = page, .size = size };
	ret->window_size = MAX((size_t)WINDOW_SIZE, 2 * page);
	ret->window_size = MIN(ret->window_size, size);
	p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	ret->consumed = p;
	p = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (p == MAP_FAILED)
		return -errno;
	ret->produced = p;
	return 0;
}

void records_close(struct records *r)
{
	if (r->consumed)
		munmap(r->consumed, r->page);
	if (r->produced)
		munmap((void *)r->produced, r->page);
	if (r->window)
		munmap((void *)r->window, r->window_size);
	*r = (struct records){};
}

/* Maps what comes from a position on. -EAGAIN: there is no memory for it now. */
static int window_move(struct records *r, uint64_t position)
{
	uint64_t at = position - position % r->page;
	void *p;

	if (r->window)
		munmap((void *)r->window, r->window_size);
	p = mmap(NULL, r->window_size, PROT_READ, MAP_SHARED, r->fd, data_at(r, at));
	r->window = p == MAP_FAILED ? NULL : p;
	r->window_at = at;
	return r->window ? 0 : -EAGAIN;
}

static bool window_has(const struct records *r, uint64_t position, size_t size)
{
	return r->window && position >= r->window_at &&
	       position + size <= r->window_at + r->window_size;
}

int records_consume(struct records *r, int (*each)(void *ctx, const void *data, size_t size),
		    void *ctx)
{
	uint64_t at = *r->consumed;
	int k = 0;

	while (k == 0 && at < __atomic_load_n(r->produced, __ATOMIC_ACQUIRE)) {
		const uint8_t *head;
		uint32_t word, size;

		if (!window_has(r, at, BPF_RINGBUF_HDR_SZ))
			k = window_move(r, at);
		if (k < 0)
			break;
		head = r->window + (at - r->window_at);
		word = __atomic_load_n((const uint32_t *)head, __ATOMIC_ACQUIRE);
		if (word & BPF_RINGBUF_BUSY_BIT)
			break;
		size = word & ~(uint32_t)BPF_RINGBUF_DISCARD_BIT;
		if (!window_has(r, at, BPF_RINGBUF_HDR_SZ + (size_t)size))
			k = window_move(r, at);
		if (k < 0)
			break;
		head = r->window + (at - r->window_at);
		/* one that the window has no room for is nothing that plop sends */
		if (!(word & BPF_RINGBUF_DISCARD_BIT) &&
		    window_has(r, at, BPF_RINGBUF_HDR_SZ + (size_t)size))
			k = each(ctx, head + BPF_RINGBUF_HDR_SZ, size);
		at += ((uint64_t)BPF_RINGBUF_HDR_SZ + size + 7) & ~7ull;
		__atomic_store_n(r->consumed, at, __ATOMIC_RELEASE);
	}
	return k;
}
