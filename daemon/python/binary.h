/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/bias.h"
#include "python/python.h"

/* What an executable or a library is to plop; found out once for each file. */
enum binary_kind {
	BINARY_OTHER = 0,
	BINARY_CPYTHON,
	BINARY_PYPY,
};

struct binary {
	enum binary_kind kind;
	bool needs_python; /* a program that is linked to a libpython or libpypy */
	/*
	 * BINARY_CPYTHON: the address before relocation of _PyRuntime, up to 3.6 of interp_head; 0:
	 * not found
	 */
	uint64_t runtime;
	/*
	 * built with Py_TRACE_REFS, as debug builds up to 3.7 are; up to 3.12 objects are then
	 * larger
	 */
	bool trace_refs;
	/* PY_VERSION_HEX; major << 24 | minor << 16 where no more is known; 0: unknown */
	uint32_t hexversion;
	/* before relocation; 0: it has none */
	uint64_t entry;   /* where a program begins */
	uint64_t dynamic; /* PT_DYNAMIC, by which a loader's list tells it from others */
	uint64_t debug;   /* of a program: where its loader puts the address of that list */
	size_t nloads;
	struct elf_segment *loads; /* BINARY_CPYTHON: its PT_LOADs, owned */
	/* what the _asyncio module in this file says of its structs: .AsyncioDebug, 3.14+ */
	bool has_asyncio;
	uint8_t asyncio[ASYNC_TABLE_SIZE];
};

/*
 * r: the file's bytes, size of them; name: its base name, a hint for the version if all else fails.
 * -ENOMEM, -EIO.
 */
int binary_examine(const struct reader *memory, uint64_t size, const char *name,
		   struct binary *ret);
void binary_done(struct binary *b);

/*
 * The same of a file that may not be opened, by what is mapped of it: r reads by file offset, as
 * mapped_reader() does. Sections are not mapped: what they alone would say is not known. -EBADMSG,
 * -EFAULT: its head is not mapped, or no ELF file's; or what r says.
 */
int binary_examine_mapped(const struct reader *memory, uint64_t size, const char *name,
			  const struct mapping *maps, size_t nmaps, struct binary *ret);

/* "3.13.0", "3.13.0rc1", or "3.8" for a version without a release level. */
void version_print(uint32_t hexversion, char *buffer, size_t size);
