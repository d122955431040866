/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "plop/limits.h"
#include "proc/process.h"
#include "python/python.h"

/* A target's memory: a code object, its file, its name and its line table. */
#define BASE  0x7f0000000000ull
#define CODE  (BASE + 0x100)
#define FILE_ (BASE + 0x400)
#define NAME  (BASE + 0x800)
#define TABLE (BASE + 0xc00)
#define SIZE  0x1000

struct target {
	uint8_t memory[SIZE];
	struct reader_bytes bytes;
	struct reader r;
	struct plop_layout l;
};

static void put(struct target *t, uint64_t address, uint64_t v, size_t size)
{
	memcpy(t->memory + (address - BASE), &v, size);
}

static void put_ascii(struct target *t, uint64_t address, const char *s)
{
	put(t, address + 8, 0x5555, 8);
	put(t, address + t->l.str_length, strlen(s), 8);
	/* 2.7 has ob_sstate there, here SSTATE_INTERNED_MORTAL */
	put(t, address + t->l.str_state,
	    t->l.str_state_set ? 1 : 1u << t->l.str_kind_shift | 3u << (t->l.str_kind_shift + 3),
	    4);
	memcpy(t->memory + (address - BASE) + t->l.str_ascii_data, s, strlen(s));
}

static void setup(struct target *t, uint32_t hexversion)
{
	memset(t, 0, sizeof(*t));
	t->bytes = (struct reader_bytes){ .data = t->memory, .size = SIZE, .base = BASE };
	t->r = bytes_reader(&t->bytes);
	ck_assert_int_eq(layout_by_version(hexversion, &t->l), 0);
	put(t, CODE + 8, 0x4444, 8);
	put(t, CODE + t->l.code_argcount, 2, 4);
	put(t, CODE + t->l.code_firstlineno, 30, 4);
	put(t, CODE + t->l.code_filename, FILE_, 8);
	put(t, CODE + t->l.code_name, NAME, 8);
	if (t->l.code_qualname)
		put(t, CODE + t->l.code_qualname, NAME, 8);
	put(t, CODE + t->l.code_linetable, TABLE, 8);
	put_ascii(t, FILE_, "/srv/app.py");
	put_ascii(t, NAME, "Shop.sell");
	put(t, TABLE + t->l.bytes_size, 4, 8);
	put(t, TABLE + t->l.bytes_data, 0x0200fff0, 4);
}

static int read_code(struct target *t)
{
	struct code_object *c = NULL;
	uint32_t fingerprint = 0;
	int r = code_object_read(&t->r, &t->l, CODE, &c, &fingerprint);

	ck_assert((r == 0) == (c != NULL) && (r == 0) == (fingerprint != 0));
	code_object_unref(c);
	return r;
}

START_TEST(reads_all_generations)
{
	static const uint16_t versions[] = { 0x0207, 0x0306, 0x0307, 0x0308,
					     0x0309, 0x030a, 0x030b, 0x030c };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct code_object *c;
		uint32_t fingerprint, only;
		struct target t;

		setup(&t, (uint32_t)versions[i] << 16 | 0xf0);
		ck_assert_int_eq(code_object_read(&t.r, &t.l, CODE, &c, &fingerprint), 0);
		ck_assert_str_eq(c->file, "/srv/app.py");
		ck_assert_str_eq(c->name, "Shop.sell");
		ck_assert_int_eq(c->firstlineno, 30);
		ck_assert_uint_eq(c->version, versions[i]);
		ck_assert_uint_eq(c->linetable_size, 4);
		ck_assert_mem_eq(c->linetable, "\xf0\xff\0\x02", 4);
		ck_assert(!c->linetable_cut && !c->name_cut);
		ck_assert_int_eq(code_object_fingerprint(&t.r, &t.l, CODE, &only), 0);
		ck_assert_uint_eq(fingerprint, only);
		ck_assert_ptr_eq(code_object_ref(c), c);
		code_object_unref(c);
		code_object_unref(c);
	}
}
END_TEST

