/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <uthash.h>

#include "plop/limits.h"
#include "proc/process.h"
#include "python/binary.h"
#include "python/debug_offsets.h"
#include "python/python.h"

/* Binaries remembered; a host has some hundred. When there are more, all are forgotten and examined anew. */
#define CACHE_MAX 4096

/*
 * Which file, in which state of its content. Its mtime can be set, as package managers and image layers do, so that another
 * file that has the inode by now, or other content in the same, looks like the first; its ctime cannot.
 */
struct cache_key {
	uint64_t device, inode, mtime_ns, ctime_ns, size;
};

struct cache_entry {
	struct cache_key key;
	struct binary binary;
	UT_hash_handle hh;
};

struct python_cache {
	struct cache_entry *entries;
	char *buffer; /* for /proc/PID/maps */
};

#define MAPS_BUFFER (64u << 10)

static void cache_clear(struct python_cache *c)
{
	struct cache_entry *e, *next;

	HASH_ITER(hh, c->entries, e, next)
	{
		HASH_DEL(c->entries, e);
		binary_done(&e->binary);
		free(e);
	}
}

int python_cache_new(struct python_cache **ret)
{
	_cleanup_free_ struct python_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->buffer = malloc(MAPS_BUFFER);
	if (!c->buffer)
		return -ENOMEM;
	*ret = TAKE_PTR(c);
	return 0;
}

void python_cache_free(struct python_cache *c)
{
	if (!c)
		return;
	cache_clear(c);
	free(c->buffer);
	free(c);
}

static struct cache_key key_of(const struct stat *st)
{
	return (struct cache_key){
		.device = st->st_dev,
		.inode = st->st_ino,
		.mtime_ns =
			(uint64_t)st->st_mtim.tv_sec * NSEC_PER_SEC + (uint64_t)st->st_mtim.tv_nsec,
		.ctime_ns =
			(uint64_t)st->st_ctim.tv_sec * NSEC_PER_SEC + (uint64_t)st->st_ctim.tv_nsec,
		.size = (uint64_t)st->st_size,
	};
}

static int cache_add(struct python_cache *c, const struct cache_key *key, const struct binary *b,
		     const struct binary **ret)
{
	struct cache_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	if (HASH_COUNT(c->entries) >= CACHE_MAX)
		cache_clear(c);
	e->key = *key;
	e->binary = *b;
	HASH_ADD(hh, c->entries, key, sizeof(e->key), e);
	*ret = &e->binary;
	return 0;
}

/* What the file at path is; opens it only if it was not met before. *ret stays the cache's, until its next addition. */
static int look_at(struct python_cache *c, const char *path, const char *name,
		   const struct binary **ret)
{
	_cleanup_close_ int fd = -EBADF;
	struct cache_entry *e;
	struct cache_key key;
	struct binary b;
	struct reader r;
	struct stat st;
	int q;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	key = key_of(&st);
	HASH_FIND(hh, c->entries, &key, sizeof(key), e);
	if (e) {
		*ret = &e->binary;
		return 0;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* It may have been replaced since. */
	key = key_of(&st);
	HASH_FIND(hh, c->entries, &key, sizeof(key), e);
	if (e) {
		*ret = &e->binary;
		return 0;
	}
	r = file_reader(fd);
	q = binary_examine(&r, key.size, name, &b);
	if (q < 0)
		return q;
	q = cache_add(c, &key, &b, ret);
	if (q < 0)
		binary_done(&b);
	return q;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* libpython3.8.so.1.0, python3.11, libpypy3-c.so; not the extension modules, which name their interpreter too. */
static bool is_interpreter_name(const char *name)
{
	return (strstr(name, "python") && !strstr(name, ".cpython-")) ||
	       (strstr(name, "pypy") && !strstr(name, ".pypy"));
}

static int look_at_exe(struct python_cache *c, pid_t pid, const char *exe_path,
		       const struct binary **ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return look_at(c, path, base_name(exe_path), ret);
}

/* The file behind a mapping: by the kernel's own link, else by its name in the process's root. */
static int look_at_map(struct python_cache *c, pid_t pid, const struct process_map *m,
		       const struct binary **ret)
{
	char path[PATH_MAX + 64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)m->start, (unsigned long long)m->end);
	r = look_at(c, path, base_name(m->path), ret);
	if (r != -EPERM && r != -EACCES && r != -ENOENT)
		return r;
	if ((size_t)snprintf(path, sizeof(path), "/proc/%d/root%s", pid, m->path) >= sizeof(path))
		return -ENAMETOOLONG;
	return look_at(c, path, base_name(m->path), ret);
}

/* What the walk over the mappings looks for, and what it found. */
struct search {
	struct python_cache *cache;
	pid_t pid;
	const char *exe_path; /* the exe link's target, which the mappings write the same way */
	bool exe_is_python;
	bool found, pypy;
	bool unreadable;      /* a library that plop may not open */
	struct binary binary; /* of found, without loads */
	uint64_t bias;
};

static void take_found(struct search *s, const struct binary *b, const struct process_map *m)
{
	uint64_t bias;

	if (binary_bias(b, m->start, m->end, m->offset, &bias) < 0)
		return;
	s->found = true;
	s->binary = *b;
	s->binary.loads = NULL;
	s->binary.nloads = 0;
	s->bias = bias;
}

/* One line of maps; 1: no need to look further. */
static int search_line(struct search *s, char *line)
{
	const struct binary *b;
	struct process_map m;
	char *perms = strchr(line, ' ');
	bool exe;
	int r;

	/* The quick way past everything that is not code of a file. */
	if (!perms || perms[1] == '\0' || perms[2] == '\0' || perms[3] != 'x' ||
	    !strchr(perms, '/'))
		return 0;
	if (process_map_parse(line, &m) < 0 || m.path[0] != '/')
		return 0;
	exe = streq(m.path, s->exe_path);
	if (exe ? !s->exe_is_python : !is_interpreter_name(base_name(m.path)))
		return 0;
	r = exe ? look_at_exe(s->cache, s->pid, s->exe_path, &b) :
		  look_at_map(s->cache, s->pid, &m, &b);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		s->unreadable = s->unreadable || r == -EPERM || r == -EACCES;
		return 0;
	}
	if (b->kind == BINARY_PYPY)
		s->pypy = true;
	else if (b->kind == BINARY_CPYTHON)
		take_found(s, b, &m);
	return s->found ? 1 : 0;
}

