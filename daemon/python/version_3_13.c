/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

/*
 * CPython 3.13 on 64-bit. What _Py_DebugOffsets tells, by internal/pycore_runtime.h; the rest by
 * the headers that version.h names for it.
 */
const struct python_version version_3_13 = {
	.version = 0x030d,
	.lines = LINES_LOCATIONS,
	.offsets = {
		.size = 584,
		.runtime_size = 24,
		.finalizing = 32,
		.interpreters_head = 40,
		.interp_size = 48,
		.interp_next = 64,
		.threads_head = 72,
		.gil = 112,
		.ts_size = 152,
		.ts_next = 168,
		.current_frame = 184,
		.thread_id = 192,
		.native_id = 200,
		.chunk = 208,
		.status = 216,
		.frame_previous = 232,
		.frame_executable = 240,
		.frame_instr = 248,
		.frame_owner = 264,
		.code_filename = 280,
		.code_name = 288,
		.code_qualname = 296,
		.code_linetable = 304,
		.code_firstlineno = 312,
		.code_argcount = 320,
		.code_adaptive = 344,
		.bytes_size = 520,
		.bytes_sval = 528,
		.str_state = 544,
		.str_length = 552,
		.str_ascii_size = 560,
		.exact = { { 224, { 80, 80 } },
			   { 272, { 208, 224 } },
			   { 512, { 40, 56 } },
			   { 536, { 64, 80 } } },
		.kind_shift = 2,
		.code_flags = 48,
		.owner_skip = 3,
		.tag_mask = 0,
	},
	.objects = {
		VERSION_OBJECTS(0),
		VERSION_DICTS_LOG2,
		VERSION_INLINE,
		.type_cached_keys = 880,
		.debug_modules = 88,
	},
	.objects_free_threaded = {
		VERSION_OBJECTS(16),
		VERSION_DICTS_LOG2,
		VERSION_INLINE_FREE_THREADED,
		.type_cached_keys = 896,
		.debug_modules = 88,
	},
	.tasks = TASKS_BY_TABLE,
	.async = {
		.task_waiter = 112,
		.task_coro = 120,
		.task_name = 128,
		.gen_frame = 72,
		.gen_state = 67,
		.gen_awaits = -1,
		.gen_yields = -2,
		/*
		 * SEND, SEND_GEN; when something is thrown: RESUME, RESUME_CHECK,
		 * INSTRUMENTED_RESUME (opcode_ids.h)
		 */
		.await_ops = { 104, 208, 149, 207, 236 },
	},
};
