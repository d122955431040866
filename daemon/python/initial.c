/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/initial.h"
#include "python/dicts.h"

/* What is looked at: interpreters, variables, arguments, and bytes of each and of all. */
#define INTERPRETERS_MAX 256
#define VARIABLES_MAX    4096
#define ARGUMENTS_MAX    64
#define TEXT_MAX         4096
#define BLOCK_MAX        (64u << 10)

/*
 * Reads the newest interpreter's successor until there is none: the first one, which has the
 * command line.
 */
static int main_interpreter(const struct reader *memory, const struct plop_layout *l,
			    uint64_t runtime, uint64_t *ret)
{
	uint64_t at = 0, next;
	int r = reader_u64(memory, runtime + l->runtime_interpreters_head, &next);

	for (unsigned int i = 0; r >= 0 && next && i < INTERPRETERS_MAX; i++) {
		at = next;
		r = reader_u64(memory, at + l->interp_next, &next);
	}
	if (r < 0)
		return r;
	if (!object_is_address(at) || next)
		return -ENOENT;
	*ret = at;
	return 0;
}

/* Appends a bytes object (2.7: a str), and end. */
static int bytes_append(struct dicts *d, uint64_t address, char end, struct buf *b)
{
	const struct plop_layout *l = d->l;
	const struct dict_type *type;
	uint64_t word, size;
	char *to;
	int r = object_is_address(address) ? 0 : -EBADMSG;

	if (r >= 0)
		r = reader_u64(d->r, address + object_type_at(l), &word);
	if (r >= 0)
		r = dicts_type(d, word, &type);
	if (r >= 0 && !(type->flags & TYPE_BYTES))
		r = -EBADMSG;
	if (r >= 0)
		r = reader_u64(d->r, address + l->bytes_size, &size);
	if (r < 0)
		return r;
	if (size > TEXT_MAX || b->size + size > BLOCK_MAX)
		return -E2BIG;
	to = buf_reserve(b, size + 1);
	if (!to)
		return -ENOMEM;
	r = reader_read(d->r, address + l->bytes_data, to, size);
	if (r < 0)
		return r;
	to[size] = end;
	b->size += size + 1;
	return 0;
}

/* Whether a variable may be a label, by how its name begins: see proc_environ_labels(). */
static bool is_label(const char *name, size_t size)
{
	static const char *const begin[] = { "PLOP_", "OTEL_", "DD_", "SENTRY_" };

	for (size_t i = 0; i < ARRAY_SIZE(begin); i++) {
		if (size > strlen(begin[i]) && memcmp(name, begin[i], strlen(begin[i])) == 0)
			return true;
	}
	return false;
}

/* One entry of the environment: hash, key, value. */
static int variable_read(struct dicts *d, uint64_t at, struct buf *b)
{
	uint8_t entry[24];
	size_t before = b->size;
	int r = reader_read(d->r, at, entry, sizeof(entry));

	if (r < 0)
		return r;
	/* a free one, or a deleted one */
	if (!object_u64(entry, 8) || !object_u64(entry, 16))
		return 0;
	r = bytes_append(d, object_u64(entry, 8), '=', b);
	if (r >= 0 && is_label(b->data + before, b->size - before))
		r = bytes_append(d, object_u64(entry, 16), '\0', b);
	else
		b->size = before;
	if (r < 0)
		b->size = before;
	/* one that is too long is no label */
	return r == -ENOMEM || r == -ESRCH ? r : 0;
}

/*
 * posix.environ, which is what os.environ keeps its variables in (Lib/os.py of 2.7 and 3.6 to
 * 3.15).
 */
static int environ_read(struct dicts *d, uint64_t modules, struct buf *b)
{
	struct dict_table t;
	uint64_t at;
	int r = dicts_module(d, modules, "posix", &at);

	if (r >= 0)
		r = dicts_value(d, at, "environ", &at);
	if (r >= 0)
		r = dicts_open(d, at, &t);
	if (r >= 0 && (!dict_table_hashed(&t) || t.values))
		r = -EBADMSG;
	for (uint64_t i = 0; r >= 0 && i < t.n && i < VARIABLES_MAX; i++)
		r = variable_read(d, t.entries + i * t.stride, b);
	return r;
}

static int argument_append(struct dicts *d, uint64_t address, struct buf *b)
{
	_cleanup_free_ char *data = NULL, *text = NULL;
	struct python_string s;
	uint64_t type;
	bool cut;
	int r = python_string_read(d->r, d->l, address, TEXT_MAX, &s, &data, &type);

	if (r >= 0)
		r = python_string_text(d->l, &s, TEXT_MAX, &text, &cut);
	if (r < 0)
		return r;
	if (b->size + strlen(text) > BLOCK_MAX)
		return -E2BIG;
	buf_append(b, text, strlen(text) + 1);
	return b->error;
}

/* The first max strings of a list. */
static int list_append(struct dicts *d, uint64_t list, uint64_t max, struct buf *b)
{
	uint64_t n, items, item;
	int r = object_is_address(list) ? 0 : -EBADMSG;

	/*
	 * ob_size and ob_item of PyListObject (cpython/listobject.h) are where a bytes object has
	 * its size, and behind that
	 */
	if (r >= 0)
		r = reader_u64(d->r, list + d->l->bytes_size, &n);
	if (r >= 0)
		r = reader_u64(d->r, list + d->l->bytes_size + 8, &items);
	if (r >= 0 && !object_is_address(items))
		r = -EBADMSG;
	for (uint64_t i = 0; r >= 0 && i < n && i < max; i++) {
		r = reader_u64(d->r, items + 8 * i, &item);
		if (r >= 0)
			r = argument_append(d, item, b);
	}
	return r;
}

/* sys.orig_argv, from 3.10 on; before, sys.argv, which begins with what the program runs. */
static int arguments_read(struct dicts *d, uint64_t modules, struct buf *b)
{
	static const char program[] = "python";
	uint64_t sys, at;
	int r = dicts_module(d, modules, "sys", &sys);

	if (r >= 0)
		r = dicts_value(d, sys, "orig_argv", &at);
	if (r >= 0)
		return list_append(d, at, ARGUMENTS_MAX, b);
	if (r == -ENOENT)
		r = dicts_value(d, sys, "argv", &at);
	if (r < 0)
		return r;
	buf_append(b, program, sizeof(program));
	return list_append(d, at, 1, b);
}

int python_initial_read(const struct reader *memory, const struct plop_layout *l, uint64_t runtime,
			struct buf *environ_block, struct buf *arguments)
{
	const struct object_layout *o = object_layout_find(l);
	struct dicts d;
	uint64_t interp, modules;
	int r;

	if (!o)
		return -EOPNOTSUPP;
	dicts_init(&d, memory, l, o);
	r = dicts_modules(&d, runtime, &modules);
	if (r >= 0)
		r = main_interpreter(memory, l, runtime, &interp);
	if (r >= 0)
		r = environ_read(&d, interp + modules, environ_block);
	if (r >= 0)
		r = arguments_read(&d, interp + modules, arguments);
	if (r < 0) {
		buf_free(environ_block);
		buf_free(arguments);
	}
	return r;
}
