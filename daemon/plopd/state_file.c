/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>

#include "plopd/state_file.h"
#include "util/fd.h"
#include "util/log.h"

static char *path_of(const char *state_dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", state_dir, name) < 0 ? NULL : path;
}

int state_file_read(const char *state_dir, const char *name, struct buf *b)
{
	_cleanup_free_ char *path = path_of(state_dir, name);
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

void state_file_remove(const char *state_dir, const char *name)
{
	_cleanup_free_ char *path = path_of(state_dir, name);

	if (!path || (unlink(path) < 0 && errno != ENOENT))
		log_warning_r(path ? -errno : -ENOMEM,
			      "Cannot remove %s/%s, which is in plop.db now; remove it by hand",
			      state_dir, name);
}
