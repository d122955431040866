/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>
#include <unistd.h>

#include "proc/process.h"
#include "python/cache.h"
#include "python/debug_offsets.h"
#include "python/python.h"

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
static int search_line(char *line, void *ctx)
{
	struct search *s = ctx;
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
	if (exe ? !s->exe_is_python : !cache_is_interpreter_name(cache_base_name(m.path)))
		return 0;
	r = exe ? cache_look_at_exe(s->cache, s->pid, s->exe_path, &b) :
		  cache_look_at_map(s->cache, s->pid, &m, &b);
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
	r = cache_look_at_exe(cache, pid, exe_path, &exe);
	if (r < 0)
		return r;
	s.exe_is_python = exe->kind == BINARY_CPYTHON;
	needs_python = exe->needs_python;
	if (exe->kind == BINARY_PYPY) {
		p->verdict = PYTHON_PYPY;
		return 0;
	}
	r = cache_each_map(cache, pid, search_line, &s);
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
