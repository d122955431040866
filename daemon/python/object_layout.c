/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/dicts.h"

/*
 * From the headers of each version on 64-bit: object.h (flags), cpython/object.h (PyTypeObject, PyHeapTypeObject; 2.7: object.h),
 * cpython/dictobject.h (PyDictObject), Objects/dict-common.h and from 3.11 on internal/pycore_dict.h (the keys), pystate.h and
 * internal/pycore_interp.h (modules), Objects/moduleobject.c and internal/pycore_moduleobject.h (md_dict), internal/pycore_object.h
 * (where attributes are), internal/pycore_debug_offsets.h (3.13: pycore_runtime.h). Checked against live interpreters by
 * tests/system/thread_names.py.
 */

/* The same from 2.7 to 3.15; free-threaded builds have 16 bytes more in the head of every object. */
#define OBJECTS(more)                                                                          \
	.type_basicsize = 32 + (more), .type_flags = 168 + (more),                             \
	.type_dictoffset = 288 + (more), .module_dict = 16 + (more), .dict_keys = 32 + (more), \
	.dict_values = 40 + (more)
#define SIZED .dicts = DICT_SIZED, .keys_nentries = 32, .keys_indices = 40
#define LOG2  .dicts = DICT_LOG2, .keys_nentries = 24, .keys_indices = 32
/* The dict's word lies before the head of the garbage collector, which free-threaded builds do not have. */
#define INLINE .attributes = ATTRIBUTES_INLINE, .before_dict = 24, .values_first = 8
#define INLINE_FREE_THREADED \
	.free_threaded = true, .attributes = ATTRIBUTES_INLINE, .before_dict = 8, .values_first = 8

static const struct object_layout layouts[] = {
	{ .version = 0x0207,
	  OBJECTS(0),
	  .dicts = DICT_TABLE,
	  .attributes = ATTRIBUTES_DICT,
	  .interp_modules = 16 },
	{ .version = 0x0306,
	  OBJECTS(0),
	  SIZED,
	  .attributes = ATTRIBUTES_DICT,
	  .interp_modules = 16 },
	{ .version = 0x0307,
	  OBJECTS(0),
	  SIZED,
	  .attributes = ATTRIBUTES_DICT,
	  .interp_modules = 40 },
	{ .version = 0x0308,
	  OBJECTS(0),
	  SIZED,
	  .attributes = ATTRIBUTES_DICT,
	  .interp_modules = 56 },
	{ .version = 0x0309,
	  OBJECTS(0),
	  SIZED,
	  .attributes = ATTRIBUTES_DICT,
	  .interp_modules = 856 },
	{ .version = 0x030a,
	  OBJECTS(0),
	  SIZED,
	  .attributes = ATTRIBUTES_DICT,
	  .interp_modules = 856 },
	{ .version = 0x030b,
	  OBJECTS(0),
	  LOG2,
	  .type_cached_keys = 872,
	  .attributes = ATTRIBUTES_VALUES,
	  .before_values = 32,
	  .before_dict = 24,
	  .interp_modules = 888 },
	{ .version = 0x030c,
	  OBJECTS(0),
	  LOG2,
	  .type_cached_keys = 880,
	  .attributes = ATTRIBUTES_TAGGED,
	  .before_dict = 24,
	  .interp_modules = 944 },
	{ .version = 0x030d, OBJECTS(0), LOG2, INLINE, .type_cached_keys = 880, .debug_modules = 88 },
	{ .version = 0x030d,
	  OBJECTS(16),
	  LOG2,
	  INLINE_FREE_THREADED,
	  .type_cached_keys = 896,
	  .debug_modules = 88 },
	{ .version = 0x030e, OBJECTS(0), LOG2, INLINE, .type_cached_keys = 880, .debug_modules = 96 },
	{ .version = 0x030e,
	  OBJECTS(16),
	  LOG2,
	  INLINE_FREE_THREADED,
	  .type_cached_keys = 896,
	  .debug_modules = 96 },
	{ .version = 0x030f, OBJECTS(0), LOG2, INLINE, .type_cached_keys = 888, .debug_modules = 96 },
	{ .version = 0x030f,
	  OBJECTS(16),
	  LOG2,
	  INLINE_FREE_THREADED,
	  .type_cached_keys = 904,
	  .debug_modules = 96 },
};

const struct object_layout *object_layout_find(const struct plop_layout *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		if (layouts[i].version == l->version &&
		    layouts[i].free_threaded == (l->free_threaded != 0))
			return &layouts[i];
	}
	return NULL;
}
