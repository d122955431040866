/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "util/macro.h"

/* Several times what the largest database of a test has, in bytes. */
#define DIR_ROOM (256u << 20)

/*
 * A directory for one test, made by dir_make() and removed, with the files in it, by dir_done(). In
 * memory where there is room for it: no test takes the power away, and a disk that others write to
 * makes each of SQLite's waits for it long.
 */
struct dir {
	char path[64];
};

static void dir_make(struct dir *d)
{
	struct statvfs shm;

	if (statvfs("/dev/shm", &shm) == 0 && shm.f_bavail * shm.f_frsize >= DIR_ROOM) {
		strcpy(d->path, "/dev/shm/plop-check-XXXXXX");
		if (mkdtemp(d->path))
			return;
	}
	strcpy(d->path, "/tmp/plop-check-XXXXXX");
	if (!mkdtemp(d->path))
		abort();
}

static void dir_done(struct dir *d)
{
	DIR *list = opendir(d->path);

	for (struct dirent *e; list && (e = readdir(list));)
		unlinkat(dirfd(list), e->d_name, 0);
	if (list)
		closedir(list);
	rmdir(d->path);
}

/* All bytes of DIR/NAME, owned by the caller. NULL: there is no such file. */
static _unused_ char *dir_read(const struct dir *d, const char *name, size_t *ret)
{
	_cleanup_close_ int fd = -EBADF;
	char path[128], *data;
	struct stat sb;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &sb) < 0)
		return NULL;
	data = malloc((size_t)sb.st_size + 1);
	if (!data || read(fd, data, (size_t)sb.st_size) != sb.st_size)
		abort();
	*ret = (size_t)sb.st_size;
	return data;
}
