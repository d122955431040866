/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>

#include "python/elf.h"

/* Entries of PT_DYNAMIC that are looked at; large programs have some 40. */
#define DYNAMIC_MAX 1024

static int file_read(const struct elf *e, uint64_t offset, void *buffer, size_t size)
{
	if (offset > e->size || size > e->size - offset)
		return -EFAULT;
	return reader_read(&e->r, offset, buffer, size);
}

int elf_read(const struct elf *e, uint64_t vaddr, void *buffer, size_t size)
{
	for (uint32_t i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];
		uint64_t into = vaddr - s->vaddr, offset;

		if (s->type != PT_LOAD || vaddr < s->vaddr || into >= s->filesz ||
		    size > s->filesz - into)
			continue;
		if (__builtin_add_overflow(s->offset, into, &offset))
			return -EFAULT;
		return file_read(e, offset, buffer, size);
	}
	return -EFAULT;
}

static int read_segments(struct elf *e, const Elf64_Ehdr *h)
{
	Elf64_Phdr p;
	int r;

	if (h->e_phentsize != sizeof(p))
		return -EBADMSG;
	for (uint32_t i = 0; i < h->e_phnum && i < PLOP_MAX_ELF_SEGMENTS; i++) {
		uint64_t at;

		if (__builtin_add_overflow(h->e_phoff, i * sizeof(p), &at))
			return -EBADMSG;
		r = file_read(e, at, &p, sizeof(p));
		if (r < 0)
			return r == -EFAULT ? -EBADMSG : r;
		e->segments[e->nsegments++] = (struct elf_segment){
			.type = p.p_type,
			.flags = p.p_flags,
			.offset = p.p_offset,
			.vaddr = p.p_vaddr,
			.filesz = p.p_filesz,
			.memsz = p.p_memsz,
		};
	}
	return 0;
}

/* The i-th entry of PT_DYNAMIC; -ENOENT behind the last. */
static int read_dynamic(const struct elf *e, uint32_t i, Elf64_Dyn *ret)
{
	for (uint32_t s = 0; s < e->nsegments; s++) {
		const struct elf_segment *seg = &e->segments[s];
		uint64_t at;
		int r;

		if (seg->type != PT_DYNAMIC)
			continue;
		if (i >= DYNAMIC_MAX || i >= seg->filesz / sizeof(*ret) ||
		    __builtin_add_overflow(seg->offset, i * sizeof(*ret), &at))
			return -ENOENT;
		r = file_read(e, at, ret, sizeof(*ret));
		if (r < 0)
			return r;
		return ret->d_tag == DT_NULL ? -ENOENT : 0;
	}
	return -ENOENT;
}

static bool is_loaded(const struct elf *e, uint64_t vaddr)
{
	for (uint32_t i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];

		if (s->type == PT_LOAD && vaddr >= s->vaddr && vaddr - s->vaddr < s->memsz)
			return true;
	}
	return false;
}

void elf_open_dynamic(struct elf *e, uint64_t bias)
{
	uint64_t *const addresses[] = { &e->dynamic.symtab, &e->dynamic.strtab, &e->dynamic.hash,
					&e->dynamic.gnu_hash };
	Elf64_Dyn d;

	for (uint32_t i = 0; i < e->nsegments && !e->dynamic.at; i++)
		e->dynamic.at = e->segments[i].type == PT_DYNAMIC ? e->segments[i].vaddr : 0;
	for (uint32_t i = 0; read_dynamic(e, i, &d) == 0; i++) {
		uint64_t *to = d.d_tag == DT_SYMTAB   ? &e->dynamic.symtab :
			       d.d_tag == DT_STRTAB   ? &e->dynamic.strtab :
			       d.d_tag == DT_STRSZ    ? &e->dynamic.strsz :
			       d.d_tag == DT_HASH     ? &e->dynamic.hash :
			       d.d_tag == DT_GNU_HASH ? &e->dynamic.gnu_hash :
							NULL;

		if (to)
			*to = d.d_un.d_val;
		if (d.d_tag == DT_DEBUG)
			e->dynamic.debug =
				e->dynamic.at + i * sizeof(d) + offsetof(Elf64_Dyn, d_un);
	}
	/*
	 * glibc's loader relocates these where they lie (elf_get_dynamic_info(),
	 * elf/get-dynamic-info.h, 2.31 to 2.42), musl's does not
	 */
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		if (!is_loaded(e, *addresses[i]) && is_loaded(e, *addresses[i] - bias))
			*addresses[i] -= bias;
	}
}

