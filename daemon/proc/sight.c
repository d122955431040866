/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "proc/folder.h"
#include "proc/mounts.h"
#include "proc/sight.h"
#include "util/clock.h"

/* The numbers of one line of status, "Groups:" or "Gid:". */
static void add_groups(struct sight *s, const char *status, const char *key)
{
	const char *p = strstr(status, key);

	if (!p)
		return;
	p += strlen(key);
	while (s->ngroups < SIGHT_GROUPS) {
		char *end;
		unsigned long v;

		while (*p == ' ' || *p == '\t')
			p++;
		if (*p < '0' || *p > '9')
			return;
		v = strtoul(p, &end, 10);
		s->groups[s->ngroups++] = (gid_t)v;
		p = end;
	}
}

void sight_done(struct sight *s)
{
	closep(&s->root);
	if (s->mounts == &s->own)
		buf_free(&s->own);
}

/* The mount table of a process that others of its namespace may have brought a moment ago. */
static int read_mounts(struct sight *s, int folder, struct sight_cache *cache)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct stat st;
	int r;

	s->mounts = &s->own;
	if (!cache || fstatat(folder, "ns/mnt", &st, 0) < 0)
		return folder_read_lines(folder, "mountinfo", MOUNTS_MAX + 1, &s->own);
	s->mounts = &cache->mounts;
	if (cache->space == st.st_ino && now < cache->until_ns)
		return 0;
	cache->space = 0;
	r = folder_read_lines(folder, "mountinfo", MOUNTS_MAX + 1, &cache->mounts);
	/* a large one is not kept */
	if (r < 0 || cache->mounts.size > SIGHT_MOUNTS) {
		s->own = cache->mounts;
		cache->mounts = (struct buf){};
		s->mounts = &s->own;
		return r;
	}
	cache->space = st.st_ino;
	cache->until_ns = now + SIGHT_MOUNTS_NS;
	return 0;
}

int sight_open(struct sight *s, const struct process_info *p, const char *status,
	       struct sight_cache *cache)
{
	_cleanup_close_ int folder = -EBADF;
	char own_status[STATUS_SIZE];
	int r = folder_open(p->pid, &folder);

