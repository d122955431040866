/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* asyncio's tasks in the memory of a made-up process, of any layout whose tasks plop knows. */
#include "made.h"
#include "plop/async.h"

#define MADE_HANDLE  (MADE_TASKS + 0xf00)
#define MADE_TASK(n) (MADE_TASKS + 0x1000 + (n)*0x800ull)
#define MADE_CORO(n) (MADE_TASKS + 0xd000 + (n)*0x100ull)

/* How many there are of them. */
#define MADE_MOST_TASKS 24
#define MADE_CORO_MAX   40

/* The types of awaitable objects, and of a class of Python's that is called as one of those. */
enum made_type {
	MADE_COROUTINE,
	MADE_GENERATOR,
	MADE_ASYNC_GENERATOR,
	MADE_ASEND,
	MADE_CORO_WRAPPER,
	MADE_FUTURE_ITER, /* nothing is known of what it awaits */
	MADE_CLASS,
	MADE_TYPES,
};

/* Where tasks are in processes of that layout; false: plop does not know it. */
bool tasks_layout(const struct plop_layout *l, struct plop_async *ret);

struct tasks {
	struct made *m;
	struct plop_async a;
};

/* The types, in m, which has none of it yet. */
void tasks_new(struct tasks *t, struct made *m, const struct plop_async *a);

/* The number of the code object of coroutine n. */
unsigned int tasks_code_of(unsigned int n);

/* Coroutine n, or what else has a frame, suspended in an await of object. */
void tasks_coro(struct tasks *t, unsigned int n, enum made_type type, uint64_t object);
/* An object, at MADE_CORO(n), that begins with a pointer to another. */
void tasks_wrapper(struct tasks *t, unsigned int n, enum made_type type, uint64_t object);

/*
 * Task n, of coroutine coro. name: of at most 200 characters of ASCII; NULL: a number, as nobody
 * has asked for it.
 */
void tasks_task(struct tasks *t, unsigned int n, unsigned int coro, const char *name);
/* From 3.14 on: it is a future that is no task. */
void tasks_future(struct tasks *t, unsigned int n);
/* Task n is awaited by task by, the only one; by both sides. */
void tasks_awaited(struct tasks *t, unsigned int n, unsigned int by);
/* ... by so many tasks, from number first on. At most 8. */
void tasks_awaited_by(struct tasks *t, unsigned int n, unsigned int first, unsigned int many);
/* Where the set or list of those is that await task n. */
uint64_t tasks_awaiters(const struct tasks *t, unsigned int n);

/*
 * State 0 runs task n: its coroutine, and of those that this one awaits so many that there are
 * coros, numbered one after another; called from a stack of depth functions, at least 1, and
 * calling so many as are above: MADE_CODE(20) to MADE_CODE(23), again and again.
 */
void tasks_run(struct tasks *t, unsigned int n, unsigned int coro, unsigned int coros,
	       unsigned int depth, unsigned int above);
