/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * Where CPython keeps what plop reads: one struct plop_layout for each minor version and build
 * flavour. User space fills it (tables up to 3.12, _Py_DebugOffsets from 3.13) and hands it to the
 * kernel; both sides read it. All offsets are in bytes. 64-bit little-endian targets only.
 */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* How a thread state leads to its innermost frame. */
enum plop_frame_link {
	PLOP_LINK_NONE = 0,
	/* up to 3.10: PyThreadState.frame is a PyFrameObject *, f_lasti is an int */
	PLOP_LINK_OBJECT = 1,
	/* 3.11, 3.12: PyThreadState.cframe -> _PyCFrame.current_frame, an _PyInterpreterFrame * */
	PLOP_LINK_CFRAME = 2,
	/* 3.13 and later: PyThreadState.current_frame */
	PLOP_LINK_CURRENT = 3,
};

struct plop_layout {
	__u16 version;      /* major << 8 | minor: 0x030d is 3.13 */
	__u8 frame_link;    /* enum plop_frame_link */
	__u8 free_threaded; /* 1: built with --disable-gil */

	/* _PyRuntimeState and PyInterpreterState */
	__u32 runtime_interpreters_head;
	/* a pointer, set while the interpreter finalises; 0: there is none (before 3.7) */
	__u32 runtime_finalizing;
	__u32 interp_next;
	__u32 interp_threads_head;
	__u32 interp_code_generation; /* interp->code_object_generation, 3.14+; 0: there is none */

	/*
	 * PyThreadState. The kernel reads its first ts_len bytes at once: ts_len covers every field
	 * below.
	 */
	__u16 ts_next;
	__u16 ts_thread_id;
	__u16 ts_native_id; /* 0: there is none (before 3.11) */
	__u16 ts_frame;     /* frame, cframe or current_frame, by frame_link */
	/* datastack_chunk, then datastack_top (both are read), 3.11+; 0: there is none */
	__u16 ts_chunk;
	/*
	 * _status, 3.12+: its bit PLOP_TS_BOUND tells which of a thread's states is in use, where
	 * it has several (one in each sub-interpreter that it ever entered); 0: there is none.
	 */
	__u16 ts_status;
	__u16 ts_len;         /* at most PLOP_TS_MAX */
	__u16 cframe_current; /* _PyCFrame.current_frame (PLOP_LINK_CFRAME) */

	/* PyFrameObject or _PyInterpreterFrame. The kernel reads its first frame_len bytes. */
	__u16 frame_previous;
	__u16 frame_code;
	/* f_lasti (int) with LINK_OBJECT, else prev_instr or instr_ptr (pointer) */
	__u16 frame_instr;
	__u16 frame_owner; /* a char; 0: there is none */
	/* frames whose owner is this or more are not Python functions: skip them */
	__u16 frame_owner_skip;
	/* LINK_OBJECT: bytes that one unit of f_lasti stands for (3.10: 2) */
	__u16 frame_lasti_unit;
	__u16 frame_tlbc_index; /* free-threaded 3.14+; 0: there is none */
	__u16 frame_len;        /* at most PLOP_FRAME_MAX */
	/* low bits of frame_code's pointer that are a tag, not address: 0 or 3 */
	__u16 frame_tag_mask;

	/* PyCodeObject */
	__u16 code_argcount;
	__u16 code_flags;
	__u16 code_firstlineno;
	__u16 code_filename;
	__u16 code_name;
	__u16 code_qualname;  /* 0: there is none (before 3.11) */
	__u16 code_linetable; /* co_lnotab up to 3.9, co_linetable after */
	__u16 code_bytecode;  /* 3.11+: co_code_adaptive, inside the object. Before: 0 */
	__u16 code_tlbc;      /* free-threaded 3.14+: co_tlbc; 0: there is none */
	/*
	 * The part of the object that never changes while it lives and tells it from a successor at
	 * the same address: counts, flags, first line, version where there is one, and the pointers
	 * to names and line table. They make the code object's fingerprint, see
	 * plop_fingerprint_add(). Multiple of 8, <= PLOP_FINGERPRINT_MAX.
	 */
	__u16 code_fingerprint;
	__u16 code_fingerprint_len;
	__u16 code_len; /* bytes that a reader of the whole head needs */

