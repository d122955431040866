/* SPDX-License-Identifier: BSD-2-Clause */
#include "plop/limits.h"
#include "proc/text.h"
#include "python/python.h"

/* PyCodeObject without its bytecode, as far as layout_check() lets code_len go. */
#define CODE_HEAD_MAX 512
#define STR_HEAD_MAX  256

struct code_object *code_object_ref(struct code_object *c)
{
	c->refs++;
	return c;
}

void code_object_unref(struct code_object *c)
{
	if (!c || --c->refs > 0)
		return;
	free(c->file);
	free(c->name);
	free(c->linetable);
	free(c);
}

/* 2.7's names are bytes in no stated encoding, on Linux nearly always UTF-8. */
static int decode(const struct plop_layout *l, const struct python_string *s, size_t max_chars,
		  char **ret, bool *ret_cut)
{
	uint64_t n = MIN(s->bytes, max_chars);
	char *text;

	if (l->version >= 0x0300)
		return python_string_decode(s, max_chars, ret, ret_cut);
	n = MIN(n, s->length);
	text = text_sanitize(s->data, (size_t)n);
	if (!text)
		return -ENOMEM;
	*ret = text;
	*ret_cut = n < s->length;
	return 0;
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
	r = decode(l, file, PLOP_MAX_FILE_CHARS, &c->file, &file_cut);
	if (r < 0)
		return r;
	r = decode(l, name, PLOP_MAX_NAME_CHARS, &c->name, &name_cut);
	if (r < 0)
		return r;
	c->name_cut = file_cut || name_cut;
	*ret = TAKE_PTR(c);
	return 0;
}

static uint64_t u64_at(const uint8_t *p, size_t at)
{
	uint64_t v;

	memcpy(&v, p + at, sizeof(v));
	return v;
}

static uint32_t u32_at(const uint8_t *p, size_t at)
{
	uint32_t v;

	memcpy(&v, p + at, sizeof(v));
	return v;
}

/* Objects are at least 8-byte aligned and lie in the lower half of the address space. */
static bool is_object(uint64_t address)
{
	return address >= 4096 && address % 8 == 0 && address < UINT64_C(1) << 56;
}

/* Where an object keeps its type: free-threaded builds have ob_tid, locks and two counts before it. */
static size_t type_offset(const struct plop_layout *l)
{
	return l->free_threaded ? 24 : 8;
}

/* Reads a str. *data: what s points to, owned by the caller. ret_type: the address of its type object. */
static int read_string(const struct reader *r, const struct plop_layout *l, uint64_t address,
		       size_t max_chars, struct python_string *s, char **data, uint64_t *ret_type)
{
	uint8_t head[STR_HEAD_MAX];
	struct python_string t = {};
	size_t bytes;
	int q;

	if (!is_object(address) || l->str_ascii_data < 32 || l->str_ascii_data > sizeof(head))
		return -EBADMSG;
	q = reader_read(r, address, head, l->str_ascii_data);
	if (q < 0)
		return q;
	q = python_string_state(l, u32_at(head, l->str_state), &t.kind, &t.ascii);
	if (q < 0)
		return q;
	t.length = u64_at(head, l->str_length);
	if (t.length > INT64_MAX)
		return -EBADMSG;
	bytes = (size_t)MIN(t.length, (uint64_t)max_chars) * t.kind;
	*data = malloc(bytes ? bytes : 1);
	if (!*data)
		return -ENOMEM;
	q = reader_read(r, address + (t.ascii ? l->str_ascii_data : l->str_compact_data), *data,
			bytes);
	if (q < 0)
		return q;
	t.data = *data;
	t.bytes = bytes;
	*s = t;
	*ret_type = u64_at(head, type_offset(l));
	return 0;
}

