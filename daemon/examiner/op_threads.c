/* SPDX-License-Identifier: BSD-2-Clause */
#include "examiner/private.h"
#include "proc/threads.h"
#include "python/thread_name.h"

int states_threads(struct walker *w, const struct walk_states *s, const struct proc_threads *t,
		   const struct proc_thread **ret)
{
	_cleanup_free_ uint32_t *own = calloc(t->n + 1, sizeof(*own)),
				*found = calloc(s->n + 1, sizeof(*found));
	size_t known = 0;
	int r;

	if (!own || !found)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		uint64_t id = s->states[i].native_id;

		ret[i] = id > 0 && id <= INT32_MAX ? proc_threads_find_own(t, (pid_t)id) : NULL;
		known += ret[i] != NULL;
	}
	if (known < s->n) {
		for (size_t i = 0; i < t->n; i++)
			own[i] = (uint32_t)t->threads[i].own_tid;
		r = walker_tids(w, s, own, t->n, found);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (!ret[i])
			ret[i] = proc_threads_find_own(t, (pid_t)found[i]);
		if (!ret[i] && s->n == 1 && t->n == 1)
			ret[i] = t->threads;
	}
	return 0;
}

void examine_threads(struct buf *request, const struct plop_layout *l, uint64_t runtime)
{
	pack_bytes(request, l, sizeof(*l));
	pack_bytes(request, &runtime, sizeof(runtime));
}

/* Those names that belong to a thread. */
static int names_answer(struct walker *w, const struct walk_states *s, pid_t pid, char **names,
			struct buf *answer)
{
	_cleanup_free_ const struct proc_thread **threads = calloc(s->n + 1, sizeof(*threads));
	_cleanup_proc_threads_ struct proc_threads t = {};
	uint32_t n = 0;
	int r = threads ? proc_threads_list(pid, &t) : -ENOMEM;

	if (r >= 0)
		r = states_threads(w, s, &t, threads);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n; i++)
		n += names[i] && threads[i];
	pack_u32(answer, n);
	for (size_t i = 0; i < s->n; i++) {
		if (!names[i] || !threads[i])
			continue;
		pack_u32(answer, (uint32_t)threads[i]->tid);
		pack_text(answer, names[i]);
	}
	return 0;
}

int serve_threads(struct served *served, pid_t pid, struct unpack *request, struct buf *answer)
{
	const struct reader memory = process_memory_reader(pid);
	_cleanup_(walker_freep) struct walker *w = NULL;
	_cleanup_walk_states_ struct walk_states s = {};
	struct plop_layout l;
	uint64_t runtime;
	char **names;
	int r;

	unpack_bytes(request, &l, sizeof(l));
	unpack_bytes(request, &runtime, sizeof(runtime));
	r = request->error ? request->error : walker_new(&memory, &l, runtime, &w);
	if (r >= 0)
		r = walker_states(w, &s);
	if (r < 0)
		return r;
	names = calloc(s.n + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	r = thread_names_read(&memory, &l, runtime, &s, names);
	if (r >= 0)
		r = names_answer(w, &s, pid, names, answer);
	for (size_t i = 0; i < s.n; i++)
		free(names[i]);
	free(names);
	return r;
}

void thread_name_list_done(struct thread_name_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i].name);
	free(l->names);
	*l = (struct thread_name_list){};
}

static int by_tid(const void *a, const void *b)
{
	uint32_t x = ((const struct thread_name *)a)->tid, y = ((const struct thread_name *)b)->tid;

	return (x > y) - (x < y);
}

int examined_threads(struct unpack *body, struct thread_name_list *ret)
{
	uint32_t n = unpack_u32(body);
	struct thread_name_list l = {};

	/* each takes at least its two numbers */
	if (body->error || n > body->size / (2 * sizeof(uint32_t)))
		return -EBADMSG;
	l.names = calloc(n + 1u, sizeof(*l.names));
	if (!l.names)
		return -ENOMEM;
	for (l.n = 0; l.n < n; l.n++) {
		l.names[l.n].tid = unpack_u32(body);
		l.names[l.n].name = unpack_text(body);
		if (!l.names[l.n].name)
			break;
	}
	if (body->error || l.n < n) {
		thread_name_list_done(&l);
		return body->error ? body->error : -EBADMSG;
	}
	qsort(l.names, l.n, sizeof(*l.names), by_tid);
	*ret = l;
	return 0;
}
