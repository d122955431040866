/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/debug_offsets.h"
#include "python/dicts.h"
#include "python/versions.h"

/*
 * All that plop must be told about one minor version of CPython, in one file each: version_3_12.c.
 * No member may be missing; tests/unit/python/check_versions.c says which one is. CONTRIBUTING.md
 * has the steps to add one.
 */

/* How a code object tells the line of an instruction; see linetable.c. */
enum python_lines {
	LINES_LNOTAB_UNSIGNED = 1, /* co_lnotab whose lines only grow, before 3.6 */
	LINES_LNOTAB,              /* co_lnotab, up to 3.9 */
	LINES_RANGES,              /* co_linetable of 3.10 */
	LINES_LOCATIONS,           /* co_linetable from 3.11 on */
};

/* Where it is known from what an asyncio task looks like. */
enum python_tasks {
	TASKS_NONE = 1, /* it is not: no tasks are shown */
	TASKS_BY_TABLE, /* from .async, with the GIL and without */
	/* from .async and what the _asyncio module says of itself; only with the GIL */
	TASKS_BY_MODULE,
};

struct python_version {
	uint16_t version; /* as struct plop_layout's */
	enum python_lines lines;
	/* The layout: one of the two. Its version is not set here. */
	struct plop_layout layout;    /* up to 3.12; frame_link 0: it is by offsets */
	struct debug_offsets offsets; /* from 3.13 on; size 0: it is by layout */
	/*
	 * Thread names and initial environment. From the headers on 64-bit: object.h (flags),
	 * cpython/object.h (PyTypeObject, PyHeapTypeObject; 2.7: object.h), cpython/dictobject.h
	 * (PyDictObject), Objects/dict-common.h and from 3.11 on internal/pycore_dict.h (the keys),
	 * pystate.h and internal/pycore_interp.h (modules), Objects/moduleobject.c and
	 * internal/pycore_moduleobject.h (md_dict), internal/pycore_object.h (where attributes
	 * are), internal/pycore_debug_offsets.h (3.13: pycore_runtime.h). Checked on live ones by
	 * tests/system/thread_names.py.
	 */
	struct object_layout objects;
	struct object_layout objects_free_threaded; /* dicts 0: there are no such builds */
	/*
	 * What CPython does not tell of its tasks. Task and future: FutureObj_HEAD and TaskObj of
	 * Modules/_asynciomodule.c. Handle: the __slots__ of Lib/asyncio/events.py, which lie in
	 * the order of the alphabet. Generators: _PyGenObject_HEAD of cpython/genobject.h (3.11 to
	 * 3.13), internal/pycore_interpframe_structs.h (3.14, 3.15); their states:
	 * internal/pycore_frame.h, from 3.14 on pycore_genobject.h. Frames: internal/pycore_frame.h
	 * and pycore_interpframe_structs.h. With an object head of 16 bytes; checked on live ones
	 * by tests/system/tasks.py.
	 */
	enum python_tasks tasks;
	struct plop_async async;
};

/*
 * The same from 2.7 to 3.15; free-threaded builds have 16 bytes more in the head of every object.
 */
#define VERSION_OBJECTS(more)                                                                  \
	.type_basicsize = 32 + (more), .type_flags = 168 + (more),                             \
	.type_dictoffset = 288 + (more), .module_dict = 16 + (more), .dict_keys = 32 + (more), \
	.dict_values = 40 + (more)
#define VERSION_DICTS_SIZED .dicts = DICT_SIZED, .keys_nentries = 32, .keys_indices = 40
#define VERSION_DICTS_LOG2  .dicts = DICT_LOG2, .keys_nentries = 24, .keys_indices = 32
/*
 * The dict's word lies before the head of the garbage collector, which free-threaded builds do not
 * have.
 */
#define VERSION_INLINE .attributes = ATTRIBUTES_INLINE, .before_dict = 24, .values_first = 8
#define VERSION_INLINE_FREE_THREADED \
	.attributes = ATTRIBUTES_INLINE, .before_dict = 8, .values_first = 8

/* Every version, oldest first. */
#define PYTHON_VERSIONS(V) \
	V(2_7) V(3_6) V(3_7) V(3_8) V(3_9) V(3_10) V(3_11) V(3_12) V(3_13) V(3_14) V(3_15)
#define PYTHON_VERSION_DECLARE(v) extern const struct python_version version_##v;
PYTHON_VERSIONS(PYTHON_VERSION_DECLARE)

/* version: major << 8 | minor. NULL: it is not known. */
const struct python_version *python_version_find(uint16_t version);

/*
 * The same by PY_VERSION_HEX. Alphas and betas are not known either: they moved fields about, and
 * the table of offsets changes with each; from the first release candidate on nothing moves.
 */
const struct python_version *python_version_by_hex(uint32_t hexversion);

/* In turn, oldest first; NULL behind the last. */
const struct python_version *python_version_at(size_t index);
