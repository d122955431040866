/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "proc/commit.h"
#include "proc/mounts.h"
#include "proc/parse.h"
#include "proc/version.h"
#include "util/buf.h"

/* How a process sees files: its root, what is mounted there, and what it may read. */
struct sight {
	pid_t pid;
	int root; /* O_PATH */
	struct buf mounts;
	uid_t uid;
	gid_t groups[VERSION_GROUPS];
	size_t ngroups;
};

static void sight_done(struct sight *s)
{
	closep(&s->root);
	buf_free(&s->mounts);
}

static int read_proc(pid_t pid, const char *name, size_t max, struct buf *b)
{
	_cleanup_close_ int fd = -EBADF;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	for (;;) {
		char *to = buf_reserve(b, 4096);
		ssize_t n = to ? read(fd, to, 4096) : 0;

		if (!to)
			return -ENOMEM;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		b->size += (size_t)n;
		if (b->size > max)
			return -EFBIG;
	}
}

/* The numbers of one line of status, "Groups:" or "Gid:". */
static void add_groups(struct sight *s, const char *status, const char *key)
{
	const char *p = strstr(status, key);

	if (!p)
		return;
	p += strlen(key);
	while (s->ngroups < VERSION_GROUPS) {
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

static int sight_open(struct sight *s, const struct process_info *p)
{
	_cleanup_buf_ struct buf status = {};
	char path[64];
	int r = read_proc(p->pid, "status", 8192, &status);

	*s = (struct sight){ .pid = p->pid, .uid = p->uid, .root = -EBADF };
	if (r < 0)
		return r;
	buf_putc(&status, '\0');
	if (status.error)
		return status.error;
	/* a line's end in the name, which stands before, is escaped */
	add_groups(s, status.data, "\nGid:");
	add_groups(s, status.data, "\nGroups:");
	r = read_proc(p->pid, "mountinfo", MOUNTS_MAX, &s->mounts);
	if (r < 0)
		return r;
	if (!mounts_answer_at(s->mounts.data, s->mounts.size, "/"))
		return -EREMOTE;
	snprintf(path, sizeof(path), "/proc/%d/root", p->pid);
	s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s->root < 0 ? -errno : 0;
}

/* Whether the process could, by the bits of a mode: S_IROTH, S_IXOTH. */
static bool may(const struct sight *s, const struct stat *st, mode_t bits)
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

static int open_in(int folder, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = { .flags = flags | O_CLOEXEC | O_NOFOLLOW,
				      .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
						 resolve };
	long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* What an absolute path without symbolic links leads to, not opened for reading. */
static int open_path(const struct sight *s, const char *path, struct stat *ret)
{
	int fd;

	if (!mounts_answer_at(s->mounts.data, s->mounts.size, path))
		return -EREMOTE;
	fd = open_in(s->root, path[1] ? path + 1 : ".", O_PATH, RESOLVE_IN_ROOT);
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
	if (p->links++ == VERSION_LINKS)
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
	fd = open_path(s, p->done, &st);
	if (fd < 0)
		return fd;
	if (S_ISLNK(st.st_mode)) {
		p->done[done] = '\0';
		r = follow(p, fd);
	} else {
		r = S_ISDIR(st.st_mode) && !may(s, &st, S_IXOTH) ? -EACCES : 0;
	}
	return r;
}

/* Resolves an absolute path; "": the root. */
static int resolve(const struct sight *s, const char *path, char ret[PATH_MAX])
{
	struct path p = {};
	int r = push_left(&p, path, strlen(path));

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

/* A regular file below a folder, for reading; never one that the process could not read. */
static int open_file(const struct sight *s, int folder, const char *path, uint64_t *ret_size)
{
	_cleanup_close_ int fd = open_in(folder, path, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
	struct stat st;
	char self[64];
	int opened;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !may(s, &st, S_IROTH) || st.st_size < 0)
		return -EACCES;
	/* of a lease of fcntl(2) O_NONBLOCK does not wait for the end */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	opened = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (opened < 0)
		return -errno;
	*ret_size = (uint64_t)st.st_size;
	return opened;
}

static int read_ref(const struct sight *s, int git, const struct commit_head *head, char *ret)
{
	uint64_t size;
	_cleanup_close_ int loose = open_file(s, git, head->ref, &size), packed = -EBADF;
	struct reader r;

	if (loose >= 0) {
		r = file_reader(loose);
		return commit_read_ref(&r, size, ret);
	}
	packed = open_file(s, git, "packed-refs", &size);
	if (packed < 0)
		return packed;
	r = file_reader(packed);
	return commit_find_packed(&r, size, head->ref, ret);
}

/*
 * The commit that the folder of git says. owner: whose the code is, who may have made it besides
 * root and the process's user. -ENOENT: the folder has none of git's.
 */
static int read_git(const struct sight *s, int folder, uid_t owner, char ret[COMMIT_HEX_MAX + 1])
{
	_cleanup_close_ int git = open_in(folder, ".git", O_PATH, RESOLVE_NO_XDEV);
	_cleanup_close_ int head_fd = -EBADF;
	struct commit_head head;
	struct stat st;
	struct reader reader;
	uint64_t size;
	int r;

	if (git < 0)
		return git;
	if (fstat(git, &st) < 0)
		return -errno;
	/* a work tree of another, "gitdir: PATH", is not followed */
	if (!S_ISDIR(st.st_mode) || !may(s, &st, S_IXOTH) ||
	    (st.st_uid != 0 && st.st_uid != s->uid && st.st_uid != owner))
		return -EACCES;
	head_fd = open_file(s, git, "HEAD", &size);
	if (head_fd < 0)
		return head_fd == -ENOENT ? -EBADMSG : head_fd;
	reader = file_reader(head_fd);
	r = commit_read_head(&reader, size, &head);
	if (r == 0 && head.hex[0])
		memcpy(ret, head.hex, sizeof(head.hex));
	return r < 0 || head.hex[0] ? r : read_ref(s, git, &head, ret);
}

/*
 * Looks in a folder and those above it, up to the first that has a git folder. Returns as
 * read_git().
 */
static int find_commit(const struct sight *s, const char *folder, char ret[COMMIT_HEX_MAX + 1])
{
	char path[PATH_MAX];
	uid_t owner = 0;
	int r = -ENOENT;

	memcpy(path, folder, strlen(folder) + 1);
	for (int i = 0; i <= VERSION_PARENTS && r == -ENOENT && path[0]; i++) {
		struct stat st;
		_cleanup_close_ int fd = open_path(s, path, &st);

		if (fd >= 0 && i == 0)
			owner = st.st_uid;
		r = fd < 0 ? fd : read_git(s, fd, owner, ret);
		*strrchr(path, '/') = '\0';
	}
	return r;
}

static bool is_python_file(const char *name)
{
	size_t n = strlen(name);

	return n > 3 && streq(name + n - 3, ".py");
}

static int64_t time_of(int folder, const char *name)
{
	struct statx st;

	if (statx(folder, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_MTIME, &st) < 0 ||
	    !S_ISREG(st.stx_mode))
		return 0;
	return st.stx_mtime.tv_sec;
}

/* The newest file of Python in a folder; 0: there is none, or there are too many entries. */
static int64_t newest_of(const struct sight *s, const char *folder)
{
	struct stat st;
	_cleanup_close_ int path = open_path(s, folder[0] ? folder : "/", &st);
	int64_t newest = 0;
	unsigned int n = 0;
	struct dirent *e;
	DIR *d;
	int fd;

	if (path < 0 || !S_ISDIR(st.st_mode) || !may(s, &st, S_IROTH | S_IXOTH))
		return 0;
	fd = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		closep(&fd);
		return 0;
	}
	while ((e = readdir(d)) && n <= VERSION_FILES) {
		n++;
		if (is_python_file(e->d_name))
			newest = MAX(newest, time_of(fd, e->d_name));
	}
	closedir(d);
	return n <= VERSION_FILES ? newest : 0;
}

/* Where the code is: its folder, and the script, "" where there is none. Both without links. */
struct code {
	char folder[PATH_MAX], script[PATH_MAX];
};

static int split_script(struct code *c)
{
	size_t n = strlen(c->script);

	while (n > 0 && c->script[n] != '/')
		n--;
	memcpy(c->folder, c->script, n);
	c->folder[n] = '\0';
	return 0;
}

static bool is_folder(const struct sight *s, const char *path)
{
	struct stat st;
	_cleanup_close_ int fd = open_path(s, path[0] ? path : "/", &st);

	return fd >= 0 && S_ISDIR(st.st_mode);
}

/* A module below the folder that the process works in: a package, or one file. */
static int find_module(const struct sight *s, const char *cwd, const char *module, size_t size,
		       struct code *ret)
{
	char path[PATH_MAX + 8];
	const char *dot = memchr(module, '.', size);
	int n = snprintf(path, PATH_MAX, "%s/%.*s", cwd, (int)(dot ? dot - module : (long)size),
			 module);

	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	if (resolve(s, path, ret->folder) == 0 && is_folder(s, ret->folder))
		return 0;
	snprintf(path + n, sizeof(path) - (size_t)n, ".py");
	n = resolve(s, path, ret->script);
	return n < 0 ? n : split_script(ret);
}

static int find_script(const struct sight *s, const char *cwd, const char *script, size_t size,
		       struct code *ret)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s%s%.*s", script[0] == '/' ? "" : cwd,
			 script[0] == '/' ? "" : "/", (int)size, script);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	n = resolve(s, path, ret->script);
	if (n < 0)
		return n;
	if (!is_folder(s, ret->script))
		return split_script(ret);
	/* a program that is a folder */
	memcpy(ret->folder, ret->script, sizeof(ret->folder));
	ret->script[0] = '\0';
	return 0;
}

static int find_code(const struct sight *s, const char *exe, const char *arguments, size_t size,
		     struct code *ret)
{
	const char *text;
	size_t n;
	char link[64], cwd[PATH_MAX];
	enum proc_main kind = proc_cmdline_main(exe, arguments, size, &text, &n);
	ssize_t length;

	if (kind == PROC_MAIN_NONE)
		return -ENOENT;
	snprintf(link, sizeof(link), "/proc/%d/cwd", s->pid);
	length = readlink(link, cwd, sizeof(cwd) - 1);
	if (length <= 0 || cwd[0] != '/')
		return -ENOENT;
	/* of "/" the code is "", so that a name can follow */
	cwd[length == 1 ? 0 : length] = '\0';
	if (kind == PROC_MAIN_SCRIPT)
		return find_script(s, cwd, text, n, ret);
	if (kind == PROC_MAIN_MODULE)
		return find_module(s, cwd, text, n, ret);
	return resolve(s, cwd, ret->folder);
}

/* What build tools write where they know no time (of ZIP files 1980-01-01), and before. */
#define TIME_LEAST (INT64_C(315532800) + 2 * 86400)

static void put_time(const struct sight *s, const struct code *c, char ret[64])
{
	int64_t newest = newest_of(s, c->folder);
	struct stat st;
	struct tm tm;
	time_t t;

	if (c->script[0]) {
		_cleanup_close_ int fd = open_path(s, c->script, &st);

		if (fd >= 0 && S_ISREG(st.st_mode))
			newest = MAX(newest, (int64_t)st.st_mtime);
	}
	t = (time_t)newest;
	if (newest >= TIME_LEAST && gmtime_r(&t, &tm) && tm.tm_year < 8100)
		strftime(ret, 64, "mtime-%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void put_version(const struct sight *s, const char *exe, const char *arguments, size_t size,
			char ret[64])
{
	char commit[COMMIT_HEX_MAX + 1];
	struct code c = {};

	if (find_code(s, exe, arguments, size, &c) < 0)
		return;
	if (find_commit(s, c.folder, commit) == 0)
		snprintf(ret, 64, "git-%.*s", VERSION_COMMIT, commit);
	else
		put_time(s, &c, ret);
}

int process_version_find(struct process_info *p, const char *exe, const char *arguments,
			 size_t size)
{
	struct sight s = { .root = -EBADF };
	char version[64] = "", *copy;
	const char *text;
	size_t n;
	int r;

	if (p->says_version || p->made != PROCESS_EXECUTED ||
	    proc_cmdline_main(exe, arguments, size, &text, &n) == PROC_MAIN_NONE)
		return 0;
	r = p->uid == PROCESS_NO_UID ? -EACCES : sight_open(&s, p);
	if (r == 0)
		put_version(&s, exe, arguments, size, version);
	sight_done(&s);
	copy = r == -ENOMEM ? NULL : strdup(version);
	if (!copy)
		return -ENOMEM;
	free(p->version);
	p->version = copy;
	return 0;
}
