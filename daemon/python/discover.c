/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "proc/process.h"
#include "python/cache.h"
#include "python/identify.h"
#include "python/loader.h"
#include "python/mapped.h"

/*
 * Files without an interpreter's name that are opened at a time because they were not met before.
 */
#define OPENS_MAX 512
/*
 * How good what was found is: of several interpreters in a process the best counts, of equal ones
 * the first by address.
 */
enum rank {
	RANK_NONE = 0,
	RANK_NOT_YET,  /* a file that is one, but what it is cannot be read yet */
	RANK_STARTING, /* one that has not been initialised */
	RANK_KNOWN,    /* one that this plop cannot look into: it may well be what runs */
	RANK_UP,
};

/* What the walk over the mappings looks for, and what it found. */
struct search {
	struct python_cache *cache;
	pid_t pid;
	bool again;           /* all of it is looked at, whatever was found before */
	struct cache_key exe; /* all 0: it is not known */
	const char *exe_path; /* the exe link's target, which the mappings write the same way */
	bool exe_is_python, exe_needs_python;
	bool exe_is_plain;
	bool exe_closed; /* plop may not open it */
	bool exe_told;   /* ... but its memory said what it is */
	bool unopened;   /* there are files that it was not the time to look at */
	/* a library of an interpreter's name that plop may not open, nor does its memory tell */
	bool closed;
	struct mapped_files files;
	struct mapped_file
		*last; /* whose mappings are coming, if it is looked at when they have come */
	struct python_process best;
	enum rank rank;
};

static void take_found(struct search *s, const struct python_process *p, enum rank rank)
{
	if (rank <= s->rank)
		return;
	s->best = *p;
	s->rank = rank;
}

/*
 * The interpreter where it is known to be: then there is no need to look for others. One that is
 * starting is one for now; who looks again looks at all. list: 0: it is in the program itself.
 */
static int take_known(struct search *s, const struct binary *b, uint64_t bias, uint64_t list)
{
	const struct reader memory = process_memory_reader(s->pid);
	struct python_process p = {};
	int r = python_identify(s->pid, b, bias, &p);

	if (r < 0 || p.verdict != PYTHON_YES)
		return r;
	p.starting = !python_is_up(&memory, &p.layout, p.runtime);
	p.own = !list;
	p.list = list;
	p.bias = bias;
	p.dynamic = b->dynamic;
	if (!p.starting || !s->again)
		take_found(s, &p, p.starting ? RANK_STARTING : RANK_UP);
	return 0;
}

/* In the program itself. */
static int take_program(struct search *s, const struct binary *exe)
{
	uint64_t bias;

	return loader_program_bias(s->pid, exe, &bias) < 0 ? 0 : take_known(s, exe, bias, 0);
}

/* In the library that the program is linked to. */
static int take_library(struct search *s, const struct binary *exe)
{
	const struct binary *library;
	uint64_t bias, list;

	return loader_find_library(s->cache, s->pid, exe, &s->exe, &library, &bias, &list) < 0 ?
		       0 :
		       take_known(s, library, bias, list);
}

/* The program has its interpreter there: its next process is looked at there first. */
static void learn_library(struct search *s, const struct mapped_file *f,
			  const struct cache_key *library, uint64_t bias)
{
	struct cache_linked l = { .program = s->exe,
				  .library = *library,
				  .from = f->maps[0].start - bias,
				  .to = f->maps[0].end - bias };

	if (s->exe_needs_python && library->inode)
		cache_add_linked(s->cache, &l);
}

/* key: all 0 where the file could not be opened. */
static int take_cpython(struct search *s, const struct binary *b, const struct mapped_file *f,
			const struct cache_key *key)
{
	const struct reader memory = process_memory_reader(s->pid);
	uint64_t biases[BIAS_MAX];
	size_t n = bias_find(b->loads, b->nloads, f->maps, f->n, biases, BIAS_MAX);

	for (size_t i = 0; i < n && s->rank < RANK_UP; i++) {
		struct python_process p = {};
		enum rank rank = RANK_KNOWN;
		int r = python_identify(s->pid, b, biases[i], &p);

		if (r < 0)
			return r;
		if (p.verdict == PYTHON_GONE)
			return -ESRCH;
		if (p.verdict == PYTHON_NOT_YET) {
			rank = RANK_NOT_YET;
		} else if (p.verdict == PYTHON_YES) {
			p.starting = !python_is_up(&memory, &p.layout, p.runtime);
			p.own = streq(f->path, s->exe_path);
			rank = p.starting ? RANK_STARTING : RANK_UP;
			learn_library(s, f, key, biases[i]);
		}
		take_found(s, &p, rank);
	}
	return 0;
}

