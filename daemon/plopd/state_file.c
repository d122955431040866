/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>

#include "plopd/state_file.h"
#include "util/fd.h"

static char *path_of(const char *state_dir, const char *name, const char *end)
{
	char *path;

	return asprintf(&path, "%s/%s%s", state_dir, name, end) < 0 ? NULL : path;
}

int state_file_read(const char *state_dir, const char *name, struct buf *b)
{
	_cleanup_free_ char *path = path_of(state_dir, name, "");
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -EBADF;

	if (fd < 0)
		return path ? -errno : -ENOMEM;
	for (;;) {
		char *to = buf_reserve(b, 65536);
		ssize_t n = to ? read(fd, to, 65536) : 0;

		if (!to)
			return -ENOMEM;
		if (n < 0)
			return -errno;
		b->size += (size_t)n;
		if (n == 0)
			return 0;
		if (b->size > STATE_FILE_MAX)
			return -EFBIG;
	}
}

int state_file_write(const char *state_dir, const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *path = path_of(state_dir, name, "");
	_cleanup_free_ char *temporary = path_of(state_dir, name, ".new");
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!path || !temporary)
		return -ENOMEM;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, data, size);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	return r == 0 && rename(temporary, path) < 0 ? -errno : r;
}
