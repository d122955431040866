/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>

#include "proc/source.h"
#include "proc/folder.h"
#include "proc/sight.h"
#include "util/clock.h"

static bool is_python_file(const char *path, size_t size)
{
	return size > 4 && memcmp(path + size - 3, ".py", 3) == 0 && path[size - 4] != '/';
}

bool source_is_allowed(const char *paths, const char *path, size_t *ret_folder)
{
	if (*path != '/' || !is_python_file(path, strlen(path)))
		return false;
	for (const char *p = paths; *p; p += *p == ':') {
		size_t n = strcspn(p, ":"), folder = n;

		while (folder > 0 && p[folder - 1] == '/')
			folder--;
		if (*p == '/' && strncmp(path, p, folder) == 0 && path[folder] == '/') {
			*ret_folder = folder;
			return true;
		}
		p += n;
	}
	return false;
}

/* The end of the clock tick in which it was made, by CLOCK_REALTIME. */
static uint64_t made_ns(const struct proc_stat *s)
{
	uint64_t tick = NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);

	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME) + (s->start_ticks + 1) * tick;
}

static int read_stat(pid_t pid, struct buf *b, struct proc_stat *ret)
{
	_cleanup_close_ int folder = -EBADF;
	int r = folder_open(pid, &folder);

	return r < 0 ? r : folder_read_stat(folder, b, ret);
}

/*
 * Since when the process has had its program: it has loaded nothing before. Of one that was forked
 * that is since its maker has.
 */
static int find_since(const struct process_info *p, uint64_t *ret)
{
	_cleanup_buf_ struct buf b = {};
	struct proc_stat s, maker;
	int r = read_stat(p->pid, &b, &s);

	if (r == 0 && s.start_ticks != p->start_ticks)
		r = -ESRCH;
	for (unsigned int i = 0; r == 0 && proc_stat_is_forked(&s); i++) {
		if (i == SOURCE_FORKS || s.parent <= 1)
			return -ECHILD;
		r = read_stat(s.parent, &b, &maker);
		if (r == -ESRCH || (r == 0 && !proc_stat_is_copy(&s, &maker)))
			return -ECHILD;
		s = maker;
	}
	if (r == 0)
		*ret = made_ns(&s);
	return r;
}

static uint64_t ns_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * NSEC_PER_SEC + (uint64_t)t->tv_nsec;
}

/* A change of anything of a file gives it another ctime, which nobody can set. */
static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && ns_of(&a->st_ctim) == ns_of(&b->st_ctim) &&
	       ns_of(&a->st_mtim) == ns_of(&b->st_mtim);
}

static int read_bytes(int fd, size_t size, struct buf *b)
{
	buf_clear(b);
	while (b->size < size) {
		size_t want = size - b->size;
		char *to = buf_reserve(b, want);
		ssize_t n = to ? read(fd, to, want) : 0;

		if (!to)
			return -ENOMEM;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		/* it has become shorter */
		if (n == 0)
			return -ESTALE;
		b->size += (size_t)n;
	}
	return 0;
}

static int read_file(int file, const struct stat *found, uint64_t since, struct buf *b)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	int r;

	if (found->st_size > (off_t)SOURCE_MAX)
		return -EFBIG;
	if (ns_of(&found->st_ctim) > since)
		return -ESTALE;
	fd = sight_open_file(file);
	if (fd < 0)
		return fd;
	r = read_bytes(fd, (size_t)found->st_size, b);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	return r == 0 && !is_same(found, &st) ? -ESTALE : r;
}

static int find_and_read(const struct sight *s, const char *paths, const char *path, uint64_t since,
			 struct buf *b)
{
	_cleanup_close_ int folder = -EBADF, file = -EBADF;
	char resolved[PATH_MAX], name[PATH_MAX];
	struct stat st;
	size_t n;
	int r = sight_resolve(s, path, resolved);

	if (r < 0)
		return r;
	if (!source_is_allowed(paths, resolved, &n))
		return -EPERM;
	memcpy(name, resolved, n);
	name[n] = '\0';
	folder = sight_open_path(s, n ? name : "/", &st);
	if (folder < 0)
		return folder;
	file = sight_find_file(s, folder, resolved + n + 1, &st);
	return file < 0 ? file : read_file(file, &st, since, b);
}

int process_source_read(const struct process_info *p, const char *paths, const char *path,
			struct buf *ret)
{
	_cleanup_buf_ struct buf b = {};
	struct sight s;
	uint64_t since;
	int r;

	if (path[0] != '/' || strlen(path) >= PATH_MAX || !is_python_file(path, strlen(path)))
		return -EPERM;
	r = sight_open(&s, p, NULL, NULL);
	/* by then its root is held: if the process is the one, so is what is found there */
	if (r == 0)
		r = find_since(p, &since);
	if (r == 0)
		r = find_and_read(&s, paths, path, since, &b);
	sight_done(&s);
	if (r < 0)
		return r;
	*ret = b;
	b = (struct buf){};
	return 0;
}
