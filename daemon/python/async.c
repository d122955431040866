/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>
#include <unistd.h>

#include "python/cache.h"
#include "python/version.h"

/*
 * struct _Py_AsyncioModuleDebugOffsets of Modules/_asynciomodule.c, the same in 3.14 and 3.15: byte
 * positions of uint64_t fields.
 */
enum {
	TASK_SIZE = 0,
	TASK_NAME = 8,
	TASK_AWAITED_BY = 16,
	TASK_IS_TASK = 24,
	TASK_AWAITED_BY_IS_SET = 32,
	TASK_CORO = 40,
	THREAD_SIZE = 72,
	THREAD_RUNNING_TASK = 88,
};

/* What is the same in all of them, but for the larger head of a free-threaded build's objects. */
static void add_objects(const struct plop_layout *l, struct plop_async *a)
{
	uint16_t more = l->free_threaded ? 16 : 0;

	a->object_head = 16 + more;
	a->object_type = 8 + more;
	a->type_name = 24 + more;
	a->type_flags = 168 + more;
	a->code_flags = l->code_flags;
	a->gen_frame += more;
	a->gen_state += more;
	a->frame_stack = 64;
	if (!a->frame_locals)
		a->frame_locals = 72;
	if (!a->stack_depth)
		a->stack_depth = 1;
	if (!a->task_waiter)
		return;
	a->task_waiter += more;
	a->task_coro += more;
	a->task_name += more;
	a->fut_callback0 = 24 + more;
	a->fut_callbacks = 40 + more;
	a->handle_callback = 24 + more;
}

/* The offset of a field of width bytes in a struct whose size is at size. */
static int take(const uint8_t *table, size_t at, size_t size, unsigned int width, uint16_t *ret)
{
	uint64_t offset, all;

	memcpy(&offset, table + at, sizeof(offset));
	memcpy(&all, table + size, sizeof(all));
	if (all > UINT16_MAX || offset < 16 || offset > all || all - offset < width)
		return -EBADMSG;
	*ret = (uint16_t)offset;
	return 0;
}

bool async_is_possible(const struct plop_layout *l)
{
	const struct python_version *v = python_version_find(l->version);

	return v &&
	       (v->tasks == TASKS_BY_TABLE || (v->tasks == TASKS_BY_MODULE && !l->free_threaded));
}

int async_layout(const struct plop_layout *l, const void *table, struct plop_async *ret)
{
	const struct python_version *v = python_version_find(l->version);
	struct plop_async a;
	int r = 0;

	if (!async_is_possible(l))
		return -EOPNOTSUPP;
	a = v->async;
	add_objects(l, &a);
	if (v->tasks == TASKS_BY_MODULE) {
		if (!table)
			return -EBADMSG;
		r = take(table, TASK_NAME, TASK_SIZE, 8, &a.task_name);
		if (r == 0)
			r = take(table, TASK_AWAITED_BY, TASK_SIZE, 8, &a.fut_awaited_by);
		if (r == 0)
			r = take(table, TASK_IS_TASK, TASK_SIZE, 1, &a.is_task);
		if (r == 0)
			r = take(table, TASK_AWAITED_BY_IS_SET, TASK_SIZE, 1, &a.awaited_by_is_set);
		if (r == 0)
			r = take(table, TASK_CORO, TASK_SIZE, 8, &a.task_coro);
		if (r == 0)
			r = take(table, THREAD_RUNNING_TASK, THREAD_SIZE, 8, &a.ts_running);
	}
	/* the kernel picks the stack's end out of what it reads of a frame */
	if (r == 0 && a.frame_stack + (a.stack_pointer ? 8u : 4u) > l->frame_len)
		r = -EBADMSG;
	if (r == 0)
		*ret = a;
	return r;
}

struct search {
	struct python_cache *cache;
	pid_t pid;
	const char *exe_path;
	const struct plop_layout *layout;
	struct plop_async *ret;
	int result;
};

static int search_line(char *line, void *ctx)
{
	struct search *s = ctx;
	const char *perms = strchr(line, ' '), *name;
	const struct binary *b;
	struct process_map m;
	int r;

	/* as of an interpreter: code of a file */
	if (!perms || perms[1] == '\0' || perms[2] == '\0' || perms[3] != 'x' ||
	    !strchr(perms, '/') || process_map_parse(line, &m) < 0 || m.path[0] != '/')
		return 0;
	name = cache_base_name(m.path);
	if (streq(m.path, s->exe_path))
		r = cache_look_at_exe(s->cache, s->pid, s->exe_path, &b, NULL);
	else if (strncmp(name, "_asyncio.", 9) == 0 || cache_is_interpreter_name(name))
		r = cache_look_at_map(s->cache, s->pid, &m, &b, NULL);
	else
		return 0;
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !b->has_asyncio)
		return 0;
	s->result = async_layout(s->layout, b->asyncio, s->ret);
	return 1;
}

int python_async(struct python_cache *cache, pid_t pid, const struct plop_layout *l,
		 struct plop_async *ret)
{
	char path[64], exe_path[PATH_MAX + 16];
	struct search s = { .cache = cache,
			    .pid = pid,
			    .exe_path = exe_path,
			    .layout = l,
			    .ret = ret,
			    .result = -ENOENT };
	ssize_t n;
	int r = async_layout(l, NULL, ret);

	/* -EBADMSG: it is for the module to tell */
	if (r != -EBADMSG)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, exe_path, sizeof(exe_path) - 1);
	if (n < 0)
		return -errno;
	exe_path[n] = '\0';
	cache_begin(cache);
	r = cache_each_map(cache, pid, search_line, &s);
	return r < 0 ? r : s.result;
}
