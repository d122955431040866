/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/stat.h>

#include "ctl/ctl.h"
#include "util/clock.h"

#define PIECE (64u << 10)

int ctl_read_file(const char *path, struct buf *to, uint64_t *ret_changed_ns)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	while (n > 0) {
		char *room = buf_reserve(to, PIECE);

		if (!room)
			return to->error;
		n = read(fd, room, PIECE);
		if (n < 0)
			return -errno;
		to->size += (size_t)n;
	}
	if (ret_changed_ns)
		*ret_changed_ns =
			(uint64_t)st.st_mtim.tv_sec * NSEC_PER_SEC + (uint64_t)st.st_mtim.tv_nsec;
	return 0;
}
