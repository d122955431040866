/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "check_main.h"
#include "proc/process.h"
#include "python/binary.h"

/* A file's bytes, and a reader over them. */
struct file {
	char *data;
	struct reader_bytes bytes;
	struct reader r;
	size_t size;
};

static void load(struct file *f, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	ck_assert_msg(fd >= 0, "%s cannot be opened", path);
	ck_assert_int_eq(fstat(fd, &st), 0);
	f->size = (size_t)st.st_size;
	f->data = malloc(f->size);
	ck_assert_int_eq(pread(fd, f->data, f->size, 0), st.st_size);
	f->bytes = (struct reader_bytes){ .data = f->data, .size = f->size };
	f->r = bytes_reader(&f->bytes);
}

static void examine(const struct file *f, const char *name, struct binary *ret)
{
	ck_assert_int_eq(binary_examine(&f->r, f->size, name, ret), 0);
}

/* What strip --strip-section-headers leaves. */
static void drop_sections(struct file *f)
{
	Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)f->data;

	h->e_shoff = 0;
	h->e_shnum = 0;
	h->e_shstrndx = 0;
}

static uint64_t runtime_of(const struct file *f)
{
	struct elf_section s;
	struct elf *e = malloc(sizeof(*e));

	ck_assert_int_eq(elf_open(e, &f->r, f->size), 0);
	ck_assert_int_eq(elf_section(e, ".PyRuntime", &s), 0);
	free(e);
	return s.address;
}

static void is_python(const char *path, uint32_t hexversion, bool sections)
{
	struct binary b;
	struct file f;
	uint64_t runtime;

	load(&f, path);
	runtime = runtime_of(&f);
	if (!sections)
		drop_sections(&f);
	examine(&f, "whatever", &b);
	ck_assert_int_eq(b.kind, BINARY_CPYTHON);
	ck_assert(!b.needs_python);
	ck_assert_uint_eq(b.runtime, runtime);
	ck_assert_uint_eq(b.hexversion, hexversion);
	ck_assert_uint_gt(b.nloads, 1);
	binary_done(&b);
	free(f.data);
}

START_TEST(finds_interpreters_by_either_hash)
{
	is_python(FAKE_GNU, 0x030b02f0, true);
	is_python(FAKE_GNU, 0x030b02f0, false);
	is_python(FAKE_SYSV, 0x030d00c2, true);
	is_python(FAKE_SYSV, 0x030d00c2, false);
}
END_TEST

START_TEST(finds_the_version_of_older_ones)
{
	/* The literal alone; the literal as the end of a path; nothing but the tag. */
	is_python(FAKE_OLD, 0x030805f0, true);
	is_python(FAKE_OLD, 0x030805f0, false);
	is_python(FAKE_TAIL, 0x03080cf0, true);
	is_python(FAKE_TAG_ONLY, 0x03090000, true);
}
END_TEST

/* Where interp_head is, when neither a section nor an exported symbol tells. */
START_TEST(finds_the_root_of_2_7_and_3_6)
{
	struct binary b;
	struct file f;
#ifdef __x86_64__
	uint64_t head;
#endif

	load(&f, FAKE_36);
	examine(&f, "libpython3.6m.so.1.0", &b);
	ck_assert_int_eq(b.kind, BINARY_CPYTHON);
	ck_assert_uint_ne(b.runtime, 0);
	binary_done(&b);
	drop_sections(&f);
	examine(&f, "libpython3.6m.so.1.0", &b);
	ck_assert_uint_eq(b.hexversion, 0x03060ff0);
	ck_assert_uint_eq(b.runtime, 0);
	binary_done(&b);
	free(f.data);
#ifdef __x86_64__
	load(&f, FAKE_27);
	examine(&f, "unnamed", &b);
	head = b.runtime;
	ck_assert_uint_ne(head, 0);
	binary_done(&b);
	drop_sections(&f);
	examine(&f, "unnamed", &b);
	ck_assert_uint_eq(b.hexversion, 0x020712f0);
	ck_assert_uint_eq(b.runtime, head);
	binary_done(&b);
	free(f.data);
#endif
}
END_TEST

