/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/statvfs.h>

#include "store/internal.h"

/*
 * A file that only takes room. On a disk that is full even a deletion fails, since it goes through
 * the WAL, and the WAL cannot be written back because the database would have to grow; giving this
 * room up breaks the knot. It covers what a WAL of usual size (1 MB) can make the database grow by,
 * twice.
 */
#define RESERVE_BYTES (UINT64_C(2) << 20)
#define WAL_BYTES     (UINT64_C(1) << 20)

void reserve_fill(struct store *s)
{
	_cleanup_close_ int fd = -EBADF;
	struct statvfs disk;

	if (s->reserve_full)
		return;
	/* not the last room there is: the next window may need a WAL of usual size */
	if (statvfs(s->path, &disk) < 0 ||
	    (uint64_t)disk.f_bavail * disk.f_frsize < RESERVE_BYTES + WAL_BYTES)
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