	/* PyASCIIObject, PyCompactUnicodeObject, PyBytesObject */
	__u16 str_length;
	__u16 str_state;
	__u16 str_ascii_data;
	__u16 str_compact_data;
	/* bit of the state word at which kind (3 bits) begins; compact, then ascii follow */
	__u8 str_kind_shift;
	/* bits that a reader of the state word takes as set: 2.7's strings have none of them */
	__u8 str_state_set;
	__u16 bytes_size;
	__u16 bytes_data;
	/*
	 * 1: the texts (name, file name, line table) are part of the fingerprint. Before 3.12 code
	 * objects have no version, and one that exec() makes where another was just freed may agree
	 * with it in all its pointers.
	 */
	__u8 code_fingerprint_texts;
	__u8 gil_where; /* enum plop_gil_where */
	/*
	 * The GIL. From 3.12 on PLOP_TS_ACTIVE of ts_status says whether a thread state holds it;
	 * before, it is the one that runtime_current points to (0: not known). Who waits for it
	 * waits on a futex in the gil_size bytes at gil_at.
	 */
	__u32 runtime_current;
	__u32 gil_at;
	__u16 gil_size;
	__u16 pad1;
};

enum plop_gil_where {
	PLOP_GIL_UNKNOWN = 0,
	PLOP_GIL_RUNTIME = 1, /* gil_at is an offset in _PyRuntime */
	PLOP_GIL_POINTER = 2, /* ... in PyInterpreterState, of a pointer to it */
};

/*
 * PyThreadState.interp follows next in all versions, which follows prev where there is one
 * (pystate.h of 2.7 and 3.6, cpython/pystate.h of 3.8 to 3.15); datastack_top follows
 * datastack_chunk (cpython/pystate.h, 3.11 to 3.15).
 */
#define PLOP_TS_INTERP(l)    ((l)->ts_next + 8)
#define PLOP_TS_CHUNK_END(l) ((l)->ts_chunk + 8)

#define PLOP_TS_MAX          512
#define PLOP_FRAME_MAX       128
#define PLOP_FINGERPRINT_MAX 128

/* _status.bound_gilstate (cpython/pystate.h, 3.12 to 3.15) */
#define PLOP_TS_BOUND 0x8
/* ... and _status.active: attached, and with the GIL, if there is one */
#define PLOP_TS_ACTIVE 0x10

_Static_assert(sizeof(struct plop_layout) == 112, "shared with the kernel side");
_Static_assert((PLOP_TS_MAX & (PLOP_TS_MAX - 1)) == 0, "the kernel side masks offsets with it");
_Static_assert((PLOP_FRAME_MAX & (PLOP_FRAME_MAX - 1)) == 0, "... and with it");
_Static_assert((PLOP_FINGERPRINT_MAX & (PLOP_FINGERPRINT_MAX - 1)) == 0, "... and with it");

/* Of a str, by its state word, str_state_set included: bytes for each character. */
static inline __attribute__((always_inline)) __u32 plop_str_kind(const struct plop_layout *l,
								 __u32 state)
{
	return state >> l->str_kind_shift & 7;
}

static inline __attribute__((always_inline)) __u32 plop_str_is_ascii(const struct plop_layout *l,
								     __u32 state)
{
	return state >> (l->str_kind_shift + 4) & 1;
}

/* ... and where in the object its characters begin. */
static inline __attribute__((always_inline)) __u32 plop_str_data(const struct plop_layout *l,
								 __u32 ascii)
{
	return ascii ? l->str_ascii_data : l->str_compact_data;
}

/*
 * The fingerprint of a code object: what tells it from another that lies, or lay, at the same
 * address. Same result in the kernel and in user space. Begun with 0, it takes in the bytes
 * [code_fingerprint, code_fingerprint + code_fingerprint_len) of the object; with
 * code_fingerprint_texts then its name, file name and line table: of each PLOP_TEXT_HEAD bytes from
 * its length on (or 16, where the rest is not mapped) as plop_text_own() leaves them, and of one
 * with more text than is in there its last PLOP_TEXT_TAIL bytes.
 */
#define PLOP_TEXT_HEAD       80u
#define PLOP_TEXT_HEAD_LEAST 16u
#define PLOP_TEXT_TAIL       32u
_Static_assert(PLOP_TEXT_HEAD % 8 == 0 && PLOP_TEXT_HEAD_LEAST % 8 == 0 &&
		       PLOP_TEXT_TAIL % 8 == 0 && PLOP_TEXT_HEAD <= PLOP_FINGERPRINT_MAX,
	       "they are added as words");

/* The texts of a code object, in the order in which they are added. */
enum plop_text {
	PLOP_TEXT_NAME = 0,
	PLOP_TEXT_FILE = 1,
	PLOP_TEXT_LINES = 2, /* a bytes object; the others are str */
};
#define PLOP_TEXTS 3

