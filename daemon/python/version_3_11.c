/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

/*
 * CPython 3.11 on 64-bit, from its headers: internal/pycore_runtime.h, pycore_interp.h and
 * pycore_frame.h, cpython/pystate.h, cpython/code.h, cpython/unicodeobject.h.
 */
const struct python_version version_3_11 = {
	.version = 0x030b,
	.lines = LINES_LOCATIONS,
	.layout = {
		.frame_link = PLOP_LINK_CFRAME,
		.runtime_interpreters_head = 40,
		.runtime_finalizing = 24,
		.runtime_current = 576,
		.interp_next = 0,
		.interp_threads_head = 16,
		.ts_next = 8,
		.ts_thread_id = 152,
		.ts_native_id = 160,
		.ts_frame = 56,
		.ts_chunk = 296,
		.ts_len = 312,
		.cframe_current = 8,
		.frame_previous = 48,
		.frame_code = 32,
		.frame_instr = 56,
		.frame_owner = 69,
		/*
		 * 3.11 has no frames that are not Python functions (is_entry marks the borders to
		 * C).
		 */
		.frame_owner_skip = 0xff,
		.frame_len = 72,
		.code_argcount = 56,
		.code_flags = 48,
		.code_firstlineno = 72,
		.code_filename = 112,
		.code_name = 120,
		.code_qualname = 128,
		.code_linetable = 136,
		.code_bytecode = 184,
		/* From co_argcount, behind co_warmup, which counts calls. */
		.code_fingerprint = 56,
		.code_fingerprint_len = 88,
		.code_len = 144,
		.str_length = 16,
		.str_state = 32,
		.str_ascii_data = 48,
		.str_compact_data = 72,
		.str_kind_shift = 2,
		.bytes_size = 16,
		.bytes_data = 32,
		.code_fingerprint_texts = 1,
		.gil_where = PLOP_GIL_RUNTIME,
		.gil_at = 360,
		.gil_size = 208,
	},
	.objects = {
		VERSION_OBJECTS(0),
		VERSION_DICTS_LOG2,
		.type_cached_keys = 872,
		.attributes = ATTRIBUTES_VALUES,
		.before_values = 32,
		.before_dict = 24,
		.interp_modules = 888,
	},
	.tasks = TASKS_BY_TABLE,
	.async = {
		.task_waiter = 128,
		.task_coro = 136,
		.task_name = 144,
		.gen_frame = 80,
		.gen_state = 75,
		.gen_awaits = -1,
		.gen_yields = -1,
	},
};
