/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/stat.h>

#include "proc/folder.h"
#include "proc/process.h"

int folder_gone(int error)
{
	return error == ENOENT ? -ESRCH : -error;
}

int folder_open(pid_t pid, int *ret)
{
	char path[32];
	int fd;

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return folder_gone(errno);
	*ret = fd;
	return 0;
}

/* whole: until there is nothing more, rather than until a read has given less than it could. */
static int read_file(int folder, const char *name, size_t max, bool whole, struct buf *b)
{
	_cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return folder_gone(errno);
	buf_clear(b);
	while (b->size < max) {
		size_t want = MIN(max - b->size, (size_t)4096);
		char *to = buf_reserve(b, want);
		ssize_t n;

		if (!to)
			return -ENOMEM;
		n = read(fd, to, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return folder_gone(errno);
		b->size += (size_t)n;
		if (n == 0 || (!whole && (size_t)n < want))
			break;
	}
	return 0;
}

int folder_read(int folder, const char *name, size_t max, struct buf *b)
{
	/* most files give all that they have, as far as it is asked for */
	return read_file(folder, name, max, false, b);
}

int folder_read_lines(int folder, const char *name, size_t max, struct buf *b)
{
	return read_file(folder, name, max, true, b);
}

int folder_read_optional(int folder, const char *name, size_t max, struct buf *b)
{
	int r = folder_read(folder, name, max, b);

	if (r == -EACCES || r == -EPERM || r == -EINVAL || r == -EIO) {
		buf_clear(b);
		return 0;
	}
	return r;
}

int folder_read_stat(int folder, struct buf *b, struct proc_stat *ret)
{
	int r = folder_read(folder, "stat", 4096, b);

	if (r < 0)
		return r;
	r = proc_stat_parse(b->data ? b->data : "", b->size, ret);
	/* Older kernels give an empty file while the process is being reaped. */
	if (r < 0)
		return b->size == 0 ? -ESRCH : r;
	/* A dead thread group leader that is only waited for. */
	return ret->state == 'X' || ret->state == 'x' ? -ESRCH : 0;
}

int folder_read_status(int folder, char text[STATUS_SIZE], uid_t *ret_owner)
{
	_cleanup_close_ int fd = openat(folder, "status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, STATUS_SIZE - 1);
	struct stat st;

	if (n < 0 || (ret_owner && fstat(fd, &st) < 0))
		return folder_gone(errno);
	text[n] = '\0';
	if (ret_owner)
		*ret_owner = st.st_uid;
	return 0;
}

/* How much of [from, to) is read, max bytes at most. */
static size_t block_size(uint64_t from, uint64_t to, size_t max)
{
	return from && to > from ? (size_t)MIN(to - from, (uint64_t)max) : 0;
}

/*
 * Both blocks from the memory. false: there is nothing to be had so, or it is not what the files
 * say: of arguments whose end was written over, these go on behind it (get_mm_cmdline(),
 * fs/proc/base.c).
 */
static bool read_memory(const struct proc_stat *s, struct buf *arguments, struct buf *environ_block)
{
	const struct reader memory = process_memory_reader(s->pid);
	struct reader_part parts[] = {
		{ .address = s->arguments,
		  .size = block_size(s->arguments, s->arguments_end, PROC_MAX_CMDLINE_READ) },
		{ .address = s->environment,
		  .size = block_size(s->environment, s->environment_end, PROC_MAX_ENVIRON) },
	};
	struct buf *to[] = { arguments, environ_block };

	if (parts[0].size == 0 || parts[0].size < s->arguments_end - s->arguments ||
	    parts[1].size == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		buf_clear(to[i]);
		parts[i].buffer = buf_reserve(to[i], parts[i].size);
		if (!parts[i].buffer)
			return false;
	}
	if (reader_read_parts(&memory, parts, ARRAY_SIZE(parts)) < 0 ||
	    ((const char *)parts[0].buffer)[parts[0].size - 1] != '\0')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		to[i]->size = parts[i].size;
	return true;
}

int folder_read_blocks(int folder, const struct proc_stat *s, struct buf *arguments,
		       struct buf *environ_block)
{
	int r;

	if (read_memory(s, arguments, environ_block))
		return 0;
	r = folder_read_optional(folder, "cmdline", PROC_MAX_CMDLINE_READ, arguments);
	return r < 0 ? r : folder_read_optional(folder, "environ", PROC_MAX_ENVIRON, environ_block);
}
