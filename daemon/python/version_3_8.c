/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

/*
 * CPython 3.8 on 64-bit, from its headers: internal/pycore_pystate.h, cpython/pystate.h,
 * frameobject.h, cpython/code.h, cpython/unicodeobject.h.
 */
const struct python_version version_3_8 = {
	.version = 0x0308,
	.lines = LINES_LNOTAB,
	.layout = {
		.frame_link = PLOP_LINK_OBJECT,
		.runtime_interpreters_head = 32,
		.runtime_finalizing = 16,
		.runtime_current = 1368,
		.interp_next = 0,
		.interp_threads_head = 8,
		.ts_next = 8,
		.ts_thread_id = 176,
		.ts_frame = 24,
		.ts_len = 184,
		.frame_previous = 24,
		.frame_code = 32,
		.frame_instr = 104,
		.frame_lasti_unit = 1,
		.frame_len = 112,
		.code_argcount = 16,
		.code_flags = 36,
		.code_firstlineno = 40,
		.code_filename = 104,
		.code_name = 112,
		.code_linetable = 120,
		/* From co_argcount up to co_zombieframe, which comes and goes. */
		.code_fingerprint = 16,
		.code_fingerprint_len = 112,
		.code_len = 128,
		.str_length = 16,
		.str_state = 32,
		.str_ascii_data = 48,
		.str_compact_data = 72,
		.str_kind_shift = 2,
		.bytes_size = 16,
		.bytes_data = 32,
		.code_fingerprint_texts = 1,
		.gil_where = PLOP_GIL_RUNTIME,
		.gil_at = 1152,
		.gil_size = 208,
	},
	.objects = {
		VERSION_OBJECTS(0),
		VERSION_DICTS_SIZED,
		.attributes = ATTRIBUTES_DICT,
		.interp_modules = 56,
	},
	.tasks = TASKS_NONE,
};
