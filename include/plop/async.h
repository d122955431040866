/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * Where CPython keeps what tells of a thread's asyncio task and of those that await it: one struct
 * plop_async for each minor version, build flavour and build of its _asyncio module. User space
 * fills it, the kernel reads it. All offsets are in bytes.
 */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include "plop/limits.h"

struct plop_async {
	/*
	 * PyThreadState: the task that runs, 3.14+; 0: told by what the event loop calls (before)
	 */
	__u16 ts_running;

	/* TaskObj, and FutureObj with which it begins */
	__u16 task_coro;
	__u16 task_name;
	__u16 task_waiter;       /* task_fut_waiter: what it awaits; up to 3.13, 0 after */
	__u16 fut_callback0;     /* up to 3.13 */
	__u16 fut_callbacks;     /* ... a list of more, or NULL */
	__u16 fut_awaited_by;    /* from 3.14 on: a future or a task, or a set of them, or NULL */
	__u16 awaited_by_is_set; /* ... a char */
	__u16 is_task;           /* ... a char: not a future that is no task */

	/* asyncio.Handle._callback; up to 3.13 */
	__u16 handle_callback;

	/* PyObject, PyTypeObject */
	__u16 object_type;
	__u16 object_head; /* what follows PyObject_HEAD */
	__u16 type_name;
	__u16 type_flags;

	/* PyCodeObject */
	__u16 code_flags;

	/* PyGenObject, PyCoroObject, PyAsyncGenObject: one head for all */
	__u16 gen_frame;
	__u16 gen_state;
	__s8 gen_awaits; /* its value while it is suspended in an await */
	/* ... in a yield. The same up to 3.12: which one it is the next instruction tells */
	__s8 gen_yields;
	/* 1: frame_stack is a pointer behind the top of the stack, else an index (int) */
	__u8 stack_pointer;
	__u8 stack_depth; /* the how-manieth from the top is what is awaited: 1 or 2 */

	/* _PyInterpreterFrame */
	__u16 frame_stack; /* stacktop or stackpointer */
	__u16 frame_locals;

	/*
	 * 3.12, 3.13: the instructions that a coroutine is at while what it awaits runs, ended by
	 * 0; at any other it runs another coroutine by a call, which may make that an eager task.
	 * Up to 3.11 there are none, from 3.14 on it need not be known.
	 */
	__u8 await_ops[6];
	/* 1: the instruction pointer may be one unit behind the first two of them */
	__u8 await_behind;
	__u8 pad;
};

_Static_assert(sizeof(struct plop_async) == 50, "shared with the kernel side");

/* What sets a process's number of those, in place: exec may put another entry there meanwhile. */
struct plop_async_assign {
	__u64 image;
	__u32 tgid;
	__u32 async;
};

/*
 * Where a task stands in a stack: from its outermost coroutine on towards the root there lie a
 * synthetic frame with its name (plop/frame.h), the frames of the task that awaits it, that one's
 * synthetic frame, and so on, the last a synthetic one; then the rest of the thread's frames.
 */
