/* SPDX-License-Identifier: BSD-2-Clause */
#include "plop/limits.h"
#include "python/dicts.h"

/* Entries that are read at once. */
#define BATCH 64
/* The longest name that is looked for, with the largest head of a str. */
#define NAME_MAX_BYTES 64
#define KEY_MAX_BYTES  (72 + NAME_MAX_BYTES)
/*
 * A type's keys are shared by its instances: SHARED_KEYS_MAX_SIZE is 30 (internal/pycore_dict.h,
 * 3.11 to 3.15).
 */
#define ATTRIBUTES_MAX 1024

void dicts_init(struct dicts *d, const struct reader *memory, const struct plop_layout *l,
		const struct object_layout *o)
{
	*d = (struct dicts){
		.r = memory, .types_r = memory, .l = l, .o = o, .left = PLOP_MAX_DICT_ENTRIES
	};
}

int dicts_type(struct dicts *d, uint64_t address, const struct dict_type **ret)
{
	const struct object_layout *o = d->o;
	struct dict_type t = { .address = address };
	struct reader_part parts[] = {
		{ address + o->type_flags, &t.flags, 8, 0 },
		{ address + o->type_basicsize, &t.basicsize, 8, 0 },
		{ address + o->type_dictoffset, &t.dictoffset, 8, 0 },
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(d->types); i++) {
		if (address && d->types[i].address == address) {
			*ret = &d->types[i];
			return 0;
		}
	}
	if (!object_is_address(address))
		return -EBADMSG;
	r = reader_read_parts(d->types_r, parts, ARRAY_SIZE(parts));
	if (r < 0)
		return r;
	/* types that are no heap types have nothing there */
	if (t.flags & TYPE_HEAP && o->type_cached_keys) {
		r = reader_u64(d->types_r, address + o->type_cached_keys, &t.cached_keys);
		if (r < 0)
			return r;
	}
	d->types[d->next] = t;
	*ret = &d->types[d->next];
	d->next = (d->next + 1) % ARRAY_SIZE(d->types);
	return 0;
}

/* How many bytes an index has in a table of that size (Objects/dict-common.h, 3.6 to 3.10). */
static unsigned int index_size(uint64_t size)
{
	return size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
}

/* The entries of a keys object. *ret_split: their values are not in them. */
static int keys_open(const struct dicts *d, uint64_t address, struct dict_table *ret,
		     bool *ret_split)
{
	const struct object_layout *o = d->o;
	uint8_t head[64];
	struct dict_table t = { .keys = address, .stride = 24 };
	uint64_t indices, most;
	int r;

	if (!object_is_address(address))
		return -EBADMSG;
	r = reader_read(d->r, address, head, o->keys_indices);
	if (r < 0)
		return r;
	*ret_split = false;
	if (o->dicts == DICT_SIZED) {
		most = object_u64(head, 8);
		if (most == 0 || most & (most - 1) || most >= UINT64_C(1) << 40)
			return -EBADMSG;
		indices = most * index_size(most);
	} else {
		/*
		 * dk_log2_size, dk_log2_index_bytes, dk_kind: DICT_KEYS_GENERAL, DICT_KEYS_UNICODE,
		 * DICT_KEYS_SPLIT
		 */
		if (head[8] > 40 || head[9] > 43 || head[10] > 2)
			return -EBADMSG;
		most = UINT64_C(1) << head[8];
		indices = UINT64_C(1) << head[9];
		t.stride = head[10] == 0 ? 24 : 16;
		*ret_split = head[10] == 2;
	}
	t.n = object_u64(head, o->keys_nentries);
	if (t.n > most)
		return -EBADMSG;
	t.entries = address + o->keys_indices + indices;
	*ret = t;
	return 0;
}

int dicts_open(struct dicts *d, uint64_t address, struct dict_table *ret)
{
	const struct object_layout *o = d->o;
	uint8_t head[64];
	const struct dict_type *type;
	struct dict_table t = { .stride = 24 };
	uint64_t values;
	bool split;
	int r;

	if (!object_is_address(address))
		return -EBADMSG;
	r = reader_read(d->r, address, head, o->dict_values + 8u);
	if (r < 0)
		return r;
	r = dicts_type(d, object_u64(head, object_type_at(d->l)), &type);
	if (r < 0)
		return r;
	if (!(type->flags & TYPE_DICT))
		return -EBADMSG;
	if (o->dicts == DICT_TABLE) {
		t.n = object_u64(head, o->dict_keys);
		if (t.n >= UINT64_C(1) << 40 || t.n & (t.n + 1))
			return -EBADMSG;
		t.n++;
		t.keys = t.entries = object_u64(head, o->dict_values);
		*ret = t;
		return 0;
	}
	r = keys_open(d, object_u64(head, o->dict_keys), &t, &split);
	if (r < 0)
		return r;
	values = object_u64(head, o->dict_values);
	if (split && !values)
		return -EBADMSG;
	t.values = values ? values + o->values_first : 0;
	*ret = t;
	return 0;
}

