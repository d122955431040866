/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/thread_names.h"
#include "target/silence.h"
#include "util/log.h"

/*
 * In how many cycles a thread is asked for that threading does not name: it may have been seen
 * while it started.
 */
#define ASK_TIMES 3

/* A question for the names of one process's threads. */
struct names_question {
	struct recordings *all;
	struct target_key key;
	char id[16]; /* of the recording that ends with them; "": they are for all that run */
};

static int by_tid(const void *a, const void *b)
{
	uint32_t x = ((const struct thread_name *)a)->tid, y = ((const struct thread_name *)b)->tid;

	return (x > y) - (x < y);
}

/*
 * Names the threads of one process that a profile has; renew: those as well that have a name from
 * threading.
 */
static void names_apply(struct profile *p, const struct process_info *info,
			const struct thread_name_list *l, bool renew)
{
	for (uint32_t i = 0; i < p->nthreads; i++) {
		struct profile_thread *t = &p->threads[i];
		const struct process_info *own = &p->processes[t->process].info;
		const struct thread_name wanted = { .tid = t->tid }, *found;

		if (own->pid != info->pid || own->start_ticks != info->start_ticks ||
		    own->uid != info->uid || (t->given && !renew) || t->tid == (uint32_t)info->pid)
			continue;
		found = bsearch(&wanted, l->names, l->n, sizeof(*l->names), by_tid);
		if (!found)
			continue;
		t->given = true;
		/* -ENOMEM: it keeps what it is called */
		profile_thread(p, t->process, t->tid, found->name);
	}
}

static void names_for(struct recordings *all, const struct names_question *q,
		      const struct target *k, const struct thread_name_list *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (!recording || recording->state == RECORDING_DONE ||
		    (q->id[0] && !streq(recording->id, q->id)))
			continue;
		names_apply(sink_profile(recording->sink), &k->info, l, q->id[0] != '\0');
	}
}

static void names_answer(void *ctx, int r, struct unpack *body)
{
	struct names_question *q = ctx;
	struct recordings *all = q->all;
	struct target *k = targets_find(all->targets, q->key.tgid, q->key.image);
	struct recording *recording = q->id[0] ? recordings_find(all, q->id) : NULL;
	struct thread_name_list l = {};
	uint64_t image;

	if (k && r == -ETIMEDOUT)
		target_heard(all->targets, k, r);
	if (r >= 0)
		r = examined_threads(body, &l);
	if (r < 0 && r != -ECANCELED && r != -EOPNOTSUPP)
		log_debug_r(r, "Cannot read the names of the threads of process %u", q->key.tgid);
	/* what was read may be of another program, or of another process of that pid */
	if (k && l.n > 0 && sampler_process_image(all->sampler, q->key.tgid, &image) == 0 &&
	    image == q->key.image)
		names_for(all, q, k, &l);
	thread_name_list_done(&l);
	if (recording && r != -ECANCELED)
		recording_named(recording);
	free(q);
}

/* Returns whether it was asked. */
static bool names_ask(struct recordings *all, const struct target *k, const char *id)
{
	const struct examinee who = target_examinee(k);
	struct names_question *q = calloc(1, sizeof(*q));
	struct buf request = {};

	if (!q)
		return false;
	q->all = all;
	q->key = k->key;
	snprintf(q->id, sizeof(q->id), "%s", id);
	examine_threads(&request, &k->python.layout, k->python.runtime);
	examiner_ask(all->targets->examiner, EXAMINE_THREADS, &who, &request, names_answer, q);
	return true;
}

static bool names_possible(const struct recordings *all, const struct target *k)
{
	return k && k->python.verdict == PYTHON_YES && target_may_be_asked(all->targets, k);
}

/* What the kernel calls a thread of k; nothing once something else may be behind the pid. */
static int kernel_name(const struct recordings *all, const struct target *k, uint32_t tid,
		       char **ret)
{
	_cleanup_free_ char *name = NULL;
	uint64_t image;
	int r = k && !k->dying ? process_thread_name(k->info.pid, (pid_t)tid, &name) : -ESRCH;

	if (r < 0)
		return r;
	if (sampler_process_image(all->sampler, k->key.tgid, &image) < 0 || image != k->key.image)
		return -ESRCH;
	*ret = TAKE_PTR(name);
	return 0;
}

/*
 * A file of a line, which the kernel has at hand. One whose name is not there any more keeps what
 * it had.
 */
static void name_by_kernel(const struct recording *recording, const struct target *k,
			   uint32_t process, uint32_t tid)
{
	struct profile *p = sink_profile(recording->sink);
	_cleanup_free_ char *name = NULL;

	if (kernel_name(recording->all, k, tid, &name) < 0)
		name = NULL;
	if (name || !profile_thread_find(p, process, tid))
		profile_thread(p, process, tid, name ? name : "");
}

void thread_names_look(struct recording *recording, struct target *k, uint32_t process,
		       uint32_t tid)
{
	struct profile *p = sink_profile(recording->sink);
	struct profile_thread *t = tid ? profile_thread_find(p, process, tid) : NULL;
	uint64_t cycle = recording->all->cycle->number;

	if (!tid || (t && (t->given || t->asked == ASK_TIMES || t->asked_cycle == cycle)))
		return;
	if (!t)
		name_by_kernel(recording, k, process, tid);
	t = profile_thread_find(p, process, tid);
	if (!t) /* -ENOMEM: it has none */
		return;
	t->asked_cycle = cycle;
	t->asked++;
	k->names_wanted |= tid != k->key.tgid && names_possible(recording->all, k);
}

void thread_names_ask(struct recordings *all)
{
	struct target *k, *next;

	HASH_ITER(hh, all->targets->all, k, next)
	{
		if (k->names_wanted)
			names_ask(all, k, "");
		k->names_wanted = false;
	}
}

static const struct target *target_of(const struct recording *recording,
				      const struct process_info *info)
{
	const struct target *k = targets_find_pid(recording->all->targets, info->pid);

	/* exec keeps both, and a setuid program's threads are not its caller's to see */
	return k && k->info.start_ticks == info->start_ticks && k->info.uid == info->uid ? k : NULL;
}

void thread_names_last(struct recording *recording)
{
	struct profile *p = sink_profile(recording->sink);

	for (uint32_t i = 0; i < p->nthreads; i++) {
		const struct profile_thread *t = &p->threads[i];

		if (!t->given)
			name_by_kernel(recording,
				       target_of(recording, &p->processes[t->process].info),
				       t->process, t->tid);
	}
	for (uint32_t i = 0; i < p->nsamples; i++) {
		uint32_t process = p->samples[i].process, tid = p->samples[i].thread;

		if (tid && !profile_thread_find(p, process, tid))
			name_by_kernel(recording, target_of(recording, &p->processes[process].info),
				       process, tid);
	}
	for (uint32_t i = 0; i < p->nprocesses; i++) {
		const struct target *k = target_of(recording, &p->processes[i].info);

		if (p->nthreads && names_possible(recording->all, k))
			recording->naming += names_ask(recording->all, k, recording->id);
	}
}
