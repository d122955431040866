/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/python.h"

/* How many bytes the table of that version has, at most LAYOUT_DEBUG_OFFSETS_MAX; 0: not known. */
size_t debug_offsets_size(uint32_t hexversion);

/* What stands at the start of every version's table, from 3.13 on. */
struct debug_offsets_head {
	char cookie[8];
	uint64_t hexversion;
	uint64_t free_threaded;
};
#define DEBUG_OFFSETS_COOKIE "xdebugpy"

/*
 * Where a version's _Py_DebugOffsets keeps which offset: byte positions of uint64_t fields in the
 * table. From CPython's internal/pycore_runtime.h (3.13) and internal/pycore_debug_offsets.h (3.14,
 * 3.15). The table has no size field of its own: the sizes of structs that it holds, which do not
 * vary within a version, tell a table of another shape (exact[]).
 */
struct debug_offsets {
	uint16_t size;
	uint16_t runtime_size, finalizing, interpreters_head;
	uint16_t interp_size, interp_next, threads_head, gil, code_generation;
	uint16_t ts_size, ts_next, current_frame, thread_id, native_id, chunk, status;
	uint16_t frame_previous, frame_executable, frame_instr, frame_owner;
	uint16_t code_filename, code_name, code_qualname, code_linetable, code_firstlineno,
		code_argcount, code_adaptive;
	uint16_t bytes_size, bytes_sval;
	uint16_t str_state, str_length, str_ascii_size;
	uint16_t code_tlbc; /* its value is 0 unless free-threaded */
	struct {
		uint16_t at;
		uint16_t value[2]; /* as usual, and free-threaded */
	} exact[4]; /* sizeof _PyInterpreterFrame, PyCodeObject, PyBytesObject, PyUnicodeObject */
	/* What the table does not give. */
	uint16_t code_flags; /* free-threaded: behind an object head that has 16 bytes more */
	uint16_t owner_skip; /* FRAME_OWNED_BY_CSTACK in 3.13, FRAME_OWNED_BY_INTERPRETER after */
	uint16_t tag_mask;   /* f_executable is a _PyStackRef from 3.14 on */
	/* free-threaded: from 3.14 on, interned is a byte of its own in a str's state */
	uint16_t kind_shift;
};