int elf_open_head(struct elf *e, const struct reader *memory, uint64_t size)
{
	Elf64_Ehdr h;
	int r;

	memset(e, 0, sizeof(*e));
	e->r = *memory;
	e->size = size;
	r = file_read(e, 0, &h, sizeof(h));
	if (r < 0)
		return r == -EFAULT ? -EBADMSG : r;
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB || (h.e_type != ET_EXEC && h.e_type != ET_DYN))
		return -EBADMSG;
	e->type = h.e_type;
	e->machine = h.e_machine;
	e->entry = h.e_entry;
	r = read_segments(e, &h);
	if (r < 0)
		return r;
	if (h.e_shoff != 0 && h.e_shentsize == sizeof(Elf64_Shdr)) {
		e->sections = h.e_shoff;
		e->nsections = MIN(h.e_shnum, PLOP_MAX_ELF_SECTIONS);
		e->names = h.e_shstrndx;
	}
	return 0;
}

int elf_open(struct elf *e, const struct reader *memory, uint64_t size)
{
	int r = elf_open_head(e, memory, size);

	if (r == 0)
		elf_open_dynamic(e, 0);
	return r;
}

static int section_at(const struct elf *e, uint32_t i, Elf64_Shdr *ret)
{
	uint64_t at;

	if (i >= e->nsections || __builtin_add_overflow(e->sections, i * sizeof(*ret), &at))
		return -ENOENT;
	return file_read(e, at, ret, sizeof(*ret));
}

/* Whether the string at index at of the table [offset, offset + size) of the file is s. */
static bool string_is(const struct elf *e, uint64_t offset, uint64_t size, uint64_t at,
		      const char *s)
{
	char buffer[64];
	size_t n = strlen(s) + 1;
	uint64_t from;

	if (n > sizeof(buffer) || at > size || n > size - at ||
	    __builtin_add_overflow(offset, at, &from))
		return false;
	return file_read(e, from, buffer, n) == 0 && memcmp(buffer, s, n) == 0;
}

int elf_section(const struct elf *e, const char *name, struct elf_section *ret)
{
	Elf64_Shdr names, s;

	if (e->names == 0 || section_at(e, e->names, &names) < 0)
		return -ENOENT;
	for (uint32_t i = 1; i < e->nsections; i++) {
		if (section_at(e, i, &s) < 0)
			return -ENOENT;
		if (!string_is(e, names.sh_offset, names.sh_size, s.sh_name, name))
			continue;
		*ret = (struct elf_section){
			.type = s.sh_type,
			.link = s.sh_link,
			.address = s.sh_addr,
			.offset = s.sh_offset,
			.size = s.sh_size,
		};
		return 0;
	}
	return -ENOENT;
}

/* Whether dynamic symbol i is a defined one called s->name; fills s if so. */
static bool dynamic_symbol_is(const struct elf *e, uint64_t i, struct elf_symbol *s)
{
	const struct elf_dynamic *d = &e->dynamic;
	char buffer[64];
	size_t n = strlen(s->name) + 1;
	Elf64_Sym sym;
	uint64_t at;

	if (__builtin_add_overflow(d->symtab, i * sizeof(sym), &at) ||
	    elf_read(e, at, &sym, sizeof(sym)) < 0)
		return false;
	if (n > sizeof(buffer) || sym.st_shndx == SHN_UNDEF || sym.st_name >= d->strsz ||
	    __builtin_add_overflow(d->strtab, (uint64_t)sym.st_name, &at))
		return false;
	if (elf_read(e, at, buffer, n) < 0 || memcmp(buffer, s->name, n) != 0)
		return false;
	s->found = true;
	s->value = sym.st_value;
	s->size = sym.st_size;
	return true;
}

static uint32_t gnu_hash(const char *s)
{
	uint32_t h = 5381;

	for (; *s; s++)
		h = h * 33 + (uint8_t)*s;
	return h;
}

/*
 * The layout of DT_GNU_HASH: four words, a bloom filter of 64-bit words, the buckets, a hash for
 * each symbol.
 */
static int find_by_gnu_hash(const struct elf *e, struct elf_symbol *s)
{
	struct {
		uint32_t nbuckets, first, nbloom, shift;
	} h;
	uint32_t hash = gnu_hash(s->name), symbol, block[64];
	uint64_t buckets, chain, bloom;

	if (elf_read(e, e->dynamic.gnu_hash, &h, sizeof(h)) < 0 || h.nbuckets == 0)
		return 0;
	/* most files have none of the names: the filter says so of nearly all */
	if (h.nbloom > 0 &&
	    elf_read(e, e->dynamic.gnu_hash + sizeof(h) + (uint64_t)(hash / 64 % h.nbloom) * 8,
		     &bloom, sizeof(bloom)) == 0 &&
	    !(bloom >> hash % 64 & bloom >> (h.shift < 32 ? hash >> h.shift : 0) % 64 & 1))
		return 0;
	buckets = e->dynamic.gnu_hash + sizeof(h) + (uint64_t)h.nbloom * 8;
	chain = buckets + (uint64_t)h.nbuckets * 4;
	if (elf_read(e, buckets + (uint64_t)(hash % h.nbuckets) * 4, &symbol, sizeof(symbol)) < 0 ||
	    symbol < h.first)
		return 0;
	for (uint32_t step = 0; step < PLOP_MAX_ELF_SYMBOLS / 16; step++, symbol++) {
		uint64_t at = chain + (uint64_t)(symbol - h.first) * 4;
		uint32_t in_block = step % ARRAY_SIZE(block);

		/* A block at a time, word by word only at the very end of the segment. */
		if (in_block == 0 && elf_read(e, at, block, sizeof(block)) < 0) {
			for (size_t i = 0; i < ARRAY_SIZE(block); i++) {
				if (elf_read(e, at + i * 4, &block[i], 4) < 0)
					block[i] = 1;
			}
		}
		if ((block[in_block] | 1) == (hash | 1) && dynamic_symbol_is(e, symbol, s))
			return 1;
		if (block[in_block] & 1)
			break;
	}
	return 0;
}