/* What a file that may not be opened is, by what is mapped of it. ret: owned. */
static int examine_memory(struct search *s, const struct mapped_file *f, struct binary *ret)
{
	struct mapped_content content = { .memory = process_memory_reader(s->pid), .file = f };
	uint64_t size;
	struct reader memory = mapped_reader(&content, &size);

	return binary_examine_mapped(&memory, size, cache_base_name(f->path), f->maps, f->n, ret);
}

/* Looks at one of the files. */
static int take_file(struct search *s, struct mapped_file *f)
{
	const struct process_map m = { .start = f->maps[0].start,
				       .end = f->maps[0].end,
				       .path = f->path };
	bool exe = streq(f->path, s->exe_path);
	struct binary own = {};
	const struct binary *b = &own;
	struct cache_key key = {};
	int r;

	f->seen = f->n;
	if (exe ? s->exe_is_plain : cache_is_plain(s->cache, &f->key))
		return 0;
	r = exe ? cache_look_at_exe(s->cache, s->pid, f->path, &b, &key) :
		  cache_look_at_map(s->cache, s->pid, &m, &b, &key);
	if (r == -EPERM || r == -EACCES) {
		key = (struct cache_key){};
		b = &own;
		r = examine_memory(s, f, &own);
		if (exe) {
			s->exe_told = r == 0;
			s->exe_is_python = r == 0 && own.kind == BINARY_CPYTHON;
			s->exe_needs_python = r == 0 && own.needs_python;
		} else if (r < 0 && cache_is_interpreter_name(cache_base_name(f->path))) {
			s->closed = true;
		}
	}
	s->unopened = s->unopened || r == -EAGAIN;
	if (r == -ENOMEM || r == -EPERM)
		return r;
	/* what one has in its memory says nothing of the file that others have */
	if (r == 0 && b != &own && b->kind == BINARY_OTHER && !exe)
		cache_add_plain(s->cache, &f->key);
	if (r == 0 && b->kind == BINARY_PYPY)
		take_found(s, &(struct python_process){ .verdict = PYTHON_PYPY }, RANK_KNOWN);
	else if (r == 0 && b->kind == BINARY_CPYTHON)
		r = take_cpython(s, b, f, &key);
	binary_done(&own);
	return r == -ENOMEM || r == -ESRCH || r == -EPERM ? r : 0;
}

/*
 * Whether a file is looked at first: that of the program, if it may be one, and what is called like
 * one.
 */
static bool is_named(const struct search *s, const struct mapped_file *f)
{
	return streq(f->path, s->exe_path) ? s->exe_is_python || (s->exe_closed && !s->exe_told) :
					     cache_is_interpreter_name(cache_base_name(f->path));
}

/* One line of maps; 1: no need to look further. */
static int search_line(char *line, void *ctx)
{
	struct search *s = ctx;
	struct mapped_file *f, *before = s->files.last;
	int r = mapped_files_add(&s->files, line, &f);

	if (r < 0 || !f || !before || f == before)
		return r;
	/*
	 * A file's mappings mostly follow one another: it is looked at when another's come. Not
	 * before its variables are there: what comes first may be pages of its text that lie
	 * elsewhere.
	 */
	if (!before->code)
		mapped_files_drop(&s->files, before);
	else if (before->write && before->seen < before->n && is_named(s, before))
		r = take_file(s, before);
	return r < 0 ? r : s->rank == RANK_UP;
}

/*
 * All mappings are there: those files that were not looked at, or not with all of them. named:
 * those that is_named() says.
 */
static int search_files(struct search *s, bool named)
{
	int r = 0;

	/*
	 * of files that were never met only so many are opened at a time: next time they are known
	 */
	cache_opens(s->cache, named ? UINT_MAX : OPENS_MAX);
	for (struct mapped_file *f = s->files.files; f && r >= 0 && s->rank < RANK_UP;
	     f = f->hh.next) {
		if (f->code && (named ? is_named(s, f) && f->seen < f->n : f->seen == 0))
			r = take_file(s, f);
	}
	cache_opens(s->cache, UINT_MAX);
	return r;
}

