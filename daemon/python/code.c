/* SPDX-License-Identifier: BSD-2-Clause */
#include "plop/limits.h"
#include "python/code_pool.h"
#include "python/object.h"

/* PyCodeObject without its bytecode, as far as layout_check() lets code_len go. */
#define CODE_HEAD_MAX 512

struct code_object *code_object_synthetic(const char *name)
{
	struct code_object *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->refs = 1;
	c->file = strdup("");
	c->name = strdup(name);
	if (!c->file || !c->name) {
		code_object_unref(c);
		return NULL;
	}
	return c;
}

struct code_object *code_object_ref(struct code_object *c)
{
	c->refs++;
	return c;
}

void code_object_unref(struct code_object *c)
{
	if (!c || --c->refs > 0)
		return;
	code_pool_leave(c);
	free(c->file);
	free(c->name);
	free(c->linetable);
	free(c->copies);
	free(c);
}

/*
 * Nuitka's functions have frames with a code object, but run as machine code: all code objects of a
 * program have the line table of one function of its own making, "def empty(): raise
 * RuntimeError('Compiled function bytecode used')", from 3.12 on; in 3.10 and 3.11 an empty one
 * (Nuitka 2.8, build/static_src/CompiledFrameType.c), which CPython's compiler never makes. Before,
 * an empty one says nothing.
 */
static bool is_compiled(const struct code_object *c)
{
	/*
	 * all on the first line: RESUME, then the columns of the parts of that text; 3.15's RESUME
	 * is one unit longer
	 */
	static const uint8_t table[] = { 0x80, 0x00, 0x94, 0x3c, 0xd0, 0x20, 0x41,
					 0xd3, 0x13, 0x42, 0xd0, 0x0d, 0x42 };

	if (c->version < 0x030a || c->linetable_cut)
		return false;
	if (c->linetable_size == 0)
		return true;
	return c->version >= 0x030c && c->linetable_size == sizeof(table) &&
	       (c->linetable[0] & 0xf8) == table[0] &&
	       memcmp(c->linetable + 1, table + 1, sizeof(table) - 1) == 0;
}

int code_object_new(const struct plop_layout *l, int firstlineno, const struct python_string *file,
		    const struct python_string *name, const void *linetable,
		    size_t linetable_captured, uint64_t linetable_size, struct code_object **ret)
{
	_cleanup_(code_object_unrefp) struct code_object *c = calloc(1, sizeof(*c));
	size_t size = (size_t)MIN((uint64_t)linetable_captured, linetable_size);
	bool file_cut, name_cut;
	int r;

	if (!c)
		return -ENOMEM;
	c->refs = 1;
	c->firstlineno = firstlineno;
	c->version = l->version;
	c->copied = l->code_tlbc != 0;
	size = MIN(size, (size_t)PLOP_MAX_LINETABLE);
	c->linetable = malloc(size ? size : 1);
	if (!c->linetable)
		return -ENOMEM;
	if (size > 0)
		memcpy(c->linetable, linetable, size);
	c->linetable_size = (uint32_t)size;
	c->linetable_cut = size < linetable_size;
	c->compiled = is_compiled(c);
	r = python_string_text(l, file, PLOP_MAX_FILE_CHARS, &c->file, &file_cut);
	if (r < 0)
		return r;
	r = python_string_text(l, name, PLOP_MAX_NAME_CHARS, &c->name, &name_cut);
	if (r < 0)
		return r;
	c->name_cut = file_cut || name_cut;
	python_name_settle(c->file);
	python_name_settle(c->name);
	*ret = TAKE_PTR(c);
	return 0;
}