static uint32_t sysv_hash(const char *s)
{
	uint32_t h = 0;

	for (; *s; s++) {
		h = (h << 4) + (uint8_t)*s;
		h ^= (h & 0xf0000000) >> 24;
		h &= 0x0fffffff;
	}
	return h;
}

/* The layout of DT_HASH: two counts, the buckets, the next symbol for each symbol. */
static int find_by_hash(const struct elf *e, struct elf_symbol *s)
{
	struct {
		uint32_t nbuckets, nchain;
	} h;
	uint64_t at;
	uint32_t symbol;

	if (elf_read(e, e->dynamic.hash, &h, sizeof(h)) < 0 || h.nbuckets == 0)
		return 0;
	at = e->dynamic.hash + sizeof(h) + (uint64_t)(sysv_hash(s->name) % h.nbuckets) * 4;
	for (uint32_t step = 0; step < PLOP_MAX_ELF_SYMBOLS / 16; step++) {
		if (elf_read(e, at, &symbol, sizeof(symbol)) < 0 || symbol == 0 ||
		    symbol >= h.nchain)
			break;
		if (dynamic_symbol_is(e, symbol, s))
			return 1;
		at = e->dynamic.hash + sizeof(h) + (uint64_t)h.nbuckets * 4 + (uint64_t)symbol * 4;
	}
	return 0;
}

int elf_dynamic_symbols(const struct elf *e, struct elf_symbol *symbols, size_t n)
{
	const struct elf_dynamic *d = &e->dynamic;
	int found = 0;

	if (!d->symtab || !d->strtab)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (symbols[i].found)
			continue;
		if (d->gnu_hash)
			found += find_by_gnu_hash(e, &symbols[i]);
		else if (d->hash)
			found += find_by_hash(e, &symbols[i]);
	}
	return found;
}

/* Reads len symbols from block and compares each with those wanted. */
static int match_block(const struct elf *e, const Elf64_Shdr *strings, const Elf64_Sym *block,
		       size_t len, struct elf_symbol *symbols, size_t n)
{
	int found = 0;

	for (size_t b = 0; b < len; b++) {
		if (block[b].st_shndx == SHN_UNDEF || ELF64_ST_TYPE(block[b].st_info) != STT_OBJECT)
			continue;
		for (size_t i = 0; i < n; i++) {
			struct elf_symbol *s = &symbols[i];

			if (s->found || !string_is(e, strings->sh_offset, strings->sh_size,
						   block[b].st_name, s->name))
				continue;
			s->found = true;
			s->value = block[b].st_value;
			s->size = block[b].st_size;
			found++;
		}
	}
	return found;
}

int elf_static_symbols(const struct elf *e, struct elf_symbol *symbols, size_t n)
{
	struct elf_section table;
	Elf64_Sym block[256];
	Elf64_Shdr strings;
	uint64_t total;
	int found = 0;

	if (elf_section(e, ".symtab", &table) < 0 || section_at(e, table.link, &strings) < 0)
		return 0;
	total = MIN(table.size / sizeof(block[0]), (uint64_t)PLOP_MAX_ELF_SYMBOLS);
	for (uint64_t i = 0; i < total && (size_t)found < n; i += ARRAY_SIZE(block)) {
		size_t len = (size_t)MIN(total - i, (uint64_t)ARRAY_SIZE(block));
		uint64_t at;
		int r;

		if (__builtin_add_overflow(table.offset, i * sizeof(block[0]), &at))
			return -EBADMSG;
		r = file_read(e, at, block, len * sizeof(block[0]));
		if (r < 0)
			return r;
		found += match_block(e, &strings, block, len, symbols, n);
	}
	return found;
}

int elf_needs(const struct elf *e, const char *prefix)
{
	size_t n = strlen(prefix);
	char buffer[64];
	Elf64_Dyn d;

	if (n > sizeof(buffer))
		return 0;
	for (uint32_t i = 0; read_dynamic(e, i, &d) == 0; i++) {
		uint64_t at;

		if (d.d_tag != DT_NEEDED || d.d_un.d_val >= e->dynamic.strsz ||
		    __builtin_add_overflow(e->dynamic.strtab, d.d_un.d_val, &at))
			continue;
		if (elf_read(e, at, buffer, n) == 0 && memcmp(buffer, prefix, n) == 0)
			return 1;
	}
	return 0;
}
