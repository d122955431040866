/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/object.h"

/*
 * Reading dicts, and the attributes of instances, from outside. Nothing that is read is believed:
 * all is bounded, and objects have the types they must have.
 */

/* How a dict keeps its entries. */
enum dict_kind {
	DICT_TABLE = 1, /* 2.7: one sparse table of hash, key, value */
	DICT_SIZED = 2, /* up to 3.10: indices behind dk_size, then entries of hash, key, value */
	/*
	 * from 3.11 on: the same behind dk_log2_index_bytes; entries of key, value where all keys
	 * are str
	 */
	DICT_LOG2 = 3,
};

/* Where an instance of a class written in Python keeps its attributes. */
enum attributes_kind {
	ATTRIBUTES_DICT = 1,   /* up to 3.10: in a dict, where tp_dictoffset says */
	ATTRIBUTES_VALUES = 2, /* 3.11: in values or in a dict; a word before the object for each */
	ATTRIBUTES_TAGGED = 3, /* 3.12: the same in one word, whose lowest bit says which */
	/* from 3.13 on: in values behind the object, or in a dict that a word before it leads to */
	ATTRIBUTES_INLINE = 4,
};

/*
 * What struct plop_layout does not have, since the kernel side has no use for it: one for each
 * version and flavour. In bytes.
 */
struct object_layout {
	enum dict_kind dicts;
	enum attributes_kind attributes;
	uint32_t interp_modules; /* sys.modules; 0: _Py_DebugOffsets has it, at debug_modules */
	uint16_t debug_modules;
	/* PyTypeObject, PyHeapTypeObject */
	uint16_t type_basicsize, type_flags, type_dictoffset, type_cached_keys;
	uint16_t module_dict;
	uint16_t dict_keys, dict_values; /* DICT_TABLE: ma_mask, ma_table */
	uint16_t keys_nentries, keys_indices;
	uint16_t values_first;               /* the first value in struct _dictvalues */
	uint16_t before_values, before_dict; /* how far before an object these words lie */
};

/* NULL: it is not known. */
const struct object_layout *object_layout_find(const struct plop_layout *l);

/*
 * Py_TPFLAGS_* (object.h, 2.7 to 3.15), what makes a type's instances dicts, str; in 2.7 a str is a
 * byte string.
 */
#define TYPE_INLINE_VALUES (UINT64_C(1) << 2)
#define TYPE_MANAGED_DICT  (UINT64_C(1) << 4)
#define TYPE_HEAP          (UINT64_C(1) << 9)
#define TYPE_BYTES         (UINT64_C(1) << 27)
#define TYPE_STR           (UINT64_C(1) << 28)
#define TYPE_DICT          (UINT64_C(1) << 29)

struct dict_type {
	uint64_t address, flags, cached_keys;
	int64_t basicsize, dictoffset;
};

/* A reader of many objects of few types. */
struct dicts {
	const struct reader *r;
	const struct reader *types_r; /* the same, for types */
	const struct plop_layout *l;
	const struct object_layout *o;
	uint64_t left; /* entries that may still be looked at */
	struct dict_type types[16];
	unsigned int next;
};

void dicts_init(struct dicts *d, const struct reader *memory, const struct plop_layout *l,
		const struct object_layout *o);

/*
 * The type at address; valid until some others were asked for. -EFAULT: not readable, and what the
 * reader says.
 */
int dicts_type(struct dicts *d, uint64_t address, const struct dict_type **ret);

/* Where the entries of a dict are, and their values, if these are elsewhere. */
struct dict_table {
	uint64_t keys; /* the object that the entries are in; 2.7: themselves */
	uint64_t entries, n;
	uint64_t values; /* 0: in the entries */
	unsigned int stride;
};

/* -EFAULT: not readable; -EBADMSG: no dict. */
int dicts_open(struct dicts *d, uint64_t address, struct dict_table *ret);

/* Whose entries have the hash before the key: all, if the keys are not str. */
static inline bool dict_table_hashed(const struct dict_table *t)
{
	return t->stride == 24;
}

/* The address of an entry's value. */
static inline uint64_t dict_table_slot(const struct dict_table *t, uint64_t index)
{
	return t->values ? t->values + 8 * index : t->entries + t->stride * (index + 1) - 8;
}

/* Where a name was last found, as many tables have the same keys; begins empty. */
struct dict_hint {
	uint64_t key; /* the str; names are interned */
	uint64_t keys, index;
};

/*
 * Among the first max entries: the index of the one whose key is the str name (ASCII, short).
 * -ENOENT: none; -E2BIG: dicts.left is used up.
 */
int dicts_find(struct dicts *d, const struct dict_table *t, const char *name, uint64_t max,
	       struct dict_hint *hint, uint64_t *ret_index);

/* The value of a name in the dict at address. Errors as of dicts_open() and dicts_find(). */
int dicts_value(struct dicts *d, uint64_t address, const char *name, uint64_t *ret);
/* Where in each interpreter's state sys.modules is. -EBADMSG: what tells is not to be believed. */
int dicts_modules(struct dicts *d, uint64_t runtime, uint64_t *ret_offset);
/* The dict of a module; modules: where an interpreter has sys.modules. */
int dicts_module(struct dicts *d, uint64_t modules, const char *name, uint64_t *ret_dict);

/*
 * The address of an instance's attribute. -ENOENT: it has none; -EBADMSG: attributes are kept in a
 * way that is not known.
 */
int dicts_attribute(struct dicts *d, uint64_t object, const char *name, struct dict_hint *hint,
		    uint64_t *ret_slot);