/* Reads a bytes object, at most PLOP_MAX_LINETABLE of it. ret_size: its whole size. */
static int read_bytes(const struct reader *memory, const struct plop_layout *l, uint64_t address,
		      uint8_t **data, size_t *ret_captured, uint64_t *ret_size)
{
	uint64_t size;
	size_t captured;
	int r;

	if (!object_is_address(address))
		return -EBADMSG;
	r = reader_u64(memory, address + l->bytes_size, &size);
	if (r < 0)
		return r;
	if (size > INT64_MAX)
		return -EBADMSG;
	captured = (size_t)MIN(size, (uint64_t)PLOP_MAX_LINETABLE);
	*data = malloc(captured ? captured : 1);
	if (!*data)
		return -ENOMEM;
	r = reader_read(memory, address + l->bytes_data, *data, captured);
	if (r < 0)
		return r;
	*ret_captured = captured;
	*ret_size = size;
	return 0;
}

/* Counts and flags that no code object can have. */
static bool head_ok(const struct plop_layout *l, const uint8_t *head)
{
	int32_t argcount = (int32_t)object_u32(head, l->code_argcount);
	int32_t firstlineno = (int32_t)object_u32(head, l->code_firstlineno);

	return argcount >= 0 && firstlineno >= -1 && object_u32(head, l->code_flags) <= INT32_MAX;
}

/*
 * A reader that has read ahead: a call into the kernel costs more than what it copies, so the
 * beginnings of the names and of the line table, and what the fingerprint is made of after them,
 * are read in one. What lies beyond is read when it is asked for.
 */
#define AHEAD_PARTS 3
#define AHEAD_SIZE  256

struct ahead {
	const struct reader *r;
	struct {
		uint64_t address;
		uint8_t bytes[AHEAD_SIZE];
	} parts[AHEAD_PARTS];
	uint64_t object; /* where the bytes for the fingerprint are */
	uint8_t fingerprint[PLOP_FINGERPRINT_MAX];
	size_t fingerprint_len;
	bool filled;
	bool missed; /* something was read later than the fingerprint */
};

static bool ahead_has(uint64_t from, const uint8_t *bytes, size_t have, uint64_t address,
		      void *buffer, size_t size)
{
	if (address < from || address - from > have || size > have - (address - from))
		return false;
	memcpy(buffer, bytes + (address - from), size);
	return true;
}

static int ahead_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct ahead *a = ctx;

	if (a->filled &&
	    ahead_has(a->object, a->fingerprint, a->fingerprint_len, address, buffer, size))
		return 0;
	for (size_t i = 0; a->filled && i < AHEAD_PARTS; i++) {
		if (ahead_has(a->parts[i].address, a->parts[i].bytes, AHEAD_SIZE, address, buffer,
			      size))
			return 0;
	}
	a->missed = true;
	return reader_read(a->r, address, buffer, size);
}

static void ahead_fill(struct ahead *a, const struct plop_layout *l, uint64_t address,
		       const uint8_t *head)
{
	const uint16_t fields[AHEAD_PARTS] = { l->code_filename,
					       plop_text_pointer(l, PLOP_TEXT_NAME),
					       l->code_linetable };
	struct reader_part parts[AHEAD_PARTS + 1];

	for (size_t i = 0; i < AHEAD_PARTS; i++) {
		a->parts[i].address = object_u64(head, fields[i]);
		if (!object_is_address(a->parts[i].address))
			return;
		parts[i] = (struct reader_part){ a->parts[i].address, a->parts[i].bytes, AHEAD_SIZE,
						 0 };
	}
	a->object = address + l->code_fingerprint;
	a->fingerprint_len = l->code_fingerprint_len;
	parts[AHEAD_PARTS] =
		(struct reader_part){ a->object, a->fingerprint, a->fingerprint_len, 0 };
	/* Where a page is missing behind one of them, each is read alone. */
	a->filled = reader_read_parts(a->r, parts, ARRAY_SIZE(parts)) == 0;
}

