/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

/*
 * CPython 2.7 on 64-bit, from its headers: pystate.h, frameobject.h, code.h, stringobject.h. There
 * is no _PyRuntime; interp_head, a static variable of Python/pystate.c, takes its place. Names are
 * byte strings: PyStringObject keeps its length in ob_size, and in place of a str's state it has
 * one that str_state_set makes look like plain 1-byte text.
 */
const struct python_version version_2_7 = {
	.version = 0x0207,
	.lines = LINES_LNOTAB_UNSIGNED,
	.layout = {
		.frame_link = PLOP_LINK_OBJECT,
		.runtime_interpreters_head = 0,
		.interp_next = 0,
		.interp_threads_head = 8,
		.ts_next = 0,
		.ts_thread_id = 144,
		.ts_frame = 16,
		.ts_len = 152,
		.frame_previous = 24,
		.frame_code = 32,
		.frame_instr = 120,
		.frame_lasti_unit = 1,
		.frame_len = 128,
		.code_argcount = 16,
		.code_flags = 28,
		.code_firstlineno = 96,
		.code_filename = 80,
		.code_name = 88,
		.code_linetable = 104,
		/* From co_argcount up to co_zombieframe, which comes and goes. */
		.code_fingerprint = 16,
		.code_fingerprint_len = 96,
		.code_len = 112,
		.str_length = 16,
		.str_state = 32,
		.str_ascii_data = 36,
		.str_compact_data = 36,
		.str_kind_shift = 2,
		/* kind 1, compact, ascii; ob_sstate uses the two bits below */
		.str_state_set = 1 << 2 | 1 << 5 | 1 << 6,
		.bytes_size = 16,
		.bytes_data = 36,
		.code_fingerprint_texts = 1,
	},
	.objects = {
		VERSION_OBJECTS(0),
		.dicts = DICT_TABLE,
		.attributes = ATTRIBUTES_DICT,
		.interp_modules = 16,
	},
	.tasks = TASKS_NONE,
};
