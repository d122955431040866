/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/thread_names.h"
#include "host/manager.h"
#include "python/thread_name.h"
#include "util/clock.h"
#include "util/log.h"

/* How much of a cycle the loop thread may read names; who comes then is asked for in the next one. */
#define BUDGET_NS (100 * NSEC_PER_MSEC)
/* In how many cycles a thread is asked for that threading does not name: it may have been seen while it started. */
#define ASK_TIMES 3

struct thread_name {
	uint32_t tid;
	char *name;
};

/* What threading calls the threads of one process. */
struct process_names {
	struct target_key key;
	UT_hash_handle hh;
	struct thread_name *names; /* by tid */
	size_t n;
};

static void process_names_free(struct process_names *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->names[i].name);
	free(p->names);
	free(p);
}

void thread_names_done(struct thread_names *n)
{
	struct process_names *p, *next;

	HASH_ITER(hh, n->all, p, next)
	{
		HASH_DEL(n->all, p);
		process_names_free(p);
	}
	n->spent_ns = 0;
}

int thread_tasks(struct walker *w, const struct walk_states *s, const struct tasks *t,
		 const struct task **ret)
{
	_cleanup_free_ uint32_t *own = calloc(t->n + 1, sizeof(*own)),
				*found = calloc(s->n + 1, sizeof(*found));
	size_t known = 0;
	int r;

	if (!own || !found)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		uint64_t id = s->states[i].native_id;

		ret[i] = id > 0 && id <= INT32_MAX ? tasks_find_own(t, (pid_t)id) : NULL;
		known += ret[i] != NULL;
	}
	if (known < s->n) {
		for (size_t i = 0; i < t->n; i++)
			own[i] = (uint32_t)t->tasks[i].own_tid;
		r = walker_tids(w, s, own, t->n, found);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (!ret[i])
			ret[i] = tasks_find_own(t, (pid_t)found[i]);
		if (!ret[i] && s->n == 1 && t->n == 1)
			ret[i] = t->tasks;
	}
	return 0;
}

static int by_tid(const void *a, const void *b)
{
	uint32_t x = ((const struct thread_name *)a)->tid, y = ((const struct thread_name *)b)->tid;

	return (x > y) - (x < y);
}

/* Fills p with the names that belong to a task; takes them over. */
static int names_keep(struct process_names *p, const struct walk_states *s,
		      const struct task *const *tasks, char **names)
{
	p->names = calloc(s->n + 1, sizeof(*p->names));
	if (!p->names)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		if (names[i] && tasks[i])
			p->names[p->n++] =
				(struct thread_name){ (uint32_t)tasks[i]->tid, TAKE_PTR(names[i]) };
	}
	qsort(p->names, p->n, sizeof(*p->names), by_tid);
	return 0;
}

static int names_match(struct process_names *p, struct walker *w, const struct walk_states *s,
		       pid_t pid, char **names)
{
	_cleanup_free_ const struct task **tasks = calloc(s->n + 1, sizeof(*tasks));
	_cleanup_tasks_ struct tasks t = {};
	int r = tasks ? tasks_list(pid, &t) : -ENOMEM;

	if (r >= 0)
		r = thread_tasks(w, s, &t, tasks);
	return r < 0 ? r : names_keep(p, s, tasks, names);
}