int code_object_read(const struct reader *memory, const struct plop_layout *l, uint64_t address,
		     struct code_object **ret, uint32_t *ret_fingerprint)
{
	_cleanup_(code_object_unrefp) struct code_object *c = NULL;
	_cleanup_free_ char *file_data = NULL, *name_data = NULL;
	_cleanup_free_ uint8_t *table = NULL;
	struct ahead ahead = { .r = memory };
	const struct reader near = { .read = ahead_read, .ctx = &ahead };
	struct python_string file, name;
	uint64_t type, file_type, name_type, table_size, name_address;
	uint8_t head[CODE_HEAD_MAX];
	uint32_t fingerprint, again;
	size_t captured;
	int r;

	if (!object_is_address(address) || layout_check(l) < 0)
		return -EBADMSG;
	r = reader_read(memory, address, head, l->code_len);
	if (r < 0)
		return r;
	if (!head_ok(l, head))
		return -EBADMSG;
	ahead_fill(&ahead, l, address, head);
	r = code_object_fingerprint(&near, l, address, &fingerprint);
	if (r < 0)
		return r;
	/* the pointers that were followed are not those of the object that is checked */
	if (ahead.filled &&
	    memcmp(head + l->code_fingerprint, ahead.fingerprint, ahead.fingerprint_len) != 0)
		return -EBADMSG;
	name_address = object_u64(head, plop_text_pointer(l, PLOP_TEXT_NAME));
	r = python_string_read(&near, l, object_u64(head, l->code_filename), PLOP_MAX_FILE_CHARS,
			       &file, &file_data, &file_type);
	if (r < 0)
		return r;
	r = python_string_read(&near, l, name_address, PLOP_MAX_NAME_CHARS, &name, &name_data,
			       &name_type);
	if (r < 0)
		return r;
	type = object_u64(head, object_type_at(l));
	/* Both are strs, and a code object is none. */
	if ((file_type && name_type && file_type != name_type) || file_type == type ||
	    name_type == type)
		return -EBADMSG;
	r = read_bytes(&near, l, object_u64(head, l->code_linetable), &table, &captured,
		       &table_size);
	if (r < 0)
		return r;
	r = code_object_new(l, (int)object_u32(head, l->code_firstlineno), &file, &name, table,
			    captured, table_size, &c);
	if (r < 0)
		return r;
	/*
	 * Had the object gone and another come meanwhile, its names and table might belong to two.
	 * Not so where all of it came in the one reading that the fingerprint was made from.
	 */
	if (ahead.missed || !ahead.filled) {
		r = code_object_fingerprint(memory, l, address, &again);
		if (r < 0)
			return r;
		if (again != fingerprint)
			return -EBADMSG;
	}
	*ret = TAKE_PTR(c);
	*ret_fingerprint = fingerprint;
	return 0;
}

/*
 * Copies remembered for a code object, and entries of co_tlbc looked at: one for each thread there
 * was at a time.
 */
#define COPIES_MAX  64
#define ENTRIES_MAX 8192

static bool copy_known(const struct code_object *c, uint32_t instr)
{
	for (uint32_t i = 0; i < c->ncopies; i++) {
		if (instr - c->copies[i] < c->bytecode_size)
			return true;
	}
	return false;
}

bool code_object_has_copy(const struct code_object *c, uint32_t instr, const struct plop_layout *l)
{
	return c->bytecode_size &&
	       (instr - l->code_bytecode < c->bytecode_size || copy_known(c, instr));
}

/* The oldest makes room for the newest. */
static int copy_add(struct code_object *c, uint32_t at)
{
	if (!c->copies) {
		c->copies = calloc(COPIES_MAX, sizeof(*c->copies));
		if (!c->copies)
			return -ENOMEM;
	}
	c->copies[c->next_copy] = at;
	c->next_copy = (uint8_t)((c->next_copy + 1) % COPIES_MAX);
	if (c->ncopies < COPIES_MAX)
		c->ncopies++;
	return 0;
}

/* ob_size counts code units of two bytes; it stands behind ob_type. */
static int read_bytecode_size(const struct reader *memory, const struct plop_layout *l,
			      uint64_t address, struct code_object *c)
{
	uint64_t units;
	int r = reader_u64(memory, address + object_type_at(l) + 8, &units);

	if (r < 0)
		return r;
	if (units == 0 || units > 1u << 24)
		return -EBADMSG;
	c->bytecode_size = (uint32_t)units * 2;
	return 0;
}

