/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * What asyncio and CPython say of who awaits what: from a coroutine to what it awaits, from a task
 * to those that await it, from the event loop to the task whose step it calls. Nothing is written
 * but this file's own maps.
 */
#include "pystack.bpf.h"

/* Types met, four bits of what they are in the low bits of plop_mix(image ^ address). */
#define TYPES_KNOWN 64

/* Object/genobject.c, all of them static types. */
enum awaitable {
	AWAITABLE_OTHER = 0, /* what it awaits in its turn is not known */
	AWAITABLE_FRAME = 1, /* a coroutine, a generator, an asynchronous generator: has a frame */
	AWAITABLE_WRAPPER = 2, /* begins with a pointer to one of those */
};

/* Py_TPFLAGS_HEAPTYPE, LONG_SUBCLASS, UNICODE_SUBCLASS (object.h, 3.11 to 3.15) */
#define TYPE_IS_HEAP (1ULL << 9)
#define TYPE_IS_STR  (1ULL << 28)

/* FRAME_OWNED_BY_GENERATOR (internal/pycore_frame.h, 3.11 to 3.15) */
#define OWNER_GENERATOR 1

/* CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR (cpython/code.h) */
#define CODE_IS_COROUTINE (0x80 | 0x100 | 0x200)

/*
 * What is read of a generator at once: its head, its frame, and so much of what lies behind that:
 * local variables and stack. What it awaits is on top of the stack.
 */
#define GENERATOR_MAX    512 /* a power of two, for the verifier */
#define GENERATOR_BEHIND 64

/* One for each CPU. */
struct async_scratch {
	/* the walk */
	__u64 running; /* 3.14+: the task that the thread says it runs */
	__u64 until;   /* ... and the outermost frame of its coroutine */
	__u64 inner;   /* up to 3.13: the last frame met, if it is a generator's; its code object */
	__u64 inner_code;
	__u32 passed; /* that frame is among those walked */
	__u32 paused; /* the walk is at the frame below it */
	__u32 barred; /* the innermost coroutine is not the task's, so the task cannot be told */
	__u32 pad;

	/* the tasks */
	__u64 task;   /* that whose awaiter comes next, or whose coroutines are being followed */
	__u64 fut;    /* what is awaited: the task, or a future that stands for it */
	__u64 object; /* what is to be followed next; 0: the task's coroutines are all known */
	__u32 hops;
	__u32 nchain;
	__u32 failed;                               /* something did not fit */
	struct plop_frame chain[PLOP_ASYNC_FRAMES]; /* outermost first */

	__u64 words[4];
	__u8 generator[GENERATOR_MAX + 8]; /* the one that is followed, as far as it was read */
	__u64 name[PLOP_CAPTURE_TASK / 8];
	__u8 record[sizeof(struct plop_record_task) + PLOP_CAPTURE_TASK];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* user space: possible CPUs */
	__type(key, __u32);
	__type(value, struct async_scratch);
} async_scratch SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLOP_MAX_LAYOUTS);
	__type(key, __u32);
	__type(value, struct plop_async);
} asyncs SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TYPES_KNOWN);
	__type(key, __u32);
	__type(value, __u64);
} async_types SEC(".maps") __weak;

struct walk_async {
	struct walk w; /* first: its functions are given this */
	const struct plop_async *a;
	struct async_scratch *s;
};

/* A pointer of the target's; 0: there is none to be had. */
static __always_inline __u64 pointer_read(__u64 address)
{
	__u64 p = 0;

	bpf_probe_read_user(&p, sizeof(p), (void *)address);
	return p;
}

/* Whether the instruction at ip is one that awaits (plop_async.await_ops). */
static __always_inline bool is_awaiting(const struct plop_async *a, __u64 ip)
{
	__u8 code[4] = {}; /* an opcode and an argument, twice */

	if (bpf_probe_read_user(code, sizeof(code), (void *)(ip - 2)))
		return false;
#pragma unroll
	for (__u32 i = 0; i < sizeof(a->await_ops); i++) {
		if (!a->await_ops[i])
			break;
		if (code[2] == a->await_ops[i] ||
		    (i < 2 && a->await_behind && code[0] == a->await_ops[i]))
			return true;
	}
	return false;
}

/* Eight characters of a type's name, as they lie in memory. */
#define CHARS(a, b, c, d, e, f, g, h)                                                            \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/*
 * enum awaitable of a type, by its name: classes of Python code have none of these names and are
 * static.
 */