/* Reads a bytes object, at most PLOP_MAX_LINETABLE of it. ret_size: its whole size. */
static int read_bytes(const struct reader *r, const struct plop_layout *l, uint64_t address,
		      uint8_t **data, size_t *ret_captured, uint64_t *ret_size)
{
	uint64_t size;
	size_t captured;
	int q;

	if (!is_object(address))
		return -EBADMSG;
	q = reader_u64(r, address + l->bytes_size, &size);
	if (q < 0)
		return q;
	if (size > INT64_MAX)
		return -EBADMSG;
	captured = (size_t)MIN(size, (uint64_t)PLOP_MAX_LINETABLE);
	*data = malloc(captured ? captured : 1);
	if (!*data)
		return -ENOMEM;
	q = reader_read(r, address + l->bytes_data, *data, captured);
	if (q < 0)
		return q;
	*ret_captured = captured;
	*ret_size = size;
	return 0;
}

static uint32_t check_of(const struct plop_layout *l, const uint8_t *bytes)
{
	__u64 words[PLOP_CHECK_MAX / 8];

	memcpy(words, bytes, l->code_check_len);
	return plop_code_check(words, l->code_check_len / 8u);
}

int code_object_check(const struct reader *r, const struct plop_layout *l, uint64_t address,
		      uint32_t *ret_check)
{
	uint8_t bytes[PLOP_CHECK_MAX];
	int q;

	if (!is_object(address) || l->code_check_len > sizeof(bytes))
		return -EBADMSG;
	q = reader_read(r, address + l->code_check, bytes, l->code_check_len);
	if (q < 0)
		return q;
	*ret_check = check_of(l, bytes);
	return 0;
}

/* Counts and flags that no code object can have. */
static bool head_ok(const struct plop_layout *l, const uint8_t *head)
{
	int32_t argcount = (int32_t)u32_at(head, l->code_argcount);
	int32_t firstlineno = (int32_t)u32_at(head, l->code_firstlineno);

	return argcount >= 0 && firstlineno >= -1 && u32_at(head, l->code_flags) <= INT32_MAX;
}

int code_object_read(const struct reader *r, const struct plop_layout *l, uint64_t address,
		     struct code_object **ret, uint32_t *ret_check)
{
	_cleanup_(code_object_unrefp) struct code_object *c = NULL;
	_cleanup_free_ char *file_data = NULL, *name_data = NULL;
	_cleanup_free_ uint8_t *table = NULL;
	struct python_string file, name;
	uint64_t file_type, name_type, table_size, name_address;
	uint8_t head[CODE_HEAD_MAX];
	uint32_t check, again;
	size_t captured;
	int q;

	if (!is_object(address) || layout_check(l) < 0)
		return -EBADMSG;
	q = reader_read(r, address, head, l->code_len);
	if (q < 0)
		return q;
	if (!head_ok(l, head))
		return -EBADMSG;
	check = check_of(l, head + l->code_check);
	name_address = u64_at(head, l->code_qualname ? l->code_qualname : l->code_name);
	q = read_string(r, l, u64_at(head, l->code_filename), PLOP_MAX_FILE_CHARS, &file,
			&file_data, &file_type);
	if (q < 0)
		return q;
	q = read_string(r, l, name_address, PLOP_MAX_NAME_CHARS, &name, &name_data, &name_type);
	if (q < 0)
		return q;
	/* Both are exact strs, and a code object is none. */
	if (file_type != name_type || file_type == u64_at(head, type_offset(l)))
		return -EBADMSG;
	q = read_bytes(r, l, u64_at(head, l->code_linetable), &table, &captured, &table_size);
	if (q < 0)
		return q;
	q = code_object_new(l, (int)u32_at(head, l->code_firstlineno), &file, &name, table,
			    captured, table_size, &c);
	if (q < 0)
		return q;
	/* Had the object gone and another come meanwhile, its names and table might belong to two. */
	q = code_object_check(r, l, address, &again);
	if (q < 0)
		return q;
	if (again != check)
		return -EBADMSG;
	*ret = TAKE_PTR(c);
	*ret_check = check;
	return 0;
}