/*
 * struct _PyCodeArray, cpython/code.h of 3.14: a count, then as many pointers to bytecode, the
 * first to the object's own.
 */
static int search_copies(const struct reader *memory, uint64_t array, uint64_t address,
			 uint32_t instr, uint32_t size, uint32_t *ret_at)
{
	uint64_t entries[64], count;
	int r = object_is_address(array) ? reader_u64(memory, array, &count) : -EBADMSG;

	if (r < 0)
		return r;
	count = MIN(count, (uint64_t)ENTRIES_MAX);
	for (uint64_t i = 0; i < count; i += ARRAY_SIZE(entries)) {
		size_t n = (size_t)MIN(count - i, (uint64_t)ARRAY_SIZE(entries));

		r = reader_read(memory, array + 8 + i * 8, entries, n * 8);
		if (r < 0)
			return r;
		for (size_t j = 0; j < n; j++) {
			uint32_t at = (uint32_t)(entries[j] - address);

			if (entries[j] && instr - at < size) {
				*ret_at = at;
				return 0;
			}
		}
	}
	return -ENOENT;
}

int code_object_find_copy(const struct reader *memory, const struct plop_layout *l,
			  uint64_t address, uint32_t fingerprint, uint32_t instr,
			  struct code_object *c)
{
	uint32_t now, at;
	uint64_t array;
	int r;

	if (!l->code_tlbc || !object_is_address(address))
		return -EBADMSG;
	if (!c->bytecode_size) {
		r = read_bytecode_size(memory, l, address, c);
		if (r < 0)
			return r;
	}
	if (instr - l->code_bytecode < c->bytecode_size || copy_known(c, instr))
		return 0;
	r = reader_u64(memory, address + l->code_tlbc, &array);
	if (r < 0)
		return r;
	r = search_copies(memory, array, address, instr, c->bytecode_size, &at);
	if (r < 0)
		return r;
	/* Had another object come to this address, the copies would be its own. */
	r = code_object_fingerprint(memory, l, address, &now);
	if (r < 0)
		return r;
	return now == fingerprint ? copy_add(c, at) : -EBADMSG;
}

int code_object_lasti(const struct code_object *c, uint32_t instr, uint16_t bytecode, int64_t *ret)
{
	int32_t own = (int32_t)(instr - bytecode);

	for (uint32_t i = 0; i < c->ncopies; i++) {
		if (instr - c->copies[i] < c->bytecode_size) {
			*ret = instr - c->copies[i];
			return 0;
		}
	}
	/* Not in a known copy: its own, or, so far away, nothing that can be told. */
	if (c->copied && (own < 0 || (c->bytecode_size && (uint32_t)own >= c->bytecode_size)))
		return -ENOENT;
	/*
	 * bytecode > 0: instr counts from the code object's start, and one unit before the first is
	 * a valid place
	 */
	*ret = own;
	return 0;
}

int code_object_line(const struct code_object *c, uint32_t instr, uint16_t bytecode)
{
	int64_t lasti;
	int line;

	if (c->compiled || code_object_lasti(c, instr, bytecode, &lasti) < 0)
		return 0;
	if (linetable_lookup(c->version, c->linetable, c->linetable_size, c->linetable_cut,
			     c->firstlineno, lasti, &line) < 0)
		return 0;
	return MAX(line, 0);
}

/*
 * From 3.13 on, a class that is called has a frame of the interpreter's own below that of its
 * __init__: _Py_InitCleanup (Python/specialize.c), which CPython itself shows to nobody. Compiled
 * code never begins on line 0 under that file name.
 */
bool code_object_hidden(const struct code_object *c)
{
	return c->version >= 0x030d && c->firstlineno == 0 && streq(c->file, "__init__") &&
	       streq(c->name, "__init__");
}