static __always_inline __u32 type_kind(struct walk_async *y, __u64 type)
{
	__u64 key = plop_mix(y->w.s->identify.image ^ type), *known, *t = y->s->words;
	__u32 slot = key >> 40 & (TYPES_KNOWN - 1), kind = AWAITABLE_OTHER;

	known = bpf_map_lookup_elem(&async_types, &slot);
	if (!known)
		return kind;
	if ((*known & ~15ULL) == (key & ~15ULL))
		return *known & 15;
	if (pointer_read(type + y->a->type_flags) & TYPE_IS_HEAP)
		return kind;
	t[0] = t[1] = t[2] = t[3] = 0;
	if (bpf_probe_read_user_str(t, 24, (void *)pointer_read(type + y->a->type_name)) <= 0)
		return kind;
	if ((t[0] == CHARS('c', 'o', 'r', 'o', 'u', 't', 'i', 'n') && t[1] == 'e') ||
	    (t[0] == CHARS('g', 'e', 'n', 'e', 'r', 'a', 't', 'o') && t[1] == 'r') ||
	    (t[0] == CHARS('a', 's', 'y', 'n', 'c', '_', 'g', 'e') &&
	     t[1] == CHARS('n', 'e', 'r', 'a', 't', 'o', 'r', 0)))
		kind = AWAITABLE_FRAME;
	else if ((t[0] == CHARS('a', 's', 'y', 'n', 'c', '_', 'g', 'e') &&
		  t[1] == CHARS('n', 'e', 'r', 'a', 't', 'o', 'r', '_') &&
		  (t[2] == CHARS('a', 's', 'e', 'n', 'd', 0, 0, 0) ||
		   t[2] == CHARS('a', 't', 'h', 'r', 'o', 'w', 0, 0))) ||
		 (t[0] == CHARS('c', 'o', 'r', 'o', 'u', 't', 'i', 'n') &&
		  t[1] == CHARS('e', '_', 'w', 'r', 'a', 'p', 'p', 'e') && t[2] == 'r') ||
		 (t[0] == CHARS('a', 'n', 'e', 'x', 't', '_', 'a', 'w') &&
		  t[1] == CHARS('a', 'i', 't', 'a', 'b', 'l', 'e', 0)))
		kind = AWAITABLE_WRAPPER;
	*known = (key & ~15ULL) | kind;
	return kind;
}

/* A field of the frame of the generator in s->generator. */
#define GENERATOR_FIELD(FIELD, y, field) \
	FIELD((y)->s->generator, (y)->a->gen_frame + (field), GENERATOR_MAX)

/*
 * Reads the generator at object into s->generator: length bytes, all but the last GENERATOR_BEHIND
 * of which are its own. Returns how many are there; 0: none.
 */
static __always_inline __u32 generator_read(struct walk_async *y, __u64 object, __u32 length)
{
	void *to = y->s->generator;

	if (length > GENERATOR_MAX)
		return 0;
	if (!bpf_probe_read_user(to, length, (void *)object))
		return length;
	/* nothing may be mapped behind it */
	length -= GENERATOR_BEHIND;
	if (length > GENERATOR_MAX || bpf_probe_read_user(to, length, (void *)object))
		return 0;
	return length;
}

/*
 * What the suspended generator at object awaits, of which s->generator has the first length bytes;
 * 0: it yields, or awaits nothing that could be followed. (_PyGen_yf(), Objects/genobject.c.)
 */
static __always_inline __u64 awaited(struct walk_async *y, __u64 object, __u32 length, __s8 state)
{
	const struct plop_async *a = y->a;
	__u64 top, at, p;
	__u8 argument = 0;
	__s32 index;

	if (state != a->gen_awaits)
		return 0;
	if (a->gen_awaits == a->gen_yields) {
		/*
		 * the instruction after prev_instr is a RESUME, whose argument is 2 in "yield
		 * from", 3 in "await"
		 */
		at = GENERATOR_FIELD(FIELD64, y, y->w.l->frame_instr) + 3;
		if (bpf_probe_read_user(&argument, sizeof(argument), (void *)at) || argument < 2)
			return 0;
	}
	if (a->stack_pointer) {
		top = GENERATOR_FIELD(FIELD64, y, a->frame_stack);
	} else {
		index = GENERATOR_FIELD(FIELD32, y, a->frame_stack);
		if (index < 1 || index > 65535)
			return 0;
		top = object + a->gen_frame + a->frame_locals + 8ULL * index;
	}
	top -= 8ULL * a->stack_depth;
	at = top - object;
	p = at < length && length - at >= 8 ? FIELD64(y->s->generator, at, GENERATOR_MAX) :
					      pointer_read(top);
	return p & ~(__u64)y->w.l->frame_tag_mask;
}

/* Follows s->object, which the task awaits in the end, one step further in. */
static __always_inline void chain_step(struct walk_async *y)
{
	const struct plop_layout *l = y->w.l;
	struct async_scratch *s = y->s;
	__u64 object = s->object, type, code;
	__u32 n = s->nchain, length, kind;
	__s8 state;

	s->object = 0;
	length = generator_read(y, object, y->a->gen_frame + l->frame_len + GENERATOR_BEHIND);
	/* what is no generator may be shorter */
	type = length ? FIELD64(s->generator, y->a->object_type, GENERATOR_MAX) :
			pointer_read(object + y->a->object_type);
	kind = type_kind(y, type);
	if (kind == AWAITABLE_WRAPPER) {
		s->object = pointer_read(object + y->a->object_head);
		return;
	}
	if (kind != AWAITABLE_FRAME || !length)
		return;
	state = FIELD8(s->generator, y->a->gen_state, GENERATOR_MAX);
	if ((state != y->a->gen_awaits && state != y->a->gen_yields) ||
	    GENERATOR_FIELD(FIELD8, y, l->frame_owner) != OWNER_GENERATOR)
		return;
	code = GENERATOR_FIELD(FIELD64, y, l->frame_code) & ~(__u64)l->frame_tag_mask;
	if (!plop_frame_is_python(code) || !IS_WITHIN(n, PLOP_ASYNC_FRAMES - 1))
		return;
	s->chain[n].code = code;
	s->chain[n].instr = GENERATOR_FIELD(FIELD64, y, l->frame_instr) - code;
	s->nchain = n + 1;
	s->object = awaited(y, object, length, state);
}