/* Goes through maps line by line without holding all of it. */
static int search_maps(struct search *s, int fd)
{
	char *buffer = s->cache->buffer;
	size_t have = 0;
	unsigned int lines = 0;

	for (;;) {
		ssize_t n = read(fd, buffer + have, MAPS_BUFFER - 1 - have);
		char *line = buffer, *newline;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		have += (size_t)n;
		buffer[have] = '\0';
		while ((newline = memchr(line, '\n', have - (size_t)(line - buffer)))) {
			int r;

			*newline = '\0';
			if (++lines > PLOP_MAX_MAPS)
				return 0;
			r = search_line(s, line);
			if (r != 0)
				return MIN(r, 0);
			line = newline + 1;
		}
		have -= (size_t)(line - buffer);
		/* The kernel writes no line that long: a path is at most a page. */
		if (have >= MAPS_BUFFER - 1)
			have = 0;
		memmove(buffer, line, have);
	}
}

static int open_maps(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Whether a process that /proc/PID/exe does not know is gone, or a kernel thread or a zombie. */
static enum python_verdict without_exe(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return access(path, F_OK) < 0 ? PYTHON_GONE : PYTHON_NO;
}

static int unsupported(struct python_process *p, const char *kind, const char *end)
{
	p->verdict = PYTHON_UNSUPPORTED;
	if (*p->version)
		snprintf(p->why, sizeof(p->why), "%sCPython %s %s", kind, p->version, end);
	else
		snprintf(p->why, sizeof(p->why), "%sCPython whose version plop cannot tell", kind);
	return 0;
}

/* The sentence names major.minor only: patch levels do not matter, except for pre-releases, which are one by one. */
static int unknown_version(struct python_process *p, const char *kind)
{
	uint8_t level = p->hexversion >> 4 & 0xf;
	char full[sizeof(p->version)];
	int r;

	memcpy(full, p->version, sizeof(full));
	if (level != 0xa && level != 0xb)
		version_print(p->hexversion & 0xffff0000, p->version, sizeof(p->version));
	r = unsupported(p, kind, "is not known to this plop");
	memcpy(p->version, full, sizeof(full));
	return r;
}

/* 3.13 and later: the interpreter's memory begins with the table of its own offsets. */
static int read_debug_offsets(pid_t pid, struct python_process *p)
{
	struct reader memory = process_memory_reader(pid);
	uint8_t table[LAYOUT_DEBUG_OFFSETS_MAX];
	struct debug_offsets_head head;
	const char *kind;
	size_t size;
	int r;

	r = reader_read(&memory, p->runtime, &head, sizeof(head));
	if (r < 0)
		return r;
	if (memcmp(head.cookie, DEBUG_OFFSETS_COOKIE, sizeof(head.cookie)) != 0) {
		p->verdict = PYTHON_NOT_YET;
		return 0;
	}
	kind = head.free_threaded ? "free-threaded " : "";
	if (debug_offsets_size(p->hexversion) == 0)
		return unknown_version(p, kind);
	/* What the interpreter says of itself counts more than what its file says. */
	if (head.hexversion >> 24 == 3 && head.hexversion >> 16 != p->hexversion >> 16 &&
	    debug_offsets_size((uint32_t)head.hexversion) == 0) {
		p->hexversion = (uint32_t)head.hexversion;
		version_print(p->hexversion, p->version, sizeof(p->version));
		return unknown_version(p, kind);
	}
	if (p->hexversion >> 16 != head.hexversion >> 16)
		return unsupported(p, kind, "has a table of offsets of another version");
	p->hexversion = (uint32_t)head.hexversion;
	version_print(p->hexversion, p->version, sizeof(p->version));
	size = debug_offsets_size(p->hexversion);
	if (size == 0)
		return unknown_version(p, kind);
	r = reader_read(&memory, p->runtime, table, size);
	if (r < 0)
		return r;
	r = layout_by_debug_offsets(table, size, p->hexversion, &p->layout);
	if (r == -EOPNOTSUPP)
		return unknown_version(p, kind);
	if (r < 0)
		return unsupported(p, kind, "has a table of offsets that contradicts itself");
	p->verdict = PYTHON_YES;
	return 0;
}

static int identify(pid_t pid, const struct search *s, struct python_process *p)
{
	int r;

	p->hexversion = s->binary.hexversion;
	version_print(p->hexversion, p->version, sizeof(p->version));
	p->runtime = s->bias + s->binary.runtime;
	if (p->hexversion >> 16 >= 0x030d) {
		if (s->binary.runtime == 0)
			return unsupported(p, "", "has no _PyRuntime that could be found");
		r = read_debug_offsets(pid, p);
		/* Not mapped: it is just starting, or has just ended its program by exec. */
		if (r == -EFAULT)
			p->verdict = PYTHON_NOT_YET;
		else if (r == -ESRCH)
			p->verdict = PYTHON_GONE;
		else if (r < 0)
			return r;
		return 0;
	}
	r = layout_by_version(p->hexversion, &p->layout);
	if (r < 0)
		return unknown_version(p, "");
	if (s->binary.trace_refs)
		return unsupported(p, "",
				   "was built with Py_TRACE_REFS, which this plop does not know");
	if (s->binary.runtime == 0)
		return unsupported(p, "",
				   p->hexversion >> 16 < 0x0307 ?
					   "is stripped of interp_head, where its threads begin" :
					   "has no _PyRuntime that could be found");
	p->verdict = PYTHON_YES;
	return 0;
}

static int discover(struct python_cache *cache, pid_t pid, struct python_process *p)
{
	_cleanup_close_ int fd = -EBADF;
	char path[64], exe_path[PATH_MAX + 16];
	struct search s = { .cache = cache, .pid = pid, .exe_path = exe_path };
	const struct binary *exe;
	bool needs_python;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, exe_path, sizeof(exe_path) - 1);
	if (n < 0)
		return -errno;
	exe_path[n] = '\0';
	r = look_at_exe(cache, pid, exe_path, &exe);
	if (r < 0)
		return r;
	s.exe_is_python = exe->kind == BINARY_CPYTHON;
	needs_python = exe->needs_python;
	if (exe->kind == BINARY_PYPY) {
		p->verdict = PYTHON_PYPY;
		return 0;
	}
	fd = open_maps(pid);
	if (fd < 0)
		return fd;
	r = search_maps(&s, fd);
	if (r < 0)
		return r;
	if (s.found)
		return identify(pid, &s, p);
	if (s.pypy)
		p->verdict = PYTHON_PYPY;
	else if (s.unreadable)
		return -EPERM;
	else if (s.exe_is_python || needs_python)
		p->verdict = PYTHON_NOT_YET;
	return 0;
}

int python_discover(struct python_cache *cache, pid_t pid, struct python_process *ret)
{
	struct python_process p = {};
	int r = discover(cache, pid, &p);

	if (r == -ENOENT || r == -ESRCH || r == -ENOTDIR) {
		p.verdict = without_exe(pid);
	} else if (r == -EINVAL || r == -ENAMETOOLONG || r == -EIO || r == -ELOOP) {
		p.verdict = PYTHON_NO;
	} else if (r < 0) {
		return r == -EACCES ? -EPERM : r;
	}
	*ret = p;
	return 0;
}