/* Where in a code object the pointer to a text is. */
static inline __attribute__((always_inline)) __u32 plop_text_pointer(const struct plop_layout *l,
								     enum plop_text text)
{
	return text == PLOP_TEXT_FILE  ? l->code_filename :
	       text == PLOP_TEXT_LINES ? l->code_linetable :
	       l->code_qualname        ? l->code_qualname :
					 l->code_name;
}

/* Where in a text its head begins. */
static inline __attribute__((always_inline)) __u32 plop_text_head(const struct plop_layout *l,
								  __u32 bytes)
{
	return bytes ? l->bytes_size : l->str_length;
}

/* words: at most PLOP_FINGERPRINT_MAX / 8. */
static inline __attribute__((always_inline)) __u64 plop_fingerprint_add(__u64 h, const __u64 *words,
									__u32 nwords)
{
	for (__u32 i = 0; i < PLOP_FINGERPRINT_MAX / 8; i++) {
		if (i >= nwords)
			break;
		h = (h ^ words[i] ^ 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return h;
}

/* Never 0. The two highest bits of a frame's are PLOP_FINGERPRINT_UNREAD and _LOOSE. */
#define PLOP_FINGERPRINT_BITS 0x3fffffffu
static inline __attribute__((always_inline)) __u32 plop_fingerprint_end(__u64 h)
{
	__u32 fingerprint = (__u32)h & PLOP_FINGERPRINT_BITS;

	return fingerprint ? fingerprint : 1;
}

/*
 * Where the tail of a text lies, from the object's address; 0: it has none. head: its
 * PLOP_TEXT_HEAD bytes. bytes: whether it is a bytes object (a line table).
 */
static inline __attribute__((always_inline)) __u32 plop_text_tail(const struct plop_layout *l,
								  const __u64 *head, __u32 bytes)
{
	__u32 data = l->bytes_data, state = 0, at = l->str_state - l->str_length;
	__u64 size = head[0];

	if (!bytes) {
		if (at < PLOP_TEXT_HEAD)
			state = (__u32)(head[at / 8] >> (at % 8 * 8));
		state |= l->str_state_set;
		data = plop_str_data(l, plop_str_is_ascii(l, state));
		if (size > 1u << 20)
			return 0;
		size *= plop_str_kind(l, state);
	}
	if (size > 1u << 22 || data + size <= l->str_length + PLOP_TEXT_HEAD ||
	    size < PLOP_TEXT_TAIL)
		return 0;
	return data + (__u32)size - PLOP_TEXT_TAIL;
}

/*
 * Takes out of a text's head what is not its own, since what lies behind a short one comes and
 * goes, and its hash, which CPython computes when it is first asked for: the word behind the length
 * in str, in bytes and in 2.7's both.
 */
static inline __attribute__((always_inline)) void plop_text_own(const struct plop_layout *l,
								__u64 *head, __u32 bytes)
{
	__u32 data = l->bytes_data - l->bytes_size, state = 0, at = l->str_state - l->str_length;
	__u64 size = head[0], end;

	if (!bytes) {
		if (at < PLOP_TEXT_HEAD)
			state = (__u32)(head[at / 8] >> (at % 8 * 8));
		state |= l->str_state_set;
		data = plop_str_data(l, plop_str_is_ascii(l, state)) - l->str_length;
		if (size < PLOP_TEXT_HEAD)
			size *= plop_str_kind(l, state);
	}
	end = size < PLOP_TEXT_HEAD ? data + size : PLOP_TEXT_HEAD;
	head[1] = 0;
	for (__u32 i = 2; i < PLOP_TEXT_HEAD / 8; i++) {
		if (end <= i * 8)
			head[i] = 0;
		else if (end < i * 8 + 8)
			head[i] &= (1ULL << (end - i * 8) * 8) - 1;
	}
}

/*
 * Adds a text's head to a fingerprint; of the first, only PLOP_TEXT_HEAD_LEAST bytes are mapped.
 * What is in head is gone.
 */
static inline __attribute__((always_inline)) __u64 plop_text_add_least(__u64 h, __u64 *head)
{
	head[1] = 0;
	return plop_fingerprint_add(h, head, PLOP_TEXT_HEAD_LEAST / 8);
}

static inline __attribute__((always_inline)) __u64 plop_text_add(const struct plop_layout *l,
								 __u64 h, __u64 *head, __u32 bytes)
{
	plop_text_own(l, head, bytes);
	return plop_fingerprint_add(h, head, PLOP_TEXT_HEAD / 8);
}
