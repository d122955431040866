/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "python/loader.h"

/* What the kernel tells a program at its start; it has some twenty. */
#define AUXV_MAX 64
/* Libraries that are looked at: those that a program is linked to come before all others. */
#define LINKS_MAX 64

/* What is read of struct r_debug and struct link_map: <link.h> of glibc and musl. */
struct debug {
	uint32_t version, pad;
	uint64_t first;
};
struct link {
	uint64_t bias, name, dynamic, next;
};

int loader_program_bias(pid_t pid, const struct binary *exe, uint64_t *ret)
{
	_cleanup_close_ int fd = -EBADF;
	Elf64_auxv_t entries[AUXV_MAX];
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = exe->entry ? open(path, O_RDONLY | O_CLOEXEC) : -EBADF;
	n = fd < 0 ? 0 : read(fd, entries, sizeof(entries));
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(entries[0]); i++) {
		if (entries[i].a_type != AT_ENTRY)
			continue;
		*ret = entries[i].a_un.a_val - exe->entry;
		return 0;
	}
	return -ENOENT;
}

/* The loader's list; 0: it has not come to make one. */
static uint64_t first_link(const struct reader *memory, const struct binary *exe, uint64_t bias)
{
	struct debug d;
	uint64_t at;

	if (reader_u64(memory, bias + exe->debug, &at) < 0 || !at ||
	    reader_read(memory, at, &d, sizeof(d)) < 0)
		return 0;
	return d.first;
}

int loader_find_library(struct python_cache *cache, pid_t pid, const struct binary *exe,
			const struct cache_key *program, const struct binary **ret,
			uint64_t *ret_bias, uint64_t *ret_list)
{
	const struct reader memory = process_memory_reader(pid);
	const struct cache_linked *l = cache_linked(cache, program);
	const struct binary *b = l ? cache_find(cache, &l->library) : NULL;
	uint64_t bias, at;

	if (!b || !b->dynamic || !exe->debug || loader_program_bias(pid, exe, &bias) < 0)
		return -ENOENT;
	at = first_link(&memory, exe, bias);
	for (int i = 0; i < LINKS_MAX && at; i++) {
		struct link link;

		if (reader_read(&memory, at, &link, sizeof(link)) < 0)
			break;
		at = link.next;
		/* another library, or another file of that name */
		if (link.dynamic - link.bias != b->dynamic ||
		    !cache_is_mapped(pid, link.bias + l->from, link.bias + l->to, &l->library))
			continue;
		*ret = b;
		*ret_bias = link.bias;
		*ret_list = bias + exe->debug;
		return 0;
	}
	return -ENOENT;
}