/* Bytes: UTF-8 where it is, cut by their number. */
START_TEST(names_of_2_7)
{
	struct python_string file = {
		.data = "/\xc3\xa9\xff\n", .bytes = 5, .length = 5, .kind = 1, .ascii = true
	};
	struct code_object *c;
	uint32_t fingerprint;
	struct target t;

	setup(&t, 0x020712f0);
	put_ascii(&t, FILE_, "/\xd1\x84.py");
	ck_assert_int_eq(code_object_read(&t.r, &t.l, CODE, &c, &fingerprint), 0);
	ck_assert_str_eq(c->file, "/\xd1\x84.py");
	code_object_unref(c);
	ck_assert_int_eq(code_object_new(&t.l, 7, &file, &file, NULL, 0, 0, &c), 0);
	ck_assert_str_eq(c->file, "/\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
	ck_assert(!c->name_cut);
	code_object_unref(c);
	file.length = 9;
	ck_assert_int_eq(code_object_new(&t.l, 7, &file, &file, NULL, 0, 0, &c), 0);
	ck_assert(c->name_cut);
	ck_assert_str_eq(c->name, "/\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xe2\x80\xa6");
	code_object_unref(c);
}
END_TEST

/*
 * An instance of a subclass of str, in two bytes: its type is its own, and its characters lie
 * elsewhere.
 */
static void put_subclass(struct target *t, uint64_t address, uint64_t characters)
{
	put(t, address + 8, 0x6666, 8);
	put(t, address + t->l.str_length, 2, 8);
	put(t, address + t->l.str_state, 2u << t->l.str_kind_shift, 4);
	put(t, address + t->l.str_compact_data, characters, 8);
}

START_TEST(names_of_a_subclass)
{
	static const uint32_t versions[] = { 0x030600f0, 0x030b00f0, 0x030c00f0 };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct code_object *c;
		uint32_t fingerprint;
		struct target t;

		setup(&t, versions[i]);
		put_subclass(&t, FILE_, FILE_ + 0x100);
		put(&t, FILE_ + 0x100, 0x672c65e5, 4);
		ck_assert_int_eq(code_object_read(&t.r, &t.l, CODE, &c, &fingerprint), 0);
		ck_assert_str_eq(c->file, "\xe6\x97\xa5\xe6\x9c\xac");
		ck_assert_str_eq(c->name, "Shop.sell");
		code_object_unref(c);
		put_subclass(&t, FILE_, BASE + SIZE);
		ck_assert_int_eq(read_code(&t), -EFAULT);
		put_subclass(&t, FILE_, 0);
		ck_assert_int_eq(read_code(&t), -EFAULT);
	}
}
END_TEST

START_TEST(check_tells_objects_apart)
{
	struct target t;
	uint32_t a, b;

	setup(&t, 0x030c00f0);
	ck_assert_int_eq(code_object_fingerprint(&t.r, &t.l, CODE, &a), 0);
	put(&t, CODE + t.l.code_firstlineno, 31, 4);
	ck_assert_int_eq(code_object_fingerprint(&t.r, &t.l, CODE, &b), 0);
	ck_assert_uint_ne(a, b);
	put(&t, CODE + t.l.code_firstlineno, 30, 4);
	/* Outside of the region: co_consts before, co_weakreflist behind. */
	put(&t, CODE + 24, 0x77, 8);
	put(&t, CODE + 144, 0x77, 8);
	ck_assert_int_eq(code_object_fingerprint(&t.r, &t.l, CODE, &b), 0);
	ck_assert_uint_eq(a, b);
}
END_TEST