START_TEST(file_name_is_the_last_hint)
{
	struct binary b;
	struct file f;

	load(&f, FAKE_NOTHING);
	examine(&f, "libpython3.9.so.1.0", &b);
	ck_assert_uint_eq(b.hexversion, 0x03090000);
	binary_done(&b);
	examine(&f, "unnamed", &b);
	ck_assert_int_eq(b.kind, BINARY_CPYTHON);
	ck_assert_uint_eq(b.hexversion, 0);
	binary_done(&b);
	free(f.data);
	load(&f, FAKE_OLD);
	examine(&f, "libpython3.9.so.1.0", &b);
	ck_assert_uint_eq(b.hexversion, 0x030805f0);
	binary_done(&b);
	free(f.data);
}
END_TEST

START_TEST(tells_pypy_and_others)
{
	struct binary b;
	struct file f;

	load(&f, FAKE_PYPY_LIBRARY);
	examine(&f, "libpypy3.10-c.so", &b);
	ck_assert_int_eq(b.kind, BINARY_PYPY);
	binary_done(&b);
	free(f.data);
	/* This very program, even under an interpreter's name. */
	load(&f, "/proc/self/exe");
	examine(&f, "python3.12", &b);
	ck_assert_int_eq(b.kind, BINARY_OTHER);
	ck_assert(!b.needs_python);
	binary_done(&b);
	free(f.data);
}
END_TEST

START_TEST(what_only_links_is_not_it)
{
	struct binary b;
	struct file f;

	load(&f, FAKE_LINKED);
	examine(&f, "python3.11", &b);
	ck_assert_int_eq(b.kind, BINARY_OTHER);
	ck_assert(b.needs_python);
	binary_done(&b);
	free(f.data);
}
END_TEST

/* Any prefix is read without going beyond it; so is a file of which some bytes are others. */
START_TEST(truncated_and_damaged_files)
{
	static const char *const paths[] = { FAKE_GNU, FAKE_SYSV, FAKE_OLD, FAKE_36, FAKE_27 };
	uint32_t random = 1;

	for (size_t p = 0; p < ARRAY_SIZE(paths); p++) {
		struct binary b;
		struct file f, copy;

		load(&f, paths[p]);
		load(&copy, paths[p]);
		for (size_t n = 0; n < f.size; n += 1 + n / 16) {
			f.bytes.size = n;
			ck_assert_int_eq(binary_examine(&f.r, n, "python3", &b), 0);
			binary_done(&b);
			/* The same with a size that lies. */
			ck_assert_int_eq(binary_examine(&f.r, UINT64_MAX, "python3", &b), 0);
			binary_done(&b);
		}
		f.bytes.size = f.size;
		for (int round = 0; round < 400; round++) {
			memcpy(f.data, copy.data, f.size);
			for (int i = 0; i < 12; i++) {
				random = random * 1664525 + 1013904223;
				/* Half of the damage goes to the headers. */
				f.data[(i & 1 ? random >> 8 : (random >> 8) % 1024) % f.size] =
					(char)(random & 0x80 ? 0xff : random);
			}
			ck_assert_int_eq(binary_examine(&f.r, f.size, "python3", &b), 0);
			binary_done(&b);
		}
		free(f.data);
		free(copy.data);
	}
}
END_TEST

#define BIAS 0x7f0000000000

/* As linkers lay out a library; RELRO is the data's first page. */
static const struct elf_segment layout[] = {
	{ .type = PT_LOAD, .flags = PF_R, .offset = 0, .vaddr = 0x400000, .filesz = 0x1234 },
	{ .type = PT_LOAD,
	  .flags = PF_R | PF_X,
	  .offset = 0x2010,
	  .vaddr = 0x403010,
	  .filesz = 0x5000 },
	{ .type = PT_DYNAMIC, .offset = 0x8000, .vaddr = 0x40a000, .filesz = 0x1000 },
	{ .type = PT_LOAD,
	  .flags = PF_R | PF_W,
	  .offset = 0x8000,
	  .vaddr = 0x40a000,
	  .filesz = 0x3000,
	  .memsz = 0x9000 },
};

static size_t biases(const struct mapping *maps, size_t n, uint64_t *ret)
{
	return bias_find(layout, ARRAY_SIZE(layout), maps, n, ret, BIAS_MAX);
}

#define TEXT(at)                                                                                 \
	{                                                                                        \
		.start = (at) + 0x403000, .end = (at) + 0x409000, .offset = 0x2000, .exec = true \
	}
#define DATA(at)                                                                                  \
	{                                                                                         \
		.start = (at) + 0x40b000, .end = (at) + 0x40d000, .offset = 0x9000, .write = true \
	}