/*
 * The one element of a set; 0: it has none, or more, or too many places to look at (PySetObject,
 * cpython/setobject.h).
 */
static __always_inline __u64 set_single(struct walk_async *y, __u64 set, __u64 *ret_used)
{
	struct {
		__u64 fill, used, mask, table;
	} head = {};
	struct {
		__u64 key;
		__s64 hash;
	} entry;
	__u64 found = 0;

	bpf_probe_read_user(&head, sizeof(head), (void *)(set + y->a->object_head));
	*ret_used = head.used;
	if (head.used != 1 || head.mask > 7)
		return 0;
	for (__u32 i = 0; i < 8; i++) {
		if (i > head.mask ||
		    bpf_probe_read_user(&entry, sizeof(entry), (void *)(head.table + 16ULL * i)))
			break;
		/* a place whose element was taken out has the hash -1 */
		if (entry.key && entry.hash != -1)
			found = entry.key;
	}
	return found;
}

/* 3.14 and later: what awaits s->fut, a task or a future; 0: nothing that could be told. */
static __always_inline __u64 awaiter(struct walk_async *y, __u64 *ret_several)
{
	const struct plop_async *a = y->a;
	__u64 by = pointer_read(y->s->fut + a->fut_awaited_by), used = 0;
	__u8 is_set = 0;

	if (!by || bpf_probe_read_user(&is_set, sizeof(is_set),
				       (void *)(y->s->fut + a->awaited_by_is_set)))
		return 0;
	if (!is_set)
		return by;
	by = set_single(y, by, &used);
	if (used > 1)
		*ret_several = used;
	return by;
}

/*
 * The task whose wakeup a callback is, if it says that it awaits that of now; 0: it does not, or is
 * something else.
 */
static __always_inline __u64 callback_task(struct walk_async *y, __u64 callback)
{
	const struct plop_async *a = y->a;
	/* m_self of a PyCFunctionObject (cpython/methodobject.h): of TaskObj.__wakeup the task */
	__u64 task = callback ? pointer_read(callback + a->object_head + 8) : 0;

	if (!task || pointer_read(task + a->task_waiter) != y->s->fut)
		return 0;
	return pointer_read(task + a->object_type) == pointer_read(y->s->fut + a->object_type) ?
		       task :
		       0;
}

/* Up to 3.13: what awaits s->fut, a task. It is among what is called when that ends. */
static __always_inline __u64 awaiter_called(struct walk_async *y, __u64 *ret_several)
{
	const struct plop_async *a = y->a;
	__u64 list = pointer_read(y->s->fut + a->fut_callbacks), found, task, n = 0;
	__u64 several = 0, items = 0;

	found = callback_task(y, pointer_read(y->s->fut + a->fut_callback0));
	several = found != 0;
	if (list) {
		/*
		 * ob_size and ob_item (cpython/listobject.h), of tuples (cpython/tupleobject.h) of
		 * a callback and a context
		 */
		n = pointer_read(list + a->object_head);
		items = pointer_read(list + a->object_head + 8);
	}
	if (n > PLOP_ASYNC_CALLBACKS)
		return 0;
	for (__u32 i = 0; i < PLOP_ASYNC_CALLBACKS; i++) {
		if (i >= n)
			break;
		task = pointer_read(items + 8ULL * i);
		task = callback_task(y, pointer_read(task + a->object_head + 8));
		if (task) {
			found = task;
			several++;
		}
	}
	if (several > 1)
		*ret_several = several;
	return found;
}

/*
 * Up to 3.13: the task whose step the event loop's Handle calls. The walk is at the frame of
 * Handle._run(), whose first local variable is the Handle, and has just passed the outermost frame
 * of a coroutine: if it is not that task's, this is none.
 */
static __always_inline __u64 task_called(struct walk_async *y)
{
	const struct plop_async *a = y->a;
	struct async_scratch *s = y->s;
	__u64 handle = pointer_read(y->w.s->walk.frame + a->frame_locals), callback, task;

	callback = handle ? pointer_read(handle + a->handle_callback) : 0;
	if (!callback)
		return 0;
		/*
		 * sw_task of a TaskStepMethWrapper (Modules/_asynciomodule.c), else m_self of the
		 * method __wakeup
		 */
#pragma unroll
	for (__u32 i = 0; i < 2; i++) {
		task = pointer_read(callback + a->object_head + 8 * i);
		if (task && pointer_read(task + a->task_coro) + a->gen_frame == s->inner)
			return task;
	}
	return 0;
}