START_TEST(refuses_what_is_no_code_object)
{
	struct target t;

#define REFUSES(offset, value, size, error)                                              \
	do {                                                                             \
		setup(&t, 0x030c00f0);                                                   \
		put(&t, offset, value, size);                                            \
		ck_assert_msg(read_code(&t) == (error), #offset " " #value " accepted"); \
	} while (0)
	REFUSES(CODE + t.l.code_argcount, UINT32_MAX, 4, -EBADMSG);
	REFUSES(CODE + t.l.code_firstlineno, UINT32_MAX - 5, 4, -EBADMSG);
	REFUSES(CODE + t.l.code_flags, UINT32_MAX, 4, -EBADMSG);
	REFUSES(CODE + t.l.code_filename, 0, 8, -EBADMSG);
	REFUSES(CODE + t.l.code_filename, FILE_ + 1, 8, -EBADMSG);
	REFUSES(CODE + t.l.code_filename, UINT64_MAX & ~7ull, 8, -EBADMSG);
	REFUSES(CODE + t.l.code_filename, BASE + SIZE, 8, -EFAULT);
	REFUSES(CODE + t.l.code_qualname, BASE - 4096, 8, -EFAULT);
	/* A line table or the object itself in a name's place: of another type. */
	REFUSES(CODE + t.l.code_qualname, TABLE, 8, -EBADMSG);
	REFUSES(CODE + t.l.code_qualname, CODE, 8, -EBADMSG);
	REFUSES(NAME + 8, 0x6666, 8, -EBADMSG);
	REFUSES(NAME + t.l.str_state, 0, 4, -EBADMSG);
	REFUSES(NAME + t.l.str_length, UINT64_MAX, 8, -EBADMSG);
	REFUSES(NAME + t.l.str_length, INT64_MAX, 8, -EFAULT);
	REFUSES(TABLE + t.l.bytes_size, UINT64_MAX, 8, -EBADMSG);
	REFUSES(TABLE + t.l.bytes_size, INT64_MAX, 8, -EFAULT);
	REFUSES(CODE + t.l.code_linetable, 8, 8, -EBADMSG);
#undef REFUSES
}
END_TEST

START_TEST(refuses_bad_addresses)
{
	static const uint64_t bad[] = { 0, 8, CODE + 1, UINT64_MAX & ~7ull };
	struct code_object *c = NULL;
	struct target t;
	uint32_t fingerprint;

	setup(&t, 0x030c00f0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(code_object_read(&t.r, &t.l, bad[i], &c, &fingerprint), -EBADMSG);
		ck_assert_int_eq(code_object_fingerprint(&t.r, &t.l, bad[i], &fingerprint),
				 -EBADMSG);
	}
	ck_assert_int_eq(code_object_read(&t.r, &t.l, BASE + SIZE - 8, &c, &fingerprint), -EFAULT);
	t.l.code_len = 4096;
	ck_assert_int_eq(code_object_read(&t.r, &t.l, CODE, &c, &fingerprint), -EBADMSG);
	ck_assert_ptr_null(c);
}
END_TEST

/* A reader whose target reuses the object's memory after it was first read. */
struct changing {
	struct target *t;
	int reads;
};

static int changing_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct changing *c = ctx;

	if (++c->reads == 4)
		put(c->t, CODE + c->t->l.code_firstlineno, 99, 4);
	return reader_read(&c->t->r, address, buffer, size);
}

