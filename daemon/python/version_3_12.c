/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

/*
 * CPython 3.12 on 64-bit, from its headers: internal/pycore_runtime.h, pycore_interp.h and
 * pycore_frame.h, cpython/pystate.h, cpython/code.h, cpython/unicodeobject.h.
 */
const struct python_version version_3_12 = {
	.version = 0x030c,
	.lines = LINES_LOCATIONS,
	.layout = {
		.frame_link = PLOP_LINK_CFRAME,
		.runtime_interpreters_head = 40,
		.runtime_finalizing = 24,
		.interp_next = 0,
		.interp_threads_head = 72,
		.ts_next = 8,
		.ts_status = 24,
		.ts_thread_id = 136,
		.ts_native_id = 144,
		.ts_frame = 56,
		.ts_chunk = 232,
		.ts_len = 248,
		.cframe_current = 0,
		.frame_previous = 8,
		.frame_code = 0,
		.frame_instr = 56,
		.frame_owner = 70,
		/* FRAME_OWNED_BY_CSTACK */
		.frame_owner_skip = 3,
		.frame_len = 72,
		.code_argcount = 52,
		.code_flags = 48,
		.code_firstlineno = 68,
		.code_filename = 112,
		.code_name = 120,
		.code_qualname = 128,
		.code_linetable = 136,
		.code_bytecode = 192,
		/* From co_flags to co_linetable; co_version is in it. */
		.code_fingerprint = 48,
		.code_fingerprint_len = 96,
		.code_len = 144,
		.str_length = 16,
		.str_state = 32,
		.str_ascii_data = 40,
		.str_compact_data = 56,
		.str_kind_shift = 2,
		.bytes_size = 16,
		.bytes_data = 32,
		.gil_where = PLOP_GIL_POINTER,
		.gil_at = 384,
		.gil_size = 208,
	},
	.objects = {
		VERSION_OBJECTS(0),
		VERSION_DICTS_LOG2,
		.type_cached_keys = 880,
		.attributes = ATTRIBUTES_TAGGED,
		.before_dict = 24,
		.interp_modules = 944,
	},
	.tasks = TASKS_BY_TABLE,
	.async = {
		.task_waiter = 128,
		.task_coro = 136,
		.task_name = 144,
		.gen_frame = 72,
		.gen_state = 67,
		.gen_awaits = -1,
		.gen_yields = -1,
		/*
		 * SEND, SEND_GEN; when something is thrown: YIELD_VALUE, INSTRUMENTED_YIELD_VALUE
		 * (opcode.h)
		 */
		.await_ops = { 123, 168, 150, 243 },
		.await_behind = 1,
	},
};
