/* SPDX-License-Identifier: BSD-2-Clause */
#include "tasks.h"

#include <assert.h>
#include <string.h>

#include "python/python.h"
#include "util/macro.h"

#define TYPE(n)     (MADE_TASKS + (n)*0x100ull)
#define TYPE_TASK   TYPE(MADE_TYPES)
#define TYPE_STR    TYPE(MADE_TYPES + 1)
#define TYPE_NUMBER TYPE(MADE_TYPES + 2)
#define TYPE_LAST   TYPE_NUMBER

/* What belongs to task n, behind it. */
#define AWAITERS(n) (MADE_TASK(n) + 0xc0)
#define TABLE(n)    (MADE_TASK(n) + 0x100)
#define ITEMS(n)    (MADE_TASK(n) + 0x180)
#define ITEM(n, i)  (MADE_TASK(n) + 0x200 + (i)*0x40ull)
#define NAME(n)     (MADE_TASK(n) + 0x400)
#define NUMBER(n)   (MADE_TASK(n) + 0x600)
#define WAKEUP(n)   (MADE_TASK(n) + 0x640)
#define STEP(n)     (MADE_TASK(n) + 0x680)

_Static_assert(TYPE_LAST + 0x100 <= MADE_HANDLE, "room for the types");
_Static_assert(MADE_TASK(MADE_MOST_TASKS) <= MADE_CORO(0), "room for the tasks");
_Static_assert(MADE_CORO(MADE_CORO_MAX) <= MADE_BASE + MADE_SIZE, "room for the coroutines");

#define HEAP               0x200u     /* Py_TPFLAGS_HEAPTYPE */
#define STR                (1u << 28) /* Py_TPFLAGS_UNICODE_SUBCLASS */
#define LONG               (1u << 24) /* Py_TPFLAGS_LONG_SUBCLASS */
#define CO_COROUTINE       0x80u
#define OWNED_BY_GENERATOR 1 /* enum _frameowner */

/* .AsyncioDebug of CPython 3.14.10 (x86-64), by which tasks are found from 3.14 on. */
static const uint64_t asyncio[ASYNC_TABLE_SIZE / 8] = { 168,    136,   96,  108, 109, 128, 152,
							225864, 10880, 936, 864, 872, 880 };

bool tasks_layout(const struct plop_layout *l, struct plop_async *ret)
{
	return async_layout(l, asyncio, ret) == 0;
}

static void object(struct tasks *t, uint64_t at, uint64_t type)
{
	made_put(t->m, at + t->a.object_type, type, 8);
}

static void type(struct tasks *t, uint64_t at, const char *name, uint64_t flags)
{
	made_put(t->m, at + t->a.type_flags, flags, 8);
	made_put(t->m, at + t->a.type_name, at + 0xd0, 8);
	for (size_t i = 0; name[i]; i++)
		made_put(t->m, at + 0xd0 + i, (uint8_t)name[i], 1);
}

void tasks_new(struct tasks *t, struct made *m, const struct plop_async *a)
{
	static const char *const names[] = {
		[MADE_COROUTINE] = "coroutine",
		[MADE_GENERATOR] = "generator",
		[MADE_ASYNC_GENERATOR] = "async_generator",
		[MADE_ASEND] = "async_generator_asend",
		[MADE_CORO_WRAPPER] = "coroutine_wrapper",
		[MADE_FUTURE_ITER] = "_asyncio.FutureIter",
		[MADE_CLASS] = "coroutine",
	};

	*t = (struct tasks){ .m = m, .a = *a };
	for (unsigned int i = 0; i < MADE_TYPES; i++)
		type(t, TYPE(i), names[i], i >= MADE_FUTURE_ITER ? HEAP : 0);
	type(t, TYPE_TASK, "_asyncio.Task", HEAP);
	type(t, TYPE_STR, "str", STR);
	type(t, TYPE_NUMBER, "int", LONG);
}

unsigned int tasks_code_of(unsigned int n)
{
	return 24 + n % MADE_CORO_MAX;
}

void tasks_coro(struct tasks *t, unsigned int n, enum made_type kind, uint64_t awaited)
{
	const struct plop_layout *l = &t->m->l;
	const struct plop_async *a = &t->a;
	const uint64_t at = MADE_CORO(n), f = at + a->gen_frame, code = MADE_CODE(tasks_code_of(n));
	const uint64_t top = f + a->frame_locals + 16, ip = code + l->code_bytecode + 4;

	assert(n < MADE_CORO_MAX);
	object(t, at, TYPE(kind));
	made_put(t->m, at + a->gen_state, (uint8_t)a->gen_awaits, 1);
	made_frame(t->m, f, tasks_code_of(n), 0);
	made_put(t->m, f + l->frame_owner, OWNED_BY_GENERATOR, 1);
	if (a->stack_pointer)
		made_put(t->m, f + a->frame_stack, top, 8);
	else
		made_put(t->m, f + a->frame_stack, 2, 4);
	made_put(t->m, top - 8u * a->stack_depth, awaited | (l->frame_tag_mask & 1), 8);
	made_put(t->m, code + a->code_flags, kind == MADE_GENERATOR ? 0x20 : CO_COROUTINE, 4);
	/* it is at an instruction that awaits; the next one is a RESUME that says so */
	made_put(t->m, ip, a->await_ops[0], 1);
	made_put(t->m, ip + 3, 3, 1);
}

void tasks_wrapper(struct tasks *t, unsigned int n, enum made_type kind, uint64_t of)
{
	object(t, MADE_CORO(n), TYPE(kind));
	made_put(t->m, MADE_CORO(n) + t->a.object_head, of, 8);
}