	*s = (struct sight){ .uid = p->uid, .root = -EBADF };
	s->mounts = &s->own;
	if (r == 0 && !status)
		r = folder_read_status(folder, own_status, NULL);
	if (r < 0)
		return r;
	/* a line's end in the name, which stands before, is escaped */
	add_groups(s, status ? status : own_status, "\nGid:");
	add_groups(s, status ? status : own_status, "\nGroups:");
	r = read_mounts(s, folder, cache);
	if (r < 0)
		return r;
	if (s->mounts->size > MOUNTS_MAX)
		return -EFBIG;
	if (!mounts_answer_at(s->mounts->data, s->mounts->size, "/"))
		return -EREMOTE;
	s->root = openat(folder, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s->root < 0 ? -errno : 0;
}

bool sight_may(const struct sight *s, const struct stat *st, mode_t bits)
{
	if (s->uid == 0)
		return true;
	if (st->st_uid == s->uid)
		return (st->st_mode >> 6 & bits) == bits;
	for (size_t i = 0; i < s->ngroups; i++)
		if (st->st_gid == s->groups[i])
			return (st->st_mode >> 3 & bits) == bits;
	return (st->st_mode & bits) == bits;
}

int sight_open_in(int folder, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = { .flags = flags | O_CLOEXEC | O_NOFOLLOW,
				      .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
						 resolve };
	long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int sight_open_path(const struct sight *s, const char *path, struct stat *ret)
{
	int fd;

	if (!mounts_answer_at(s->mounts->data, s->mounts->size, path))
		return -EREMOTE;
	fd = sight_open_in(s->root, path[1] ? path + 1 : ".", O_PATH, RESOLVE_IN_ROOT);
	if (fd >= 0 && fstat(fd, ret) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* A path on its way to one without links: what is done, and what is left. */
struct path {
	char done[PATH_MAX], left[PATH_MAX];
	unsigned int links;
};

static int push_left(struct path *p, const char *text, size_t size)
{
	char whole[PATH_MAX];
	int n = snprintf(whole, sizeof(whole), "%.*s/%s", (int)size, text, p->left);

	if (n < 0 || (size_t)n >= sizeof(whole))
		return -ENAMETOOLONG;
	memcpy(p->left, whole, (size_t)n + 1);
	return 0;
}

/* The link that the path led to stands in place of its name. */
static int follow(struct path *p, int fd)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target));

	if (n <= 0 || (size_t)n >= sizeof(target))
		return n < 0 ? -errno : -ENAMETOOLONG;
	if (p->links++ == SIGHT_LINKS)
		return -ELOOP;
	if (target[0] == '/')
		p->done[0] = '\0';
	return push_left(p, target, (size_t)n);
}

/* Goes one name on. */
static int step(const struct sight *s, struct path *p, const char *name, size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	size_t done = strlen(p->done);
	struct stat st;
	int r;

	if (size == 2 && memcmp(name, "..", 2) == 0) {
		char *slash = strrchr(p->done, '/');

		if (slash)
			*slash = '\0';
		return 0;
	}
	if (done + size + 2 > sizeof(p->done))
		return -ENAMETOOLONG;
	snprintf(p->done + done, sizeof(p->done) - done, "/%.*s", (int)size, name);
	fd = sight_open_path(s, p->done, &st);
	if (fd < 0)
		return fd;
	if (S_ISLNK(st.st_mode)) {
		p->done[done] = '\0';
		r = follow(p, fd);
	} else {
		r = S_ISDIR(st.st_mode) && !sight_may(s, &st, S_IXOTH) ? -EACCES : 0;
	}
	return r;
}

/* Whether there is nothing in a path but names, each behind one slash. */
static bool is_plain(const char *path)
{
	size_t n;

	if (*path != '/')
		return false;
	for (; *path; path += n) {
		path++;
		n = strcspn(path, "/");
		if (n == 0 || (path[0] == '.' && (n == 1 || (n == 2 && path[1] == '.'))))
			return false;
	}
	return true;
}

/* Whether the kernel leads root's process there without a link: then no name is looked at alone. */
static bool is_resolved(const struct sight *s, const char *path)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	if (s->uid != 0 || strlen(path) >= PATH_MAX || !is_plain(path) ||
	    !mounts_answer_on_way(s->mounts->data, s->mounts->size, path))
		return false;
	fd = sight_open_in(s->root, path + 1, O_PATH, RESOLVE_IN_ROOT);
	/* it may be a link itself */
	return fd >= 0 && fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode);
}

int sight_resolve(const struct sight *s, const char *path, char ret[PATH_MAX])
{
	struct path p = {};
	int r;

	if (is_resolved(s, path)) {
		memcpy(ret, path, strlen(path) + 1);
		return 0;
	}
	r = push_left(&p, path, strlen(path));
	/* each name is looked at once, and each link brings PATH_MAX bytes of them at most */
	while (r == 0 && p.left[0]) {
		char name[NAME_MAX + 1];
		size_t n = strcspn(p.left, "/"), skip = n + (p.left[n] == '/');

		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, p.left, n);
		memmove(p.left, p.left + skip, strlen(p.left + skip) + 1);
		if (n > 0 && !(n == 1 && name[0] == '.'))
			r = step(s, &p, name, n);
	}
	if (r == 0)
		memcpy(ret, p.done, strlen(p.done) + 1);
	return r;
}

int sight_find_file(const struct sight *s, int folder, const char *path, struct stat *ret)
{
	_cleanup_close_ int fd =
		sight_open_in(folder, path, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_XDEV);

	if (fd < 0)
		return fd;
	if (fstat(fd, ret) < 0)
		return -errno;
	if (!S_ISREG(ret->st_mode) || !sight_may(s, ret, S_IROTH) || ret->st_size < 0)
		return -EACCES;
	return TAKE_FD(fd);
}

int sight_open_file(int file)
{
	char self[64];
	int fd;

	/* of a lease of fcntl(2) O_NONBLOCK does not wait for the end */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}
