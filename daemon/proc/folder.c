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
