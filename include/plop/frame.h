/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * What a frame of a stack is. The kernel side tells it in one word of each frame, user space
 * carries it on through profiles, files and answers.
 */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* The numbers are in files of plop (functions.kind of plop.db), so they never change. */
enum plop_frame_kind {
	PLOP_FRAME_PYTHON = 0, /* a function of Python code */
	PLOP_FRAME_NATIVE = 1, /* machine code of a program or a library */
	PLOP_FRAME_KERNEL = 2,
	PLOP_FRAME_SYNTHETIC =
		3, /* of no program: plop puts it there to say something of the stack */
};
#define PLOP_FRAME_KINDS 4

/*
 * plop_frame.code, by its highest four bits:
 *
 *   0 to 7  PYTHON: the address of the code object. No address of a Python object has bit 63: not
 *   on x86-64, and on arm64 only
 *           with pointers that a sanitizer has tagged. The walks refuse one that has it, so no
 *           program can pass for another kind.
 *   8       SYNTHETIC: PLOP_SYNTHETIC(), what it says and a number.
 *   9       NATIVE: PLOP_NATIVE(), the address of the instruction.
 *   15      KERNEL: the address of the instruction. All addresses of the kernel begin with so many
 *           ones, on both machines.
 */
#define PLOP_FRAME_TAG(word)     ((__u32)((word) >> 60))
#define PLOP_FRAME_TAG_SYNTHETIC 8u
#define PLOP_FRAME_TAG_NATIVE    9u
#define PLOP_FRAME_TAG_KERNEL    15u
#define PLOP_FRAME_ADDRESS       ((1ULL << 60) - 1)

#define PLOP_NATIVE(address) ((__u64)PLOP_FRAME_TAG_NATIVE << 60 | ((address)&PLOP_FRAME_ADDRESS))

/* What a synthetic frame among those that were walked says: of asyncio tasks (plop/async.h). */
enum plop_synthetic {
	PLOP_SYNTHETIC_TASK = 0, /* a task that nobody has named, or whose name could not be read */
	PLOP_SYNTHETIC_NAMED = 1,   /* a task; its number is that of the record that has its name */
	PLOP_SYNTHETIC_SEVERAL = 2, /* so many await the task; which is not told */
	PLOP_SYNTHETIC_MORE = 3,    /* there is more, beyond the maximum */
};
#define PLOP_SYNTHETIC_NUMBER(word) ((word) & ((1ULL << 52) - 1))
#define PLOP_SYNTHETIC_WHAT(word)   ((__u32)((word) >> 52) & 7)
#define PLOP_SYNTHETIC(what, number)                                   \
	((__u64)PLOP_FRAME_TAG_SYNTHETIC << 60 | (__u64)(what) << 52 | \
	 PLOP_SYNTHETIC_NUMBER(number))

_Static_assert(PLOP_FRAME_TAG(PLOP_SYNTHETIC(7, ~0ULL)) == PLOP_FRAME_TAG_SYNTHETIC,
	       "neither what a synthetic frame says nor its number changes its kind");
_Static_assert(PLOP_SYNTHETIC_WHAT(PLOP_SYNTHETIC(PLOP_SYNTHETIC_MORE, ~0ULL)) ==
		       PLOP_SYNTHETIC_MORE,
	       "nor the number what it says");
_Static_assert(PLOP_FRAME_TAG(PLOP_NATIVE(~0ULL)) == PLOP_FRAME_TAG_NATIVE &&
		       PLOP_FRAME_TAG(PLOP_NATIVE(0)) == PLOP_FRAME_TAG_NATIVE,
	       "no address changes a native frame's kind");
_Static_assert(
	PLOP_FRAME_TAG(0xffff800000000000ULL) == PLOP_FRAME_TAG_KERNEL &&
		PLOP_FRAME_TAG(0xff00000000000000ULL) == PLOP_FRAME_TAG_KERNEL &&
		PLOP_FRAME_TAG(0xfff0000000000000ULL) == PLOP_FRAME_TAG_KERNEL,
	"the lowest kernel addresses of x86-64, with four and five levels of pages, and of arm64");
_Static_assert(PLOP_FRAME_TAG(0x00ffffffffffffffULL) < PLOP_FRAME_TAG_SYNTHETIC,
	       "the highest address of user space, of x86-64 with five levels of pages");

/* One frame. */
struct plop_frame {
	__u64 code; /* which function, and of which kind: as above */
	/*
	 * PYTHON; LINK_OBJECT: f_lasti * unit; else low 32 bits of (instruction pointer - code)
	 */
	__u32 instr;
	/* PYTHON; of the code object (PLOP_FINGERPRINT_*); 0: it was not readable */
	__u32 fingerprint;
};

_Static_assert(sizeof(struct plop_frame) == 16, "shared with the kernel side");

static inline __attribute__((always_inline)) enum plop_frame_kind plop_frame_kind(__u64 word)
{
	__u32 tag = PLOP_FRAME_TAG(word);

	return tag < PLOP_FRAME_TAG_SYNTHETIC ? PLOP_FRAME_PYTHON :
	       tag == PLOP_FRAME_TAG_NATIVE   ? PLOP_FRAME_NATIVE :
	       tag == PLOP_FRAME_TAG_KERNEL   ? PLOP_FRAME_KERNEL :
						PLOP_FRAME_SYNTHETIC;
}

/*
 * Whether an address that lies in a process's memory may be that of a code object: it is not 0, and
 * not another kind's.
 */
static inline __attribute__((always_inline)) int plop_frame_is_python(__u64 address)
{
	return (__s64)address > 0;
}
