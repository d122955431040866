/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <time.h>

#include "proc/parse.h"
#include "proc/version.h"
#include "util/clock.h"

/* A file that was written later has another time: those of the last moment may yet have this. */
#define SETTLED_NS (2 * NSEC_PER_SEC)

static uint64_t ns_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * NSEC_PER_SEC + (uint64_t)t->tv_nsec;
}

static struct version_file *file_place(struct version_cache *cache, const struct stat *st)
{
	return cache ? &cache->files[st->st_ino % VERSION_KEPT] : NULL;
}

static bool is_kept(const struct version_file *f, const struct stat *st, const char *wanted)
{
	return f && f->inode == st->st_ino && f->device == st->st_dev &&
	       f->size == (uint64_t)st->st_size && f->mtime_ns == ns_of(&st->st_mtim) &&
	       f->ctime_ns == ns_of(&st->st_ctim) && streq(f->wanted, wanted);
}

static void keep(struct version_file *f, const struct stat *st, const char *wanted,
		 const struct commit_head *said)
{
	uint64_t changed = ns_of(&st->st_ctim), now = clock_ns(CLOCK_REALTIME);

	if (!f || changed > now || now - changed < SETTLED_NS)
		return;
	*f = (struct version_file){ .inode = st->st_ino,
				    .device = st->st_dev,
				    .size = (uint64_t)st->st_size,
				    .mtime_ns = ns_of(&st->st_mtim),
				    .ctime_ns = changed,
				    .said = *said };
	snprintf(f->wanted, sizeof(f->wanted), "%s", wanted);
}

/* Reads HEAD; or, with a ref, its file, or packed-refs for it. */
static int parse_file(int fd, uint64_t size, const char *ref, bool packed, struct commit_head *ret)
{
	const struct reader r = file_reader(fd);

	*ret = (struct commit_head){};
	return !ref   ? commit_read_head(&r, size, ret) :
	       packed ? commit_find_packed(&r, size, ref, ret->hex) :
			commit_read_ref(&r, size, ret->hex);
}

/*
 * What a file of git says, which is opened only if it is not the one that was read before.
 * ret_there: whether there is one that can be read, whatever it says.
 */
static int read_file(const struct sight *s, struct version_cache *cache, int git, const char *name,
		     const char *ref, struct commit_head *ret, bool *ret_there)
{
	_cleanup_close_ int fd = -EBADF, file = -EBADF;
	struct version_file *kept;
	struct stat st;
	int r;

	*ret_there = false;
	file = sight_find_file(s, git, name, &st);
	if (file < 0)
		return file;
	kept = file_place(cache, &st);
	if (is_kept(kept, &st, ref ? ref : name)) {
		*ret_there = true;
		*ret = kept->said;
		return 0;
	}
	fd = sight_open_file(file);
	if (fd < 0)
		return fd;
	*ret_there = true;
	r = parse_file(fd, (uint64_t)st.st_size, ref, ref && !streq(ref, name), ret);
	if (r == 0)
		keep(kept, &st, ref ? ref : name, ret);
	return r;
}

/*
 * The commit that the folder of git says. owner: whose the code is, who may have made it besides
 * root and the process's user. -ENOENT: the folder has none of git's.
 */
static int read_git(const struct sight *s, struct version_cache *cache, int folder, uid_t owner,
		    char ret[COMMIT_HEX_MAX + 1])
{
	_cleanup_close_ int git = sight_open_in(folder, ".git", O_PATH, RESOLVE_NO_XDEV);
	char ref[COMMIT_REF_MAX + 1];
	struct commit_head head;
	struct stat st;
	bool there;
	int r;

	if (git < 0)
		return git;
	if (fstat(git, &st) < 0)
		return -errno;
	/* a work tree of another, "gitdir: PATH", is not followed */
	if (!S_ISDIR(st.st_mode) || !sight_may(s, &st, S_IXOTH) ||
	    (st.st_uid != 0 && st.st_uid != s->uid && st.st_uid != owner))
		return -EACCES;
	r = read_file(s, cache, git, "HEAD", NULL, &head, &there);
	if (r == -ENOENT)
		return -EBADMSG;
	if (r == 0 && !head.hex[0]) {
		memcpy(ref, head.ref, sizeof(ref));
		r = read_file(s, cache, git, ref, ref, &head, &there);
		if (!there)
			r = read_file(s, cache, git, "packed-refs", ref, &head, &there);
	}
	if (r == 0)
		memcpy(ret, head.hex, sizeof(head.hex));
	return r;
}

/*
 * Looks in a folder and those above it, up to the first that has a git folder. Returns as
 * read_git().
 */