/* Whether a process that /proc/PID/exe does not know is gone, or a kernel thread or a zombie. */
static enum python_verdict without_exe(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return access(path, F_OK) < 0 ? PYTHON_GONE : PYTHON_NO;
}

/*
 * ld-linux-x86-64.so.2, ld-musl-x86_64.so.1: one that is executed as a program loads another, which
 * may be any.
 */
static bool is_loader(const char *name)
{
	return strncmp(name, "ld-", 3) == 0;
}

/* Nothing was found, or nothing that is up. more: not all mappings were looked at. */
static int conclude(struct search *s, bool more, struct python_process *p)
{
	const char *name = cache_base_name(s->exe_path);

	if (s->rank > RANK_NONE) {
		*p = s->best;
		return 0;
	}
	if (s->exe_is_python || s->exe_needs_python) {
		p->verdict = PYTHON_NOT_YET;
		return 0;
	}
	if (s->closed || (s->exe_closed && (!s->exe_told || cache_is_interpreter_name(name)))) {
		p->verdict = PYTHON_UNSUPPORTED;
		p->starting = true;
		snprintf(p->why, sizeof(p->why),
			 "plopd may not open its %s (FUSE? NFS?), and its memory does not tell "
			 "which Python it is",
			 s->closed ? "libpython" : "program");
	} else if (more) {
		p->verdict = PYTHON_UNSUPPORTED;
		snprintf(p->why, sizeof(p->why),
			 "has too many mappings to look for Python in all of them");
	} else {
		p->looked = !is_loader(name);
	}
	return 0;
}

static int discover(struct search *s, char *exe_path, size_t size, struct python_process *p)
{
	const struct binary *exe;
	char path[64];
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/exe", s->pid);
	n = readlink(path, exe_path, size - 1);
	if (n < 0)
		return -errno;
	exe_path[n] = '\0';
	r = cache_look_at_exe(s->cache, s->pid, exe_path, &exe, &s->exe);
	s->exe_closed = r == -EPERM || r == -EACCES;
	if (r < 0 && !s->exe_closed)
		return r;
	s->exe_is_python = r == 0 && exe->kind == BINARY_CPYTHON;
	s->exe_needs_python = r == 0 && exe->needs_python;
	s->exe_is_plain = r == 0 && exe->kind == BINARY_OTHER;
	if (r == 0 && exe->kind == BINARY_PYPY) {
		p->verdict = PYTHON_PYPY;
		return 0;
	}
	r = s->exe_is_python    ? take_program(s, exe) :
	    s->exe_needs_python ? take_library(s, exe) :
				  0;
	if (r < 0 || s->rank > RANK_NONE)
		return r < 0 ? r : conclude(s, false, p);
	n = cache_each_map(s->cache, s->pid, search_line, s);
	r = n < 0 ? (int)n : search_files(s, true);
	/* an interpreter may have any name, or be a part of any library */
	if (r >= 0)
		r = search_files(s, false);
	if (s->rank == RANK_NONE && s->unopened) {
		p->verdict = PYTHON_NOT_YET;
		return r;
	}
	return r < 0 ? r : conclude(s, n > 0 || s->files.more, p);
}

static int discover_it(struct search *s, struct python_process *ret)
{
	char exe_path[PATH_MAX + 16];
	struct python_process p = {};
	int r;

	s->exe_path = exe_path;
	cache_begin(s->cache);
	r = discover(s, exe_path, sizeof(exe_path), &p);
	mapped_files_done(&s->files);
	if (r == -ENOENT || r == -ESRCH || r == -ENOTDIR) {
		p.verdict = without_exe(s->pid);
	} else if (r == -EINVAL || r == -ENAMETOOLONG || r == -EIO || r == -ELOOP) {
		p.verdict = PYTHON_NO;
	} else if (r < 0) {
		return r == -EACCES ? -EPERM : r;
	}
	*ret = p;
	return 0;
}

int python_discover(struct python_cache *cache, pid_t pid, struct python_process *ret)
{
	struct search s = { .cache = cache, .pid = pid };

	return discover_it(&s, ret);
}

int python_discover_again(struct python_cache *cache, pid_t pid, struct python_process *ret)
{
	struct search s = { .cache = cache, .pid = pid, .again = true };

	return discover_it(&s, ret);
}
