/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

/*
 * CPython 3.7 on 64-bit, from its headers: internal/pystate.h, pystate.h, frameobject.h, code.h,
 * unicodeobject.h. What 3.7.4 added to _PyRuntimeState lies behind all that is used here, so that
 * one table serves every 3.7.
 */
const struct python_version version_3_7 = {
	.version = 0x0307,
	.lines = LINES_LNOTAB,
	.layout = {
		.frame_link = PLOP_LINK_OBJECT,
		.runtime_interpreters_head = 24,
		.runtime_finalizing = 8,
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
		.code_flags = 32,
		.code_firstlineno = 36,
		.code_filename = 96,
		.code_name = 104,
		.code_linetable = 112,
		/* From co_argcount up to co_zombieframe, which comes and goes. */
		.code_fingerprint = 16,
		.code_fingerprint_len = 104,
		.code_len = 120,
		.str_length = 16,
		.str_state = 32,
		.str_ascii_data = 48,
		.str_compact_data = 72,
		.str_kind_shift = 2,
		.bytes_size = 16,
		.bytes_data = 32,
		.code_fingerprint_texts = 1,
	},
	.objects = {
		VERSION_OBJECTS(0),
		VERSION_DICTS_SIZED,
		.attributes = ATTRIBUTES_DICT,
		.interp_modules = 40,
	},
	.tasks = TASKS_NONE,
};
