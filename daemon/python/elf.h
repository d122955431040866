/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "plop/limits.h"
#include "util/macro.h"
#include "util/reader.h"

/*
 * A small reader of 64-bit little-endian ELF files that trusts nothing in them: every offset is
 * checked against the file, every count and every walk has a maximum. Needs no section headers
 * where program headers tell the same.
 */
struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz;
};

struct elf_section {
	uint32_t type, link;
	uint64_t address, offset, size;
};

/* Where PT_DYNAMIC says the dynamic symbols are; addresses, 0 for what is not there. */
struct elf_dynamic {
	uint64_t symtab, strtab, strsz, hash, gnu_hash;
	uint64_t at;    /* PT_DYNAMIC itself */
	uint64_t debug; /* where the loader of a program puts the address of its struct r_debug */
};

struct elf {
	struct reader r; /* by file offset */
	uint64_t size;
	uint16_t type, machine;
	uint32_t nsegments, nsections,
		names; /* names: section that holds the sections' names, 0: none */
	uint64_t sections;
	uint64_t entry; /* where the program begins */
	struct elf_dynamic dynamic;
	struct elf_segment segments[PLOP_MAX_ELF_SEGMENTS];
};

/* r must outlive e; size: of the file. -EBADMSG: not an ELF file of this kind, or broken. */
int elf_open(struct elf *e, const struct reader *memory, uint64_t size);
/*
 * The same in two steps, for one that is read from the memory of a process: there its loader may
 * have added the difference between addresses in the process and in the file to where the dynamic
 * symbols are.
 */
int elf_open_head(struct elf *e, const struct reader *memory, uint64_t size);
void elf_open_dynamic(struct elf *e, uint64_t bias);

/* Reads initialised data by its address before relocation. -EFAULT: not in the file. */
int elf_read(const struct elf *e, uint64_t vaddr, void *buffer, size_t size);

/* -ENOENT: no section of that name (or no section headers). */
int elf_section(const struct elf *e, const char *name, struct elf_section *ret);

struct elf_symbol {
	const char *name;
	bool found; /* defined in this file */
	uint64_t value, size;
};
/*
 * Looks names up among the dynamic symbols by the file's hash table. Those found already are left
 * alone. Returns how many were found now, or a negative errno.
 */
int elf_dynamic_symbols(const struct elf *e, struct elf_symbol *symbols, size_t n);
/* The same in .symtab, by reading through it. */
int elf_static_symbols(const struct elf *e, struct elf_symbol *symbols, size_t n);

/* 1: a DT_NEEDED entry begins with prefix; 0: none does. */
int elf_needs(const struct elf *e, const char *prefix);
