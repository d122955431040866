/* SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <elf.h>

#include "python/binary.h"

/* Bytes of read-only data that are searched for the version of 3.10 and older, and at once. */
#define SCAN_MAX   (64u << 20)
#define SCAN_BLOCK 65536u
#define SCAN_KEEP  64u

void binary_done(struct binary *b)
{
	free(b->loads);
	b->loads = NULL;
	b->nloads = 0;
}

void version_print(uint32_t hexversion, char *buffer, size_t size)
{
	unsigned int major = hexversion >> 24, minor = hexversion >> 16 & 0xff,
		     micro = hexversion >> 8 & 0xff;
	unsigned int level = hexversion >> 4 & 0xf, serial = hexversion & 0xf;
	const char *name = level == 0xa ? "a" : level == 0xb ? "b" : "rc";

	if (hexversion == 0)
		snprintf(buffer, size, "%s", "");
	else if (level == 0)
		snprintf(buffer, size, "%u.%u", major, minor);
	else if (level == 0xf)
		snprintf(buffer, size, "%u.%u.%u", major, minor, micro);
	else
		snprintf(buffer, size, "%u.%u.%u%s%u", major, minor, micro, name, serial);
}

/* A decimal number of at most three digits at *p; false: there is none. */
static bool take_number(const char **p, uint32_t *ret)
{
	uint32_t v = 0;
	int digits = 0;

	while (isdigit((unsigned char)**p) && digits < 3) {
		v = v * 10 + (uint32_t)(**p - '0');
		(*p)++;
		digits++;
	}
	*ret = v;
	return digits > 0 && v < 256;
}

/* "2.7.18", "3.9.0rc1", "3.8.1+" as PY_VERSION has it; 0: not a version. */
static uint32_t parse_version(const char *s)
{
	uint32_t major, minor, micro, level = 0xf, serial = 0;

	if (!take_number(&s, &major) || *s++ != '.' || !take_number(&s, &minor) || *s++ != '.' ||
	    !take_number(&s, &micro) || (major != 2 && major != 3))
		return 0;
	if (*s == 'a' || *s == 'b' || (s[0] == 'r' && s[1] == 'c') || *s == 'c') {
		level = *s == 'a' ? 0xa : *s == 'b' ? 0xb : 0xc;
		s += *s == 'r' ? 2 : 1;
		if (!take_number(&s, &serial))
			return 0;
	}
	if (*s == '+')
		s++;
	return *s ? 0 : major << 24 | minor << 16 | micro << 8 | level << 4 | (serial & 0xf);
}

/*
 * What the read-only data says: a cache tag ("cpython-38") and version literals, some of which are
 * others'. The linker may have stored the literal as the end of a longer string, such as a path
 * that ends in it.
 */
struct scan {
	uint32_t tag; /* major << 8 | minor, 0: none seen */
	struct {
		uint32_t hexversion;
		bool whole; /* the string is nothing but the version */
	} versions[32];
	size_t nversions;
};

/* "cpython-38" and nothing behind it; 0: something else. */
static uint32_t parse_tag(const char *text)
{
	static const char tag[] = "cpython-";
	const char *p = text + sizeof(tag) - 1;
	uint32_t major, minor;

	if (strncmp(text, tag, sizeof(tag) - 1) != 0 || (*p != '2' && *p != '3'))
		return 0;
	major = (uint32_t)(*p++ - '0');
	return take_number(&p, &minor) && !*p ? major << 8 | minor : 0;
}

/* One NUL-terminated string of the data. */
static void scan_string(struct scan *s, const char *text, const char *nul)
{
	const char *tail = nul;
	uint32_t v = parse_tag(text);

	if (v)
		s->tag = v;
	while (tail > text &&
	       (isalnum((unsigned char)tail[-1]) || tail[-1] == '.' || tail[-1] == '+'))
		tail--;
	if (nul - tail < 5 || (tail[0] != '2' && tail[0] != '3') || tail[1] != '.')
		return;
	v = parse_version(tail);
	if (!v)
		return;
	for (size_t i = 0; i < s->nversions; i++) {
		if (s->versions[i].hexversion == v) {
			s->versions[i].whole = s->versions[i].whole || tail == text;
			return;
		}
	}
	if (s->nversions < ARRAY_SIZE(s->versions)) {
		s->versions[s->nversions].hexversion = v;
		s->versions[s->nversions++].whole = tail == text;
	}
}