/* Which of n keys are that str; -1: none. */
static int keys_compare(struct dicts *d, const uint64_t *keys, size_t n, const char *name)
{
	const struct plop_layout *l = d->l;
	uint8_t heads[BATCH][KEY_MAX_BYTES];
	struct reader_part parts[BATCH];
	size_t length = strlen(name), head = l->str_ascii_data, m = 0;
	uint8_t which[BATCH];

	if (length > NAME_MAX_BYTES || head + length > KEY_MAX_BYTES)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!object_is_address(keys[i]))
			continue;
		which[m] = (uint8_t)i;
		parts[m] = (struct reader_part){ keys[i], &heads[m], head + length, -EFAULT };
		m++;
	}
	reader_read_parts(d->r, parts, m);
	for (size_t i = 0; i < m; i++) {
		uint8_t kind;
		bool ascii;

		if (parts[i].result == 0 && object_u64(heads[i], l->str_length) == length &&
		    python_string_state(l, object_u32(heads[i], l->str_state), &kind, &ascii) ==
			    0 &&
		    ascii && memcmp(heads[i] + head, name, length) == 0)
			return which[i];
	}
	return -1;
}

/* The same of the n entries in bytes: by what is known of the name, else by looking at each. */
static int entries_compare(struct dicts *d, const struct dict_table *t, const uint8_t *bytes,
			   size_t n, const char *name, struct dict_hint *hint)
{
	uint64_t keys[BATCH];
	int found;

	for (size_t i = 0; i < n; i++) {
		const uint8_t *entry = bytes + i * t->stride;

		keys[i] = object_u64(entry, t->stride - 16u);
		/* a deleted one has no value; where values are elsewhere, none has one here */
		if (!t->values && !object_u64(entry, t->stride - 8u))
			keys[i] = 0;
		if (keys[i] && keys[i] == hint->key)
			return (int)i;
	}
	found = keys_compare(d, keys, n, name);
	if (found >= 0)
		hint->key = keys[found];
	return found;
}

int dicts_find(struct dicts *d, const struct dict_table *t, const char *name, uint64_t max,
	       struct dict_hint *hint, uint64_t *ret_index)
{
	uint8_t bytes[BATCH * 24];
	uint64_t n = MIN(t->n, max), key;

	if (t->values && hint->keys && t->keys == hint->keys && hint->index < n) {
		int r = reader_u64(d->r, t->entries + t->stride * (hint->index + 1) - 16, &key);

		if (r < 0)
			return r;
		if (key == hint->key) {
			*ret_index = hint->index;
			return 0;
		}
	}
	for (uint64_t i = 0; i < n; i += BATCH) {
		size_t some = (size_t)MIN(n - i, (uint64_t)BATCH);
		int found, r;

		if (d->left < some)
			return -E2BIG;
		d->left -= some;
		r = reader_read(d->r, t->entries + i * t->stride, bytes, some * t->stride);
		if (r < 0)
			return r;
		found = entries_compare(d, t, bytes, some, name, hint);
		if (found < 0)
			continue;
		if (t->values) {
			hint->keys = t->keys;
			hint->index = i + (unsigned int)found;
		}
		*ret_index = i + (unsigned int)found;
		return 0;
	}
	return -ENOENT;
}

int dicts_value(struct dicts *d, uint64_t address, const char *name, uint64_t *ret)
{
	struct dict_hint hint = {};
	struct dict_table t;
	uint64_t index;
	int r = dicts_open(d, address, &t);

	if (r >= 0)
		r = dicts_find(d, &t, name, UINT64_MAX, &hint, &index);
	return r < 0 ? r : reader_u64(d->r, dict_table_slot(&t, index), ret);
}

int dicts_modules(struct dicts *d, uint64_t runtime, uint64_t *ret_offset)
{
	uint64_t at = d->o->interp_modules;
	int r = at ? 0 : reader_u64(d->r, runtime + d->o->debug_modules, &at);

	if (r < 0)
		return r;
	/* PyInterpreterState is some 300 kB large */
	if (at % 8 || at > 1u << 24)
		return -EBADMSG;
	*ret_offset = at;
	return 0;
}

