/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

/*
 * CPython 3.6 on 64-bit, from its headers: pystate.h, frameobject.h, code.h, unicodeobject.h. There
 * is no _PyRuntime; interp_head, a static variable of Python/pystate.c, takes its place.
 */
const struct python_version version_3_6 = {
	.version = 0x0306,
	.lines = LINES_LNOTAB,
	.layout = {
		.frame_link = PLOP_LINK_OBJECT,
		.runtime_interpreters_head = 0,
		.interp_next = 0,
		.interp_threads_head = 8,
		.ts_next = 8,
		.ts_thread_id = 152,
		.ts_frame = 24,
		.ts_len = 160,
		.frame_previous = 24,
		.frame_code = 32,
		.frame_instr = 120,
		.frame_lasti_unit = 1,
		.frame_len = 128,
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
		.interp_modules = 16,
	},
	.tasks = TASKS_NONE,
};