static int find_commit(const struct sight *s, struct version_cache *cache, const char *folder,
		       char ret[COMMIT_HEX_MAX + 1])
{
	char path[PATH_MAX];
	uid_t owner = 0;
	int r = -ENOENT;

	memcpy(path, folder, strlen(folder) + 1);
	for (int i = 0; i <= VERSION_PARENTS && r == -ENOENT && path[0]; i++) {
		struct stat st;
		_cleanup_close_ int fd = sight_open_path(s, path, &st);

		if (fd >= 0 && i == 0)
			owner = st.st_uid;
		r = fd < 0 ? fd : read_git(s, cache, fd, owner, ret);
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
	_cleanup_close_ int path = sight_open_path(s, folder[0] ? folder : "/", &st);
	int64_t newest = 0;
	unsigned int n = 0;
	struct dirent *e;
	DIR *d;
	int fd;

	if (path < 0 || !S_ISDIR(st.st_mode) || !sight_may(s, &st, S_IROTH | S_IXOTH))
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
	_cleanup_close_ int fd = sight_open_path(s, path[0] ? path : "/", &st);

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
	if (sight_resolve(s, path, ret->folder) == 0 && is_folder(s, ret->folder))
		return 0;
	snprintf(path + n, sizeof(path) - (size_t)n, ".py");
	n = sight_resolve(s, path, ret->script);
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
	n = sight_resolve(s, path, ret->script);
	if (n < 0)
		return n;
	if (!is_folder(s, ret->script))
		return split_script(ret);
	/* a program that is a folder */
	memcpy(ret->folder, ret->script, sizeof(ret->folder));
	ret->script[0] = '\0';
	return 0;
}

static int find_code(const struct sight *s, pid_t pid, const char *exe, const char *arguments,
		     size_t size, struct code *ret)
{
	const char *text;
	size_t n;
	char link[64], cwd[PATH_MAX];
	enum proc_main kind = proc_cmdline_main(exe, arguments, size, &text, &n);
	ssize_t length;

	if (kind == PROC_MAIN_NONE)
		return -ENOENT;
	snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
	length = readlink(link, cwd, sizeof(cwd) - 1);
	if (length <= 0 || cwd[0] != '/')
		return -ENOENT;
	/* of "/" the code is "", so that a name can follow */
	cwd[length == 1 ? 0 : length] = '\0';
	if (kind == PROC_MAIN_SCRIPT)
		return find_script(s, cwd, text, n, ret);
	if (kind == PROC_MAIN_MODULE)
		return find_module(s, cwd, text, n, ret);
	return sight_resolve(s, cwd, ret->folder);
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
		_cleanup_close_ int fd = sight_open_path(s, c->script, &st);

		if (fd >= 0 && S_ISREG(st.st_mode))
			newest = MAX(newest, (int64_t)st.st_mtime);
	}
	t = (time_t)newest;
	if (newest >= TIME_LEAST && gmtime_r(&t, &tm) && tm.tm_year < 8100)
		strftime(ret, 64, "mtime-%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void put_version(const struct sight *s, struct version_cache *cache, pid_t pid,
			const char *exe, const char *arguments, size_t size, char ret[64])
{
	char commit[COMMIT_HEX_MAX + 1];
	struct code c = {};

	if (find_code(s, pid, exe, arguments, size, &c) < 0)
		return;
	if (find_commit(s, cache, c.folder, commit) == 0)
		snprintf(ret, 64, "git-%.*s", VERSION_COMMIT, commit);
	else
		put_time(s, &c, ret);
}

int process_version_find(struct process_info *p, const char *exe, const char *arguments,
			 size_t size, const char *status, struct version_cache *cache)
{
	struct sight s = { .root = -EBADF };
	char version[64] = "", *copy;
	const char *text;
	size_t n;
	int r;

	if (p->says_version || p->made != PROCESS_EXECUTED ||
	    proc_cmdline_main(exe, arguments, size, &text, &n) == PROC_MAIN_NONE)
		return 0;
	r = p->uid == PROCESS_NO_UID ? -EACCES :
				       sight_open(&s, p, status, cache ? &cache->sight : NULL);
	if (r == 0)
		put_version(&s, cache, p->pid, exe, arguments, size, version);
	sight_done(&s);
	copy = r == -ENOMEM ? NULL : strdup(version);
	if (!copy)
		return -ENOMEM;
	free(p->version);
	p->version = copy;
	return 0;
}

int version_cache_new(struct version_cache **ret)
{
	struct version_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*ret = c;
	return 0;
}

void version_cache_free(struct version_cache *c)
{
	if (!c)
		return;
	buf_free(&c->sight.mounts);
	free(c);
}