/* The strings of block; returns where the last, unfinished one begins. */
static size_t scan_block(struct scan *s, const char *block, size_t size)
{
	size_t at = 0;

	for (;;) {
		const char *nul = memchr(block + at, '\0', size - at);

		if (!nul)
			return at;
		if (nul - (block + at) >= 5)
			scan_string(s, block + at, nul);
		at = (size_t)(nul - block) + 1;
		if (at == size)
			return at;
	}
}

/*
 * The version that fits the tag: one that stands alone, else one that a string ends with if there
 * are not several.
 */
static uint32_t choose_version(const struct scan *s)
{
	/* 2.7 has no cache tag. */
	uint32_t tag = s->tag ? s->tag : 0x0207, found = 0;
	unsigned int nfound = 0;

	for (size_t i = 0; i < s->nversions; i++) {
		if (s->versions[i].hexversion >> 16 != tag)
			continue;
		if (s->versions[i].whole)
			return s->versions[i].hexversion;
		found = s->versions[i].hexversion;
		nfound++;
	}
	return nfound == 1 ? found : s->tag << 16;
}

static int scan_segment(struct scan *s, const struct elf *e, const struct elf_segment *seg,
			uint64_t *budget)
{
	_cleanup_free_ char *block = malloc(SCAN_BLOCK);
	uint64_t left = MIN(seg->filesz, *budget), at = seg->vaddr;
	size_t kept = 0;

	if (!block)
		return -ENOMEM;
	*budget -= left;
	while (left > 0) {
		size_t n = (size_t)MIN(left, (uint64_t)(SCAN_BLOCK - kept)), used;
		int r = elf_read(e, at, block + kept, n);

		/* A segment that says more than the file holds: what there is was searched. */
		if (r < 0)
			return r == -EFAULT ? 0 : r;
		at += n;
		left -= n;
		used = scan_block(s, block, kept + n);
		kept = kept + n - used;
		/* Too long: keep its end only, marked as a string that began earlier. */
		if (kept > SCAN_KEEP) {
			used += kept - SCAN_KEEP;
			kept = SCAN_KEEP;
			block[used] = (char)0xff;
		}
		memmove(block, block + used, kept);
	}
	return 0;
}

static int scan_version(const struct elf *e, uint32_t *ret)
{
	uint64_t budget = SCAN_MAX;
	struct scan s = {};

	for (uint32_t i = 0; i < e->nsegments && budget > 0; i++) {
		const struct elf_segment *seg = &e->segments[i];
		int r;

		if (seg->type != PT_LOAD || (seg->flags & PF_W))
			continue;
		r = scan_segment(&s, e, seg, &budget);
		if (r < 0)
			return r;
	}
	*ret = choose_version(&s);
	return 0;
}

/* "libpython3.8.so.1.0", "python3.8m": what a file calls itself. */
static uint32_t version_of_name(const char *name)
{
	const char *p = strstr(name, "python");
	uint32_t major, minor;

	if (!p)
		return 0;
	p += strlen("python");
	if (!take_number(&p, &major) || *p++ != '.' || !take_number(&p, &minor) ||
	    (major != 2 && major != 3))
		return 0;
	return major << 24 | minor << 16;
}

static int find_version(const struct elf *e, const struct elf_symbol *py_version, const char *name,
			uint32_t *ret)
{
	uint32_t v;
	int r;

	/* const unsigned long Py_Version = PY_VERSION_HEX, Python/pylifecycle.c from 3.11 on. */
	if (py_version->found && elf_read(e, py_version->value, &v, sizeof(v)) == 0 &&
	    v >> 24 == 3) {
		*ret = v;
		return 0;
	}
	r = scan_version(e, &v);
	if (r < 0)
		return r;
	*ret = v ? v : version_of_name(name);
	return 0;
}

