/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <uthash.h>

#include "plop/limits.h"
#include "python/cache.h"
#include "util/clock.h"

/*
 * Binaries remembered; a host has some hundred. When there are more, all are forgotten and examined
 * anew.
 */
#define CACHE_MAX 4096
/* ... or so many segments of theirs, 40 bytes each: an interpreter has five. */
#define LOADS_MAX 65536u

struct cache_entry {
	struct cache_key key;
	struct binary binary;
	UT_hash_handle hh;
};

/* So long files are opened for one process that were not met before, in CPU time. */
#define OPENS_NS (200 * NSEC_PER_MSEC)

#define PLAIN_FILES 1024
#define PLAIN_NS    (10 * NSEC_PER_SEC)

/* Programs whose libpython is remembered: 8 kB. */
#define LINKED_PROGRAMS 64

struct plain_file {
	struct mapped_key key;
	uint64_t until_ns;
};

struct python_cache {
	struct cache_entry *entries;
	size_t loads;       /* of all of them */
	char *buffer;       /* for /proc/PID/maps */
	unsigned int opens; /* see cache_opens() */
	uint64_t until_ns;  /* see cache_begin() */
	/* both by a hash of the key; one has the place of another */
	struct plain_file plain[PLAIN_FILES];
	struct cache_linked linked[LINKED_PROGRAMS];
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
	c->loads = 0;
}

int python_cache_new(struct python_cache **ret)
{
	_cleanup_free_ struct python_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->opens = UINT_MAX;
	c->until_ns = UINT64_MAX;
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

/* The kernel's link to the file behind a mapping. */
static void map_path(pid_t pid, uint64_t start, uint64_t end, char ret[static 64])
{
	snprintf(ret, 64, "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)start,
		 (unsigned long long)end);
}

static int cache_add(struct python_cache *c, const struct cache_key *key, const struct binary *b,
		     const struct binary **ret)
{
	struct cache_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	if (HASH_COUNT(c->entries) >= CACHE_MAX || c->loads + b->nloads > LOADS_MAX)
		cache_clear(c);
	c->loads += b->nloads;
	e->key = *key;
	e->binary = *b;
	HASH_ADD(hh, c->entries, key, sizeof(e->key), e);
	*ret = &e->binary;
	return 0;
}

const struct binary *cache_find(const struct python_cache *c, const struct cache_key *key)
{
	struct cache_entry *e;

	HASH_FIND(hh, c->entries, key, sizeof(*key), e);
	return e ? &e->binary : NULL;
}

/*
 * What the file at path is; opens it only if it was not met before. *ret stays the cache's, until
 * its next addition.
 */
static int look_at(struct python_cache *c, const char *path, const char *name,
		   const struct binary **ret, struct cache_key *ret_key)
{
	_cleanup_close_ int fd = -EBADF;
	struct file_blocks blocks;
	struct cache_key key;
	struct binary b;
	struct reader memory;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	key = key_of(&st);
	if (ret_key)
		*ret_key = key;
	*ret = cache_find(c, &key);
	if (*ret)
		return 0;
	if (c->opens == 0 || clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= c->until_ns)
		return -EAGAIN;
	c->opens -= c->opens < UINT_MAX;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* It may have been replaced since. */
	key = key_of(&st);
	if (ret_key)
		*ret_key = key;
	*ret = cache_find(c, &key);
	if (*ret)
		return 0;
	memory = file_blocks_reader(&blocks, fd);
	r = binary_examine(&memory, key.size, name, &b);
	if (r < 0)
		return r;
	r = cache_add(c, &key, &b, ret);
	if (r < 0)
		binary_done(&b);
	return r;
}

static size_t plain_place(const struct mapped_key *key)
{
	return (key->path ^ key->inode * 0x9e3779b97f4a7c15 >> 32) % PLAIN_FILES;
}

bool cache_is_plain(const struct python_cache *c, const struct mapped_key *key)
{
	const struct plain_file *f = &c->plain[plain_place(key)];

	return memcmp(&f->key, key, sizeof(*key)) == 0 &&
	       clock_ns(CLOCK_MONOTONIC_COARSE) < f->until_ns;
}

void cache_add_plain(struct python_cache *c, const struct mapped_key *key)
{
	c->plain[plain_place(key)] = (struct plain_file){
		.key = *key,
		.until_ns = clock_ns(CLOCK_MONOTONIC_COARSE) + PLAIN_NS,
	};
}

static size_t linked_place(const struct cache_key *program)
{
	return (program->inode ^ program->device * 0x9e3779b97f4a7c15 >> 32) % LINKED_PROGRAMS;
}

const struct cache_linked *cache_linked(const struct python_cache *c,
					const struct cache_key *program)
{
	const struct cache_linked *l = &c->linked[linked_place(program)];

	return memcmp(&l->program, program, sizeof(*program)) == 0 ? l : NULL;
}

void cache_add_linked(struct python_cache *c, const struct cache_linked *l)
{
	c->linked[linked_place(&l->program)] = *l;
}

bool cache_is_mapped(pid_t pid, uint64_t start, uint64_t end, const struct cache_key *key)
{
	struct cache_key found;
	struct stat st;
	char path[64];

	map_path(pid, start, end, path);
	if (stat(path, &st) < 0)
		return false;
	found = key_of(&st);
	return memcmp(&found, key, sizeof(*key)) == 0;
}

void cache_begin(struct python_cache *c)
{
	c->until_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + OPENS_NS;
}

void cache_opens(struct python_cache *c, unsigned int n)
{
	c->opens = n;
}

const char *cache_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool cache_is_interpreter_name(const char *name)
{
	return (strstr(name, "python") && !strstr(name, ".cpython-")) ||
	       (strstr(name, "pypy") && !strstr(name, ".pypy"));
}

int cache_look_at_exe(struct python_cache *c, pid_t pid, const char *exe_path,
		      const struct binary **ret, struct cache_key *ret_key)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return look_at(c, path, cache_base_name(exe_path), ret, ret_key);
}

int cache_look_at_map(struct python_cache *c, pid_t pid, const struct process_map *m,
		      const struct binary **ret, struct cache_key *ret_key)
{
	char path[PATH_MAX + 64];
	int r;

	map_path(pid, m->start, m->end, path);
	r = look_at(c, path, cache_base_name(m->path), ret, ret_key);
	if (r != -EPERM && r != -EACCES && r != -ENOENT)
		return r;
	if ((size_t)snprintf(path, sizeof(path), "/proc/%d/root%s", pid, m->path) >= sizeof(path))
		return -ENAMETOOLONG;
	return look_at(c, path, cache_base_name(m->path), ret, ret_key);
}

/* Goes through maps line by line without holding all of it. */
static int each_line(struct python_cache *c, int fd, int (*each)(char *line, void *ctx), void *ctx)
{
	char *buffer = c->buffer;
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
				return 1;
			r = each(line, ctx);
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

int cache_each_map(struct python_cache *c, pid_t pid, int (*each)(char *line, void *ctx), void *ctx)
{
	_cleanup_close_ int fd = open_maps(pid);

	return fd < 0 ? fd : each_line(c, fd, each, ctx);
}
