/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/uio.h>

#include "proc/process.h"

static int memory_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct iovec local = { .iov_base = buffer, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };
	ssize_t n;

	if (size == 0)
		return 0;
	n = process_vm_readv((pid_t)(intptr_t)ctx, &local, 1, &remote, 1, 0);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EFAULT;
}

#define PARTS_AT_ONCE 64

/*
 * Reads up to PARTS_AT_ONCE parts and returns how many of them have a result: the kernel takes them
 * in their order, and stops at the first that is not all there (process_vm_rw_core(),
 * mm/process_vm_access.c, Linux 5.10 to 6.18).
 */
static size_t memory_read_some(pid_t pid, struct reader_part *parts, size_t n)
{
	struct iovec local[PARTS_AT_ONCE], remote[PARTS_AT_ONCE];
	ssize_t got;
	size_t left, i;
	int error;

	n = MIN(n, (size_t)PARTS_AT_ONCE);
	for (i = 0; i < n; i++) {
		local[i] = (struct iovec){ parts[i].buffer, parts[i].size };
		remote[i] = (struct iovec){ (void *)(uintptr_t)parts[i].address, parts[i].size };
	}
	got = process_vm_readv(pid, local, n, remote, n, 0);
	error = got < 0 ? -errno : -EFAULT;
	left = got < 0 ? 0 : (size_t)got;
	for (i = 0; i < n && left >= parts[i].size; i++) {
		parts[i].result = 0;
		left -= parts[i].size;
	}
	if (i < n)
		parts[i++].result = error;
	/* the process is gone, or not ours to read: so it is for the rest */
	for (; i < n && error != -EFAULT; i++)
		parts[i].result = error;
	return i;
}

static void memory_read_parts(void *ctx, struct reader_part *parts, size_t n)
{
	for (size_t i = 0; i < n;)
		i += memory_read_some((pid_t)(intptr_t)ctx, parts + i, n - i);
}

struct reader process_memory_reader(pid_t pid)
{
	return (struct reader){ .read = memory_read,
				.read_parts = memory_read_parts,
				.ctx = (void *)(intptr_t)pid };
}

static int file_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	char *to = buffer;

	if (address > INT64_MAX || size > INT64_MAX - address)
		return -EFAULT;
	while (size > 0) {
		ssize_t n = pread((int)(intptr_t)ctx, to, size, (off_t)address);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EFAULT;
		to += n;
		size -= (size_t)n;
		address += (uint64_t)n;
	}
	return 0;
}

struct reader file_reader(int fd)
{
	return (struct reader){ .read = file_read, .ctx = (void *)(intptr_t)fd };
}

/* Who reads more than that needs no block. */
#define BLOCK_READ_MAX 512

static const char *block_find(const struct file_block *b, uint64_t address, size_t size)
{
	bool has = address >= b->offset && address - b->offset <= b->size &&
		   size <= b->size - (address - b->offset);

	return has ? b->bytes + (address - b->offset) : NULL;
}

static int blocks_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct file_blocks *b = ctx;
	struct file_block *one = &b->blocks[b->next];
	const char *found = NULL;
	ssize_t n;

	if (size > BLOCK_READ_MAX || address > INT64_MAX)
		return file_read((void *)(intptr_t)b->fd, address, buffer, size);
	for (size_t i = 0; i < ARRAY_SIZE(b->blocks) && !found; i++)
		found = block_find(&b->blocks[i], address, size);
	if (!found) {
		one->offset = address - address % sizeof(one->bytes);
		n = pread(b->fd, one->bytes, sizeof(one->bytes), (off_t)one->offset);
		one->size = n > 0 ? (size_t)n : 0;
		b->next = (b->next + 1) % ARRAY_SIZE(b->blocks);
		found = block_find(one, address, size);
	}
	/* what lies in two of them, or is not there */
	if (!found)
		return file_read((void *)(intptr_t)b->fd, address, buffer, size);
	memcpy(buffer, found, size);
	return 0;
}

struct reader file_blocks_reader(struct file_blocks *b, int fd)
{
	b->fd = fd;
	b->next = 0;
	for (size_t i = 0; i < ARRAY_SIZE(b->blocks); i++)
		b->blocks[i].offset = b->blocks[i].size = 0;
	return (struct reader){ .read = blocks_read, .ctx = b };
}

static int bytes_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	const struct reader_bytes *m = ctx;

	if (size == 0)
		return 0;
	if (address < m->base || address - m->base > m->size ||
	    size > m->size - (address - m->base))
		return -EFAULT;
	memcpy(buffer, (const char *)m->data + (address - m->base), size);
	return 0;
}

struct reader bytes_reader(const struct reader_bytes *m)
{
	return (struct reader){ .read = bytes_read, .ctx = (void *)(uintptr_t)m };
}