/* An address that a program's variable can have: in a writable segment. */
static bool is_variable(const struct elf *e, uint64_t vaddr)
{
	for (uint32_t i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];

		if (s->type == PT_LOAD && (s->flags & PF_W) && vaddr >= s->vaddr &&
		    vaddr - s->vaddr < s->memsz && s->memsz - (vaddr - s->vaddr) >= 8)
			return vaddr % 8 == 0;
	}
	return false;
}

/*
 * The variable that a function returns, where the compiler made nothing of it but a load relative
 * to the instruction pointer and a return. x86-64 only.
 */
static bool returned_variable(const struct elf *e, uint64_t function, uint64_t *ret)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa },
			     frame[] = { 0x55, 0x48, 0x89, 0xe5 }, load[] = { 0x48, 0x8b, 0x05 };
	uint8_t code[32];
	size_t at = 0;
	int32_t relative;
	uint64_t v;

	if (e->machine != EM_X86_64 || elf_read(e, function, code, sizeof(code)) < 0)
		return false;
	if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
		at += sizeof(endbr64);
	if (memcmp(code + at, frame, sizeof(frame)) == 0)
		at += sizeof(frame);
	if (memcmp(code + at, load, sizeof(load)) != 0)
		return false;
	at += sizeof(load);
	memcpy(&relative, code + at, sizeof(relative));
	at += sizeof(relative);
	v = function + at + (uint64_t)(int64_t)relative;
	/* pop %rbp, ret */
	if (code[at] == 0x5d)
		at++;
	if (code[at] != 0xc3 || !is_variable(e, v))
		return false;
	*ret = v;
	return true;
}

/*
 * Up to 3.6 the list of interpreters begins in a static variable: named by .symtab, or, in a
 * stripped file, what PyInterpreterState_Head() returns. Leaves *ret alone when neither tells.
 */
static int find_interp_head(const struct elf *e, const struct elf_symbol *function, uint64_t *ret)
{
	struct elf_symbol head = { .name = "interp_head" };
	int r = elf_static_symbols(e, &head, 1);

	if (r < 0)
		return r;
	if (head.found && is_variable(e, head.value))
		*ret = head.value;
	else if (function->found)
		returned_variable(e, function->value, ret);
	return 0;
}

static int copy_loads(const struct elf *e, struct binary *b)
{
	b->loads = calloc(MAX(e->nsegments, 1u), sizeof(*b->loads));
	if (!b->loads)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->nsegments; i++) {
		if (e->segments[i].type == PT_LOAD)
			b->loads[b->nloads++] = e->segments[i];
	}
	return 0;
}

/*
 * Constants, the same in the file and in memory (GENERATE_DEBUG_SECTION,
 * internal/pycore_debug_offsets.h).
 */
static void find_asyncio(const struct elf *e, struct binary *b)
{
	struct elf_section section;

	b->has_asyncio = elf_section(e, ".AsyncioDebug", &section) == 0 &&
			 section.size >= sizeof(b->asyncio) &&
			 elf_read(e, section.address, b->asyncio, sizeof(b->asyncio)) == 0;
}

enum {
	SYMBOL_RUNTIME,   /* CPython 3.7 and later */
	SYMBOL_VERSION,   /* 3.11 and later */
	SYMBOL_TSTATE,    /* exported by 2.7 to 3.6 */
	SYMBOL_HEAD,      /* the function that returns interp_head, exported by all */
	SYMBOL_REFS,      /* exported by builds with Py_TRACE_REFS */
	SYMBOL_PYPY,      /* the RPython entry point that pypy's main() calls */
	SYMBOL_PYPY_EXEC, /* ... and of those that embed it */
	SYMBOLS,
};