void tasks_task(struct tasks *t, unsigned int n, unsigned int coro, const char *name)
{
	const struct plop_layout *l = &t->m->l;
	const struct plop_async *a = &t->a;
	const uint64_t at = MADE_TASK(n);

	assert(n < MADE_MOST_TASKS);
	object(t, at, TYPE_TASK);
	object(t, NUMBER(n), TYPE_NUMBER);
	made_put(t->m, at + a->task_coro, MADE_CORO(coro), 8);
	made_put(t->m, at + a->task_name, name ? NAME(n) : NUMBER(n), 8);
	if (a->is_task)
		made_put(t->m, at + a->is_task, 1, 1);
	/* TaskObj.__wakeup, a method of it, and what calls its step */
	made_put(t->m, WAKEUP(n) + a->object_head + 8, at, 8);
	made_put(t->m, STEP(n) + a->object_head, at, 8);
	if (!name)
		return;
	object(t, NAME(n), TYPE_STR);
	made_put(t->m, NAME(n) + l->str_length, strlen(name), 8);
	made_put(t->m, NAME(n) + l->str_state,
		 1u << l->str_kind_shift | 3u << (l->str_kind_shift + 3), 4);
	for (size_t i = 0; name[i]; i++)
		made_put(t->m, NAME(n) + l->str_ascii_data + i, (uint8_t)name[i], 1);
}

void tasks_future(struct tasks *t, unsigned int n)
{
	made_put(t->m, MADE_TASK(n) + t->a.is_task, 0, 1);
}

void tasks_awaited(struct tasks *t, unsigned int n, unsigned int by)
{
	const struct plop_async *a = &t->a;

	if (a->fut_awaited_by) {
		made_put(t->m, MADE_TASK(n) + a->fut_awaited_by, MADE_TASK(by), 8);
		return;
	}
	made_put(t->m, MADE_TASK(n) + a->fut_callback0, WAKEUP(by), 8);
	made_put(t->m, MADE_TASK(by) + a->task_waiter, MADE_TASK(n), 8);
}

void tasks_awaited_by(struct tasks *t, unsigned int n, unsigned int first, unsigned int many)
{
	const struct plop_async *a = &t->a;
	const uint64_t at = AWAITERS(n) + a->object_head;

	assert(many <= 8);
	if (a->fut_awaited_by) {
		/* a set: fill, used, mask, table */
		made_put(t->m, MADE_TASK(n) + a->fut_awaited_by, AWAITERS(n), 8);
		made_put(t->m, MADE_TASK(n) + a->awaited_by_is_set, 1, 1);
		made_put(t->m, at, many + 1, 8);
		made_put(t->m, at + 8, many, 8);
		made_put(t->m, at + 16, 7, 8);
		made_put(t->m, at + 24, TABLE(n), 8);
		for (unsigned int i = 0; i < many; i++) {
			made_put(t->m, TABLE(n) + 16 * ((i + 3) % 8), MADE_TASK(first + i), 8);
			made_put(t->m, TABLE(n) + 16 * ((i + 3) % 8) + 8, 77, 8);
		}
		/* a place whose element was taken out */
		if (many < 8) {
			made_put(t->m, TABLE(n) + 16 * ((many + 3) % 8), MADE_TASK(0), 8);
			made_put(t->m, TABLE(n) + 16 * ((many + 3) % 8) + 8, UINT64_MAX, 8);
		}
		return;
	}
	/* a list of tuples: a callback and a context */
	made_put(t->m, MADE_TASK(n) + a->fut_callbacks, AWAITERS(n), 8);
	made_put(t->m, at, many, 8);
	made_put(t->m, at + 8, ITEMS(n), 8);
	for (unsigned int i = 0; i < many; i++) {
		made_put(t->m, ITEMS(n) + 8ull * i, ITEM(n, i), 8);
		made_put(t->m, ITEM(n, i) + a->object_head + 8, WAKEUP(first + i), 8);
		made_put(t->m, MADE_TASK(first + i) + a->task_waiter, MADE_TASK(n), 8);
	}
}

uint64_t tasks_awaiters(const struct tasks *t, unsigned int n)
{
	return AWAITERS(n) + t->a.object_head;
}

void tasks_run(struct tasks *t, unsigned int n, unsigned int coro, unsigned int coros,
	       unsigned int depth, unsigned int above)
{
	struct made *m = t->m;
	const struct plop_layout *l = &m->l;
	const struct plop_async *a = &t->a;
	/* the innermost of them is Handle._run(), as far as this tells */
	uint64_t previous = made_stack(m, 0, depth), at = previous;

	if (a->ts_running) {
		made_put(m, MADE_STATE(0) + a->ts_running, MADE_TASK(n), 8);
	} else {
		made_put(m, at + a->frame_locals, MADE_HANDLE, 8);
		made_put(m, MADE_HANDLE + a->handle_callback, STEP(n), 8);
	}
	if (l->frame_owner_skip < 0xff) {
		assert(m->next_entry < MADE_ENTRIES);
		made_frame(m, MADE_ENTRY(m->next_entry), 0, previous);
		previous = MADE_ENTRY(m->next_entry++);
		made_put(m, previous + l->frame_owner, l->frame_owner_skip, 1);
	}
	for (unsigned int i = 0; i < coros; i++) {
		uint64_t f = MADE_CORO(coro + i) + a->gen_frame;

		made_put(m, f + l->frame_previous, previous, 8);
		previous = f;
	}
	for (unsigned int i = 0; i < above; i++) {
		at += 0x80;
		made_frame(m, at, 20 + i % 4, previous);
		previous = at;
	}
	made_put(m, MADE_STATE(0) + l->ts_chunk + 8, at + 0x80, 8);
	made_current(m, 0, previous);
}