int dicts_module(struct dicts *d, uint64_t modules, const char *name, uint64_t *ret_dict)
{
	uint64_t at;
	int r = reader_u64(d->r, modules, &at);

	if (r >= 0)
		r = dicts_value(d, at, name, &at);
	return r < 0 ? r : reader_u64(d->r, at + d->o->module_dict, ret_dict);
}

/* In values that lie apart from their keys, which are the type's. room: how many there are. */
static int in_values(struct dicts *d, const struct dict_type *type, uint64_t values, uint64_t room,
		     const char *name, struct dict_hint *hint, uint64_t *ret_slot)
{
	struct dict_table t;
	uint64_t index;
	bool split;
	int r = keys_open(d, type->cached_keys, &t, &split);

	if (r < 0)
		return r;
	if (!split)
		return -EBADMSG;
	t.values = values + d->o->values_first;
	r = dicts_find(d, &t, name, MIN(room, (uint64_t)ATTRIBUTES_MAX), hint, &index);
	if (r < 0)
		return r;
	*ret_slot = dict_table_slot(&t, index);
	return 0;
}

static int in_dict(struct dicts *d, uint64_t dict, const char *name, struct dict_hint *hint,
		   uint64_t *ret_slot)
{
	struct dict_table t;
	uint64_t index;
	int r = dict ? dicts_open(d, dict, &t) : -ENOENT;

	if (r >= 0)
		r = dicts_find(d, &t, name, ATTRIBUTES_MAX, hint, &index);
	if (r < 0)
		return r;
	*ret_slot = dict_table_slot(&t, index);
	return 0;
}

/*
 * From 3.13 on. struct _dictvalues: capacity, size, embedded, valid (internal/pycore_dict.h); when
 * it is not, there is a dict.
 */
static int in_place(struct dicts *d, uint64_t object, const struct dict_type *type, uint64_t dict,
		    const char *name, struct dict_hint *hint, uint64_t *ret_slot)
{
	uint64_t values = object + (uint64_t)type->basicsize;
	uint8_t head[4];
	int r;

	if (!(type->flags & TYPE_INLINE_VALUES))
		return in_dict(d, dict, name, hint, ret_slot);
	/* far more than any instance has before its values */
	if (type->basicsize < 16 || type->basicsize > 1 << 16 || type->basicsize % 8)
		return -EBADMSG;
	r = reader_read(d->r, values, head, sizeof(head));
	if (r < 0)
		return r;
	return head[3] ? in_values(d, type, values, head[0], name, hint, ret_slot) :
			 in_dict(d, dict, name, hint, ret_slot);
}

int dicts_attribute(struct dicts *d, uint64_t object, const char *name, struct dict_hint *hint,
		    uint64_t *ret_slot)
{
	const struct object_layout *o = d->o;
	size_t before = MAX(o->before_values, o->before_dict), at = object_type_at(d->l);
	const struct dict_type *type;
	uint8_t bytes[64];
	uint64_t word;
	int r;

	if (!object_is_address(object))
		return -EBADMSG;
	r = reader_read(d->r, object - before, bytes, before + at + 8);
	if (r < 0)
		return r;
	r = dicts_type(d, object_u64(bytes, before + at), &type);
	if (r < 0)
		return r;
	if (o->attributes == ATTRIBUTES_DICT) {
		if (type->dictoffset < 16 || type->dictoffset > 1 << 16 || type->dictoffset % 8)
			return -EBADMSG;
		r = reader_u64(d->r, object + (uint64_t)type->dictoffset, &word);
		return r < 0 ? r : in_dict(d, word, name, hint, ret_slot);
	}
	if (!(type->flags & TYPE_MANAGED_DICT))
		return -EBADMSG;
	word = object_u64(bytes, before - o->before_dict);
	if (o->attributes == ATTRIBUTES_INLINE)
		return in_place(d, object, type, word, name, hint, ret_slot);
	if (o->attributes == ATTRIBUTES_VALUES) {
		uint64_t values = object_u64(bytes, before - o->before_values);

		return values ? in_values(d, type, values, UINT64_MAX, name, hint, ret_slot) :
				in_dict(d, word, name, hint, ret_slot);
	}
	/*
	 * _PyDictOrValues_GetValues(): the values' address less one (internal/pycore_object.h,
	 * 3.12)
	 */
	return word & 1 ? in_values(d, type, word + 1, UINT64_MAX, name, hint, ret_slot) :
			  in_dict(d, word, name, hint, ret_slot);
}