static int examine(const struct elf *e, const char *name, struct binary *b)
{
	struct elf_symbol symbols[SYMBOLS] = {
		[SYMBOL_RUNTIME] = { .name = "_PyRuntime" },
		[SYMBOL_VERSION] = { .name = "Py_Version" },
		[SYMBOL_TSTATE] = { .name = "_PyThreadState_Current" },
		[SYMBOL_HEAD] = { .name = "PyInterpreterState_Head" },
		[SYMBOL_REFS] = { .name = "_Py_PrintReferences" },
		[SYMBOL_PYPY] = { .name = "pypy_main_startup" },
		[SYMBOL_PYPY_EXEC] = { .name = "pypy_execute_source" },
	};
	struct elf_section section;
	bool has_section;
	int r;

	b->entry = e->entry;
	b->dynamic = e->dynamic.at;
	b->debug = e->dynamic.debug;
	b->needs_python = elf_needs(e, "libpython") || elf_needs(e, "libpypy");
	if (strstr(name, "python") || strncmp(name, "_asyncio.", 9) == 0)
		find_asyncio(e, b);
	r = elf_dynamic_symbols(e, symbols, ARRAY_SIZE(symbols));
	if (r < 0)
		return r;
	if (symbols[SYMBOL_PYPY].found || symbols[SYMBOL_PYPY_EXEC].found) {
		b->kind = BINARY_PYPY;
		return 0;
	}
	/* What only links to libpython may hold copies of its data, but is not the interpreter. */
	if (b->needs_python)
		return 0;
	has_section = elf_section(e, ".PyRuntime", &section) == 0 && section.address != 0;
	/*
	 * Reading through all symbols is for those that look like an interpreter but export
	 * nothing.
	 */
	if (!symbols[SYMBOL_RUNTIME].found && (has_section || strstr(name, "python"))) {
		r = elf_static_symbols(e, symbols, SYMBOL_TSTATE);
		if (r < 0)
			return r;
	}
	if (!symbols[SYMBOL_RUNTIME].found && !has_section && !symbols[SYMBOL_TSTATE].found)
		return 0;
	b->kind = BINARY_CPYTHON;
	b->runtime = symbols[SYMBOL_RUNTIME].found ? symbols[SYMBOL_RUNTIME].value :
		     has_section                   ? section.address :
						     0;
	b->trace_refs = symbols[SYMBOL_REFS].found;
	r = find_version(e, &symbols[SYMBOL_VERSION], name, &b->hexversion);
	if (r < 0)
		return r;
	if (b->hexversion >> 16 < 0x0307 && !b->runtime) {
		r = find_interp_head(e, &symbols[SYMBOL_HEAD], &b->runtime);
		if (r < 0)
			return r;
	}
	return copy_loads(e, b);
}

/* A broken file is no interpreter. */
static int examined(const struct elf *e, int r, const char *name, struct binary *ret)
{
	struct binary b = {};

	if (r == 0 && (e->machine == EM_X86_64 || e->machine == EM_AARCH64))
		r = examine(e, name, &b);
	if (r < 0)
		binary_done(&b);
	if (r < 0 && r != -EBADMSG && r != -EFAULT)
		return r;
	if (r < 0)
		b = (struct binary){};
	*ret = b;
	return 0;
}

int binary_examine(const struct reader *memory, uint64_t size, const char *name, struct binary *ret)
{
	_cleanup_free_ struct elf *e = malloc(sizeof(*e));

	return e ? examined(e, elf_open(e, memory, size), name, ret) : -ENOMEM;
}

int binary_examine_mapped(const struct reader *memory, uint64_t size, const char *name,
			  const struct mapping *maps, size_t nmaps, struct binary *ret)
{
	_cleanup_free_ struct elf *e = malloc(sizeof(*e));
	uint64_t bias;
	int r;

	if (!e)
		return -ENOMEM;
	r = elf_open_head(e, memory, size);
	if (r < 0)
		return r;
	if (bias_find(e->segments, e->nsegments, maps, nmaps, &bias, 1) == 0)
		return -EBADMSG;
	elf_open_dynamic(e, bias);
	return examined(e, 0, name, ret);
}