START_TEST(notices_a_successor)
{
	struct target t;
	struct changing ctx = { .t = &t };
	struct reader r = { .read = changing_read, .ctx = &ctx };
	struct code_object *c = NULL;
	uint32_t fingerprint;

	setup(&t, 0x030b00f0);
	ck_assert_int_eq(code_object_read(&r, &t.l, CODE, &c, &fingerprint), -EBADMSG);
	ck_assert_int_gt(ctx.reads, 4);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(made_of_captured_pieces)
{
	struct python_string file = {
		.data = "/a.py", .bytes = 5, .length = 5, .kind = 1, .ascii = true
	};
	struct python_string name = {
		.data = "abc", .bytes = 3, .length = 9, .kind = 1, .ascii = true
	};
	struct code_object *c;
	struct target t;

	setup(&t, 0x030a00f0);
	ck_assert_int_eq(code_object_new(&t.l, 7, &file, &name, "\2\1", 2, 10, &c), 0);
	ck_assert_str_eq(c->name, "abc\xe2\x80\xa6");
	ck_assert(c->name_cut && c->linetable_cut);
	ck_assert_uint_eq(c->linetable_size, 2);
	code_object_unref(c);
	/* More captured than there is, nothing captured, and a table beyond every maximum. */
	ck_assert_int_eq(code_object_new(&t.l, 7, &file, &file, "\2\1\0\0", 4, 2, &c), 0);
	ck_assert(!c->name_cut && !c->linetable_cut && c->linetable_size == 2);
	code_object_unref(c);
	ck_assert_int_eq(code_object_new(&t.l, 7, &file, &file, NULL, 0, UINT64_MAX, &c), 0);
	ck_assert(c->linetable_cut && c->linetable_size == 0);
	code_object_unref(c);
	file.kind = 9;
	ck_assert_int_eq(code_object_new(&t.l, 7, &file, &name, NULL, 0, 0, &c), -EBADMSG);
	code_object_unref(NULL);
}
END_TEST

/*
 * The line table that all functions of a program have that Nuitka compiled, and what only looks
 * like it.
 */
START_TEST(compiled_code)
{
	static const char table[] = "\x80\x00\x94\x3c\xd0\x20\x41\xd3\x13\x42\xd0\x0d\x42",
			  longer[] = "\x81\x00\x94\x3c\xd0\x20\x41\xd3\x13\x42\xd0\x0d\x42",
			  other[] = "\x80\x00\x94\x3c\xd0\x20\x41\xd3\x13\x42\xd0\x0d\x43";
	static const struct {
		const char *table;
		size_t captured, size;
		uint16_t since; /* the first version in which it tells of compiled code */
	} rows[] = {
		{ table, sizeof(table) - 1, sizeof(table) - 1, 0x030c },
		{ longer, sizeof(longer) - 1, sizeof(longer) - 1, 0x030c },
		{ other, sizeof(other) - 1, sizeof(other) - 1, UINT16_MAX },
		{ table, sizeof(table) - 2, sizeof(table) - 2, UINT16_MAX },
		{ table, sizeof(table) - 1, sizeof(table), UINT16_MAX },
		{ "", 0, 0, 0x030a },
		{ "", 0, 1, UINT16_MAX },
	};
	static const uint16_t versions[] = { 0x0207, 0x0309, 0x030a, 0x030b, 0x030c };
	const struct python_string name = {
		.data = "f", .bytes = 1, .length = 1, .kind = 1, .ascii = true
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(versions); i++) {
		uint16_t version = versions[i % ARRAY_SIZE(versions)];
		size_t row = i / ARRAY_SIZE(versions);
		struct code_object *c;
		struct plop_layout l;

		ck_assert_int_eq(layout_by_version((uint32_t)version << 16 | 0xf0, &l), 0);
		ck_assert_int_eq(code_object_new(&l, 7, &name, &name, rows[row].table,
						 rows[row].captured, rows[row].size, &c),
				 0);
		ck_assert_int_eq(c->compiled, version >= rows[row].since);
		if (c->compiled)
			ck_assert_int_eq(code_object_line(c, l.code_bytecode, l.code_bytecode), 0);
		code_object_unref(c);
	}
}
END_TEST

START_TEST(names_without_addresses)
{
	static const char text[] = "<made(f) at 0x7f3c5e0c1f80>";
	struct code_object *c;
	uint32_t fingerprint;
	struct target t;

	setup(&t, 0x030c00f0);
	put_ascii(&t, FILE_, text);
	put_ascii(&t, NAME, "f.<locals>.<g at 0x5581a0>");
	ck_assert_int_eq(code_object_read(&t.r, &t.l, CODE, &c, &fingerprint), 0);
	ck_assert_str_eq(c->file, "<made(f)>");
	ck_assert_str_eq(c->name, "f.<locals>.<g>");
	code_object_unref(c);
}
END_TEST

/*
 * What a thread of free-threaded 3.14 runs: 20 bytes of bytecode at the object's end, or one of
 * three copies.
 */
START_TEST(copies_of_bytecode)
{
	const uint64_t array = BASE + 0xe00, above = CODE + 0x10000, below = CODE - 0x20000;
	struct python_string s = { .data = "f", .bytes = 1, .length = 1, .kind = 1, .ascii = true };
	struct code_object *c;
	struct target t;
	uint32_t fingerprint;
	int64_t lasti;

#define FINDS(instr) code_object_find_copy(&t.r, &t.l, CODE, fingerprint, (uint32_t)(instr), c)
#define LASTI(instr) code_object_lasti(c, (uint32_t)(instr), t.l.code_bytecode, &lasti)
	setup(&t, 0x030c00f0);
	t.l.free_threaded = 1;
	t.l.code_tlbc = t.l.code_linetable + 16;
	put(&t, CODE + 32, 10, 8);
	put(&t, CODE + t.l.code_tlbc, array, 8);
	put(&t, array, 4, 8);
	put(&t, array + 8, CODE + t.l.code_bytecode, 8);
	put(&t, array + 24, above, 8);
	ck_assert_int_eq(code_object_fingerprint(&t.r, &t.l, CODE, &fingerprint), 0);
	ck_assert_int_eq(code_object_new(&t.l, 7, &s, &s, NULL, 0, 0, &c), 0);
	ck_assert(c->copied);
	/* Before anything was read: the object's own is known, what lies before it is not. */
	ck_assert_int_eq(LASTI(t.l.code_bytecode + 6), 0);
	ck_assert_int_eq(lasti, 6);
	ck_assert_int_eq(LASTI(below - CODE), -ENOENT);
	ck_assert_int_eq(FINDS(t.l.code_bytecode + 18), 0);
	ck_assert_int_eq(FINDS(above - CODE + 18), 0);
	ck_assert_uint_eq(c->ncopies, 1);
	ck_assert_int_eq(LASTI(above - CODE + 18), 0);
	ck_assert_int_eq(lasti, 18);
	/* One byte beyond either. */
	ck_assert_int_eq(FINDS(above - CODE + 20), -ENOENT);
	ck_assert_int_eq(LASTI(above - CODE + 20), -ENOENT);
	ck_assert_int_eq(LASTI(t.l.code_bytecode + 20), -ENOENT);
	/* One that is made later. */
	ck_assert_int_eq(FINDS(below - CODE), -ENOENT);
	put(&t, array + 32, below, 8);
	ck_assert_int_eq(FINDS(below - CODE), 0);
	ck_assert_int_eq(LASTI(below - CODE), 0);
	ck_assert_int_eq(lasti, 0);
	/* A successor's copies are not taken, a wild array and one without end are survived. */
	put(&t, array + 16, below - 4096, 8);
	fingerprint++;
	ck_assert_int_eq(FINDS(below - 4096 - CODE), -EBADMSG);
	fingerprint--;
	put(&t, array, UINT64_MAX, 8);
	ck_assert_int_eq(FINDS(above - CODE + 4000), -EFAULT);
	put(&t, CODE + t.l.code_tlbc, 3, 8);
	ck_assert_int_eq(FINDS(above - CODE + 4000), -EBADMSG);
	ck_assert_uint_eq(c->ncopies, 2);
	code_object_unref(c);
#undef FINDS
#undef LASTI
}
END_TEST

/* A thousand threads come and go. */
START_TEST(copies_are_bounded)
{
	struct python_string s = { .data = "f", .bytes = 1, .length = 1, .kind = 1, .ascii = true };
	const uint64_t array = BASE + 0xe00;
	struct code_object *c;
	struct target t;
	uint32_t fingerprint;
	int64_t lasti;

	setup(&t, 0x030c00f0);
	t.l.free_threaded = 1;
	t.l.code_tlbc = t.l.code_linetable + 16;
	put(&t, CODE + 32, 10, 8);
	put(&t, CODE + t.l.code_tlbc, array, 8);
	put(&t, array, 1, 8);
	ck_assert_int_eq(code_object_fingerprint(&t.r, &t.l, CODE, &fingerprint), 0);
	ck_assert_int_eq(code_object_new(&t.l, 7, &s, &s, NULL, 0, 0, &c), 0);
	for (uint32_t i = 1; i <= 1000; i++) {
		put(&t, array + 8, CODE + i * 4096, 8);
		ck_assert_int_eq(
			code_object_find_copy(&t.r, &t.l, CODE, fingerprint, i * 4096 + 2, c), 0);
		ck_assert_int_eq(code_object_lasti(c, i * 4096 + 2, t.l.code_bytecode, &lasti), 0);
		ck_assert_int_eq(lasti, 2);
	}
	ck_assert_uint_eq(c->ncopies, 64);
	code_object_unref(c);
}
END_TEST

CHECK_MAIN("python/code", reads_all_generations, names_of_2_7, names_of_a_subclass,
	   check_tells_objects_apart, refuses_what_is_no_code_object, refuses_bad_addresses,
	   notices_a_successor, made_of_captured_pieces, compiled_code, names_without_addresses,
	   copies_of_bytecode, copies_are_bounded);