/* Reads the names of all of a process's threads. */
static int names_read(struct process_names *p, const struct target *k)
{
	const struct reader memory = process_memory_reader(k->info.pid);
	_cleanup_(walker_freep) struct walker *w = NULL;
	_cleanup_walk_states_ struct walk_states s = {};
	char **names;
	int r = walker_new(&memory, &k->python.layout, k->python.runtime, &w);

	if (r >= 0)
		r = walker_states(w, &s);
	if (r < 0)
		return r;
	names = calloc(s.n + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	r = thread_names_read(&memory, &k->python.layout, k->python.runtime, &s, names);
	if (r >= 0)
		r = names_match(p, w, &s, k->info.pid, names);
	for (size_t i = 0; i < s.n; i++)
		free(names[i]);
	free(names);
	return r;
}

/* Those of this cycle. NULL: out of time, or of memory. */
static const struct process_names *names_of(struct thread_names *n, struct manager *m,
					    const struct target *k)
{
	uint64_t began = clock_ns(CLOCK_MONOTONIC), image;
	struct process_names *p;
	int r;

	HASH_FIND(hh, n->all, &k->key, sizeof(k->key), p);
	if (p || n->spent_ns > BUDGET_NS)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->key = k->key;
	r = names_read(p, k);
	if (r < 0)
		log_debug_r(r, "Cannot read the names of the threads of process %d",
			    (int)k->info.pid);
	/* what was read may be of another program, or of another process of that pid */
	if (p->n > 0 &&
	    (sampler_process_image(m->sampler, k->key.tgid, &image) < 0 || image != k->key.image)) {
		process_names_free(p);
		return NULL;
	}
	HASH_ADD(hh, n->all, key, sizeof(p->key), p);
	n->spent_ns += clock_ns(CLOCK_MONOTONIC) - began;
	return p;
}

/* What threading calls a thread. -EAGAIN: that could not be asked for; -ENOENT: it does not call it anything. */
static int given_name(struct thread_names *n, struct manager *m, const struct target *k,
		      uint32_t tid, const char **ret)
{
	const struct thread_name wanted = { .tid = tid }, *found;
	const struct process_names *p;

	if (!k || k->python.verdict != PYTHON_YES || tid == k->key.tgid)
		return -ENOENT;
	p = names_of(n, m, k);
	if (!p)
		return -EAGAIN;
	found = bsearch(&wanted, p->names, p->n, sizeof(*p->names), by_tid);
	if (!found)
		return -ENOENT;
	*ret = found->name;
	return 0;
}

/* What the kernel calls a thread of k; nothing once something else may be behind the pid. */
static int kernel_name(struct manager *m, const struct target *k, uint32_t tid, char **ret)
{
	_cleanup_free_ char *name = NULL;
	uint64_t image;
	int r = k && !k->dying ? process_thread_name(k->info.pid, (pid_t)tid, &name) : -ESRCH;

	if (r < 0)
		return r;
	if (sampler_process_image(m->sampler, k->key.tgid, &image) < 0 || image != k->key.image)
		return -ESRCH;
	*ret = TAKE_PTR(name);
	return 0;
}

/* Asks for a thread's name; the kernel's, where there is no other, only if renew or for the first time. */
static void name_thread(struct thread_names *n, struct manager *m, const struct target *k,
			struct profile *p, uint32_t process, uint32_t tid, bool renew)
{
	struct profile_thread *t = profile_thread_find(p, process, tid);
	_cleanup_free_ char *name = NULL;
	const char *given = NULL;
	int r = given_name(n, m, k, tid, &given);

	if (given) {
		profile_thread(p, process, tid, given);
	} else if (!t || (renew && !t->given)) {
		if (kernel_name(m, k, tid, &name) < 0)
			name = NULL;
		/* one whose name is not there any more keeps what it had */
		if (name || !t)
			profile_thread(p, process, tid, name ? name : "");
	}
	t = profile_thread_find(p, process, tid);
	if (!t) /* -ENOMEM: it has none */
		return;
	t->given |= given != NULL;
	t->asked += r != -EAGAIN && t->asked < ASK_TIMES;
	t->asked_cycle = m->cycle;
}

void thread_names_look(struct thread_names *n, struct manager *m, struct target *k,
		       struct profile *p, uint32_t process, uint32_t tid)
{
	const struct profile_thread *t = tid ? profile_thread_find(p, process, tid) : NULL;

	if (!tid || (t && (t->given || t->asked == ASK_TIMES || t->asked_cycle == m->cycle)))
		return;
	name_thread(n, m, k, p, process, tid, false);
}

static const struct target *target_of(struct manager *m, const struct process_info *info)
{
	const struct target *k = targets_find_pid(&m->targets, info->pid);

	/* exec keeps both, and a setuid program's threads are not its caller's to see */
	return k && k->info.start_ticks == info->start_ticks && k->info.uid == info->uid ? k : NULL;
}

void thread_names_last(struct thread_names *n, struct manager *m, struct profile *p)
{
	thread_names_done(n);
	for (uint32_t i = 0; i < p->nthreads; i++) {
		const struct profile_thread *t = &p->threads[i];

		name_thread(n, m, target_of(m, &p->processes[t->process].info), p, t->process,
			    t->tid, true);
	}
	for (uint32_t i = 0; i < p->nsamples; i++) {
		uint32_t process = p->samples[i].process, tid = p->samples[i].thread;

		if (tid && !profile_thread_find(p, process, tid))
			name_thread(n, m, target_of(m, &p->processes[process].info), p, process,
				    tid, true);
	}
}
