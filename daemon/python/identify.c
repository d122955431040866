/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/process.h"
#include "python/debug_offsets.h"
#include "python/identify.h"

static int unsupported(struct python_process *p, const char *kind, const char *end)
{
	p->verdict = PYTHON_UNSUPPORTED;
	if (*p->version)
		snprintf(p->why, sizeof(p->why), "%sCPython %s %s", kind, p->version, end);
	else
		snprintf(p->why, sizeof(p->why), "%sCPython whose version plop cannot tell", kind);
	return 0;
}

/*
 * The sentence names major.minor only: patch levels do not matter, except for pre-releases, which
 * are one by one.
 */
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
	/* by what the file says: the head alone, if that is no version whose table is known */
	size_t size,
		have = MAX(debug_offsets_size(p->hexversion), sizeof(struct debug_offsets_head));
	struct debug_offsets_head head;
	const char *kind;
	int r;

	r = reader_read(&memory, p->runtime, table, have);
	if (r < 0)
		return r;
	memcpy(&head, table, sizeof(head));
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
	r = size > have ? reader_read(&memory, p->runtime, table, size) : 0;
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

bool python_is_up(const struct reader *memory, const struct plop_layout *l, uint64_t runtime)
{
	uint64_t interp, thread, of;

	if (reader_u64(memory, runtime + l->runtime_interpreters_head, &interp) < 0 || !interp ||
	    reader_u64(memory, interp + l->interp_threads_head, &thread) < 0)
		return false;
	/*
	 * each names it, in the word behind next (pystate.h of 2.7, cpython/pystate.h of 3.6 to
	 * 3.15)
	 */
	return !thread ||
	       (reader_u64(memory, thread + PLOP_TS_INTERP(l), &of) == 0 && of == interp);
}

int python_identify(pid_t pid, const struct binary *b, uint64_t bias, struct python_process *p)
{
	int r;

	p->hexversion = b->hexversion;
	version_print(p->hexversion, p->version, sizeof(p->version));
	p->runtime = bias + b->runtime;
	if (p->hexversion >> 16 >= 0x030d) {
		if (b->runtime == 0)
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
	if (b->trace_refs)
		return unsupported(p, "",
				   "was built with Py_TRACE_REFS, which this plop does not know");
	if (b->runtime == 0)
		return unsupported(p, "",
				   p->hexversion >> 16 < 0x0307 ?
					   "is stripped of interp_head, where its threads begin" :
					   "has no _PyRuntime that could be found");
	p->verdict = PYTHON_YES;
	return 0;
}
