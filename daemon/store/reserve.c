/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>

#include "store/internal.h"

/*
 * A file that only takes room. On a disk that is full even a deletion fails, since it goes through the WAL, and the WAL
 * cannot be written back because the database would have to grow; giving this room up breaks the knot. It covers
 * what a WAL of usual size (1 MB) can make the database grow by, twice.
 */
#define RESERVE_BYTES (2 << 20)

void reserve_fill(struct store *s)
{
	_cleanup_close_ int fd = -EBADF;

	if (s->reserve_full)
		return;
	fd = open(s->reserve_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return;
	if (posix_fallocate(fd, 0, RESERVE_BYTES) == 0)
		s->reserve_full = true;
	else if (ftruncate(fd, 0) < 0)
		unlink(s->reserve_path);
}

bool reserve_release(struct store *s)
{
	if (!s->reserve_full || unlink(s->reserve_path) < 0)
		return false;
	s->reserve_full = false;
	return true;
}