START_TEST(bias_from_one_mapping)
{
	static const struct mapping one[] = {
		TEXT(0),
		TEXT(BIAS),
		/* The mapping's second half, after mprotect() split it. */
		{ .start = BIAS + 0x405000, .end = BIAS + 0x409000, .offset = 0x4000, .exec = true },
		{ .start = 0x400000, .end = 0x402000, .offset = 0, .exec = true },
		{ .start = 0x400000, .end = 0x402000, .offset = 0xb000, .exec = true },
		/* rights that no such part of it has */
		{ .start = 0x403000, .end = 0x409000, .offset = 0x2000, .write = true },
	};
	struct elf_segment endless[] = { layout[0], layout[1] };
	uint64_t bias[BIAS_MAX];

	ck_assert_uint_eq(biases(&one[0], 1, bias), 1);
	ck_assert_uint_eq(bias[0], 0);
	ck_assert_uint_eq(biases(&one[1], 1, bias), 1);
	ck_assert_uint_eq(bias[0], BIAS);
	ck_assert_uint_eq(biases(&one[2], 1, bias), 1);
	ck_assert_uint_eq(bias[0], BIAS);
	for (size_t i = 3; i < ARRAY_SIZE(one); i++)
		ck_assert_uint_eq(biases(&one[i], 1, bias), 0);
	endless[1].filesz = UINT64_MAX;
	ck_assert_uint_eq(bias_find(endless, 2, &one[0], 1, bias, BIAS_MAX), 0);
}
END_TEST

/*
 * Where a page of the text lies at other addresses as well, before the library: any number of them.
 */
START_TEST(bias_that_the_mappings_agree_in)
{
	enum { TRAMPOLINES = 300 };
	struct mapping maps[TRAMPOLINES + 4] = {};
	uint64_t bias[BIAS_MAX];
	size_t n = 0;

	for (; n < TRAMPOLINES; n++)
		maps[n] = (struct mapping){ .start = 0x10000000 + n * 0x3000,
					    .end = 0x10001000 + n * 0x3000,
					    .offset = 0x5000,
					    .exec = true };
	maps[n++] = (struct mapping){ .start = BIAS + 0x400000, .end = BIAS + 0x402000 };
	maps[n++] = (struct mapping)TEXT(BIAS);
	maps[n++] = (struct mapping){ .start = BIAS + 0x40a000,
				      .end = BIAS + 0x40b000,
				      .offset = 0x8000 };
	maps[n++] = (struct mapping)DATA(BIAS);
	ck_assert_uint_eq(biases(maps, n, bias), 1);
	ck_assert_uint_eq(bias[0], BIAS);
	/* the text is not the file's any more (huge pages) */
	maps[TRAMPOLINES + 1] = maps[TRAMPOLINES];
	ck_assert_uint_eq(biases(maps, n, bias), 1);
	ck_assert_uint_eq(bias[0], BIAS);
	/* nor the data: what most agree in */
	ck_assert_uint_ge(biases(maps + TRAMPOLINES - 3, 6, bias), 1);
	ck_assert_uint_eq(bias[0], BIAS);
}
END_TEST

/* dlmopen() loads a library once more. */
START_TEST(biases_of_two_loads)
{
	static const struct mapping maps[] = { TEXT(BIAS), DATA(BIAS), TEXT(2 * BIAS),
					       DATA(2 * BIAS), TEXT(3 * BIAS) };
	uint64_t bias[BIAS_MAX];

	ck_assert_uint_eq(biases(maps, ARRAY_SIZE(maps), bias), 2);
	ck_assert_uint_eq(bias[0], BIAS);
	ck_assert_uint_eq(bias[1], 2 * BIAS);
}
END_TEST

START_TEST(prints_versions)
{
	static const struct {
		uint32_t hexversion;
		const char *text;
	} rows[] = { { 0, "" },
		     { 0x030d00f0, "3.13.0" },
		     { 0x030d00c2, "3.13.0rc2" },
		     { 0x030f00a7, "3.15.0a7" },
		     { 0x03080000, "3.8" },
		     { 0x020712f0, "2.7.18" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[32];

		version_print(rows[i].hexversion, text, sizeof(text));
		ck_assert_str_eq(text, rows[i].text);
	}
}
END_TEST

CHECK_MAIN("python/binary", finds_interpreters_by_either_hash, finds_the_version_of_older_ones,
	   finds_the_root_of_2_7_and_3_6, file_name_is_the_last_hint, tells_pypy_and_others,
	   what_only_links_is_not_it, truncated_and_damaged_files, bias_from_one_mapping,
	   bias_that_the_mappings_agree_in, biases_of_two_loads, prints_versions);
