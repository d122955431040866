/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/profile.h"

#include <assert.h>

#include "util/array.h"
#include "util/index.h"

struct profile_index {
	struct index samples, processes, threads;
	uint32_t samples_room, processes_room, threads_room;
	size_t text_bytes; /* of the processes' and the threads' strings */
};

static uint32_t sample_hash(uint32_t process, uint32_t thread, uint32_t stack, uint32_t state)
{
	return index_hash((uint64_t)process << 32 | thread, (uint64_t)state << 32 | stack);
}

static uint32_t process_hash(const struct process_info *i)
{
	return index_hash((uint32_t)i->pid, i->start_ticks);
}

int profile_new(uint64_t start_ns, uint32_t hz, struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->start_ns = start_ns;
	p->end_ns = start_ns;
	p->hz = hz;
	p->index = calloc(1, sizeof(*p->index));
	if (!p->index)
		return -ENOMEM;
	r = dict_new(&p->dict);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

int profile_like(const struct profile *p, struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *to = NULL;
	int r;

	r = profile_new(p->start_ns, p->hz, &to);
	if (r == 0)
		r = labels_copy(&p->labels, &to->labels);
	if (r < 0)
		return r;
	to->end_ns = p->end_ns;
	to->running = p->running;
	to->off_cpu = p->off_cpu;
	to->tally = p->tally;
	*ret = TAKE_PTR(to);
	return 0;
}

void profile_clear(struct profile *p)
{
	index_done(&p->index->samples);
	for (uint32_t i = 0; i < p->nprocesses; i++)
		p->processes[i].samples = 0;
	p->nsamples = 0;
	p->samples_total = 0;
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->nprocesses; i++) {
		process_info_done(&p->processes[i].info);
		free(p->processes[i].python);
	}
	for (uint32_t i = 0; i < p->nthreads; i++)
		free(p->threads[i].name);
	free(p->processes);
	free(p->samples);
	free(p->threads);
	labels_done(&p->labels);
	if (p->index) {
		index_done(&p->index->samples);
		index_done(&p->index->processes);
		index_done(&p->index->threads);
		free(p->index);
	}
	dict_free(p->dict);
	free(p);
}

static int copy_processes(const struct profile *p, struct profile *to)
{
	to->processes = calloc((size_t)p->nprocesses + 1, sizeof(*to->processes));
	if (!to->processes)
		return -ENOMEM;
	for (; to->nprocesses < p->nprocesses; to->nprocesses++) {
		const struct profile_process *process = &p->processes[to->nprocesses];
		struct profile_process *copy = &to->processes[to->nprocesses];
		int r;

		copy->samples = process->samples;
		copy->python = strdup(process->python);
		if (!copy->python)
			return -ENOMEM;
		r = process_info_copy(&process->info, &copy->info);
		if (r < 0) {
			free(copy->python);
			return r;
		}
	}
	return 0;
}

int profile_snapshot(const struct profile *p, struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *to = calloc(1, sizeof(*to));
	int r;

	if (!to)
		return -ENOMEM;
	*to = (struct profile){ .start_ns = p->start_ns,
				.end_ns = p->end_ns,
				.stepped_ns = p->stepped_ns,
				.hz = p->hz,
				.running = p->running,
				.off_cpu = p->off_cpu,
				.tally = p->tally,
				.samples_total = p->samples_total };
	to->index = calloc(1, sizeof(*to->index));
	to->samples = malloc(((size_t)p->nsamples + 1) * sizeof(*to->samples));
	if (!to->index || !to->samples)
		return -ENOMEM;
	if (p->nsamples > 0)
		memcpy(to->samples, p->samples, p->nsamples * sizeof(*to->samples));
	to->nsamples = to->index->samples_room = p->nsamples;
	r = labels_copy(&p->labels, &to->labels);
	if (r == 0)
		r = copy_processes(p, to);
	for (uint32_t i = 0; r == 0 && i < p->nthreads; i++)
		r = profile_thread(to, p->threads[i].process, p->threads[i].tid,
				   p->threads[i].name);
	if (r == 0)
		r = dict_snapshot(p->dict, &to->dict);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(to);
	return 0;
}

size_t profile_bytes(const struct profile *p)
{
	const struct profile_index *x = p->index;

	return dict_bytes(p->dict) + x->samples_room * sizeof(*p->samples) +
	       x->processes_room * sizeof(*p->processes) + x->threads_room * sizeof(*p->threads) +
	       x->text_bytes + index_bytes(&x->samples) + index_bytes(&x->processes) +
	       index_bytes(&x->threads);
}

size_t profile_content(const struct profile *p)
{
	return dict_content(p->dict) + p->nsamples * sizeof(*p->samples) + p->index->text_bytes;
}

/*
 * Whether both are one process, being the same: what has executed another program, or was moved, is
 * another entry.
 */
static bool is_same(const struct process_info *a, const struct process_info *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks && a->uid == b->uid &&
	       streq(a->service, b->service) && streq(a->version, b->version) &&
	       streq(a->comm, b->comm) && streq(a->exe, b->exe) && streq(a->cgroup, b->cgroup);
}

/* The last title is the one that is shown. */
static int retitle(struct profile *p, struct process_info *i, const char *cmdline)
{
	char *copy;

	if (!*cmdline || streq(i->cmdline, cmdline))
		return 0;
	copy = strdup(cmdline);
	if (!copy)
		return -ENOMEM;
	p->index->text_bytes += strlen(copy) - strlen(i->cmdline);
	free(i->cmdline);
	i->cmdline = copy;
	return 0;
}

bool profile_has_process(const struct profile *p, const struct process_info *info, uint32_t *ret)
{
	const struct index *x = &p->index->processes;
	uint32_t hash = process_hash(info), i;

	for (uint32_t at = index_start(x, hash); index_next(x, hash, &at, &i);) {
		if (is_same(&p->processes[i].info, info)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

int profile_process(struct profile *p, const struct process_info *info, const char *python,
		    uint32_t *ret)
{
	struct profile_index *x = p->index;
	struct profile_process process = {};
	void *array = p->processes;
	int r;

	if (profile_has_process(p, info, ret))
		return retitle(p, &p->processes[*ret].info, info->cmdline);
	r = index_reserve(&x->processes, 1);
	if (r == 0)
		r = array_reserve(&array, p->nprocesses, &x->processes_room, sizeof(*p->processes));
	if (r < 0)
		return r;
	p->processes = array;
	process.python = strdup(python ? python : "");
	if (!process.python)
		return -ENOMEM;
	r = process_info_copy(info, &process.info);
	if (r < 0) {
		free(process.python);
		return r;
	}
	x->text_bytes += process_info_bytes(&process.info) + strlen(process.python) + 16;
	*ret = p->nprocesses;
	p->processes[p->nprocesses++] = process;
	index_add(&x->processes, process_hash(info), *ret);
	return 0;
}

int profile_add(struct profile *p, uint32_t process, uint32_t thread, uint32_t stack,
		uint64_t count)
{
	return profile_add_state(p, process, thread, stack, SAMPLE_PLAIN, count, 0);
}

int profile_add_beyond(struct profile *p, uint32_t process, const char *name, uint64_t count)
{
	uint32_t frame, stack;
	int r = dict_synthetic(p->dict, name, &frame);

	if (r == 0)
		r = dict_stack(p->dict, &frame, 1, &stack);
	return r < 0 ? r : profile_add(p, process, 0, stack, count);
}

const struct dict_function profile_other_function = {
	.name = PROFILE_OTHER, .module = "", .file = "", .kind = PLOP_FRAME_SYNTHETIC
};

bool profile_is_other(const struct dict_function *f)
{
	return f->kind == PLOP_FRAME_SYNTHETIC && streq(f->name, PROFILE_OTHER);
}

uint64_t profile_other(const struct profile *p)
{
	uint32_t other = UINT32_MAX;
	uint64_t count = 0;

	for (uint32_t i = 0; i < dict_functions(p->dict) && other == UINT32_MAX; i++) {
		if (profile_is_other(dict_get_function(p->dict, i)))
			other = i;
	}
	for (uint32_t i = 0; i < p->nsamples && other != UINT32_MAX; i++) {
		const struct dict_stack *s = dict_get_stack(p->dict, p->samples[i].stack);

		if (s->depth && dict_get_frame(p->dict, s->frames[s->depth - 1])->function == other)
			count += p->samples[i].count;
	}
	return count;
}

int profile_add_state(struct profile *p, uint32_t process, uint32_t thread, uint32_t stack,
		      enum sample_state state, uint64_t count, uint64_t off_cpu_ns)
{
	struct profile_index *x = p->index;
	uint32_t hash = sample_hash(process, thread, stack, state), i;
	void *array = p->samples;
	int r;

	assert(process < p->nprocesses);
	assert(stack < dict_stacks(p->dict));
	assert(state < SAMPLE_STATES);
	for (uint32_t at = index_start(&x->samples, hash);
	     index_next(&x->samples, hash, &at, &i);) {
		struct profile_sample *s = &p->samples[i];

		if (s->stack == stack && s->thread == thread && s->process == process &&
		    s->state == state) {
			s->count += count;
			s->off_cpu_ns += off_cpu_ns;
			goto counted;
		}
	}
	r = index_reserve(&x->samples, 1);
	if (r == 0)
		r = array_reserve(&array, p->nsamples, &x->samples_room, sizeof(*p->samples));
	if (r < 0)
		return r;
	p->samples = array;
	index_add(&x->samples, hash, p->nsamples);
	p->samples[p->nsamples++] =
		(struct profile_sample){ process, thread, stack, state, count, off_cpu_ns };
counted:
	p->processes[process].samples += count;
	p->samples_total += count;
	return 0;
}

struct profile_thread *profile_thread_find(const struct profile *p, uint32_t process, uint32_t tid)
{
	const struct index *x = &p->index->threads;
	uint32_t hash = index_hash(process, tid), i;

	for (uint32_t at = index_start(x, hash); index_next(x, hash, &at, &i);) {
		if (p->threads[i].process == process && p->threads[i].tid == tid)
			return &p->threads[i];
	}
	return NULL;
}

int profile_thread(struct profile *p, uint32_t process, uint32_t tid, const char *name)
{
	struct profile_index *x = p->index;
	_cleanup_free_ char *copy = strdup(name);
	struct profile_thread *t;
	void *array = p->threads;
	int r;

	assert(process < p->nprocesses);
	if (!copy)
		return -ENOMEM;
	t = profile_thread_find(p, process, tid);
	if (!t) {
		r = index_reserve(&x->threads, 1);
		if (r == 0)
			r = array_reserve(&array, p->nthreads, &x->threads_room,
					  sizeof(*p->threads));
		if (r < 0)
			return r;
		p->threads = array;
		index_add(&x->threads, index_hash(process, tid), p->nthreads);
		t = &p->threads[p->nthreads++];
		*t = (struct profile_thread){ .process = process, .tid = tid };
	} else {
		x->text_bytes -= strlen(t->name) + 16;
		free(t->name);
	}
	x->text_bytes += strlen(copy) + 16;
	t->name = TAKE_PTR(copy);
	return 0;
}

const char *profile_thread_name(const struct profile *p, uint32_t process, uint32_t tid)
{
	const struct profile_thread *t = profile_thread_find(p, process, tid);

	return t ? t->name : "";
}

uint64_t profile_weight(const struct profile *p, const struct profile_sample *s)
{
	if (!p->off_cpu)
		return s->count;
	return s->count * USEC_PER_SEC / MAX(p->hz, 1u) + s->off_cpu_ns / 1000;
}

const char *profile_unit(const struct profile *p)
{
	return p->off_cpu ? "microseconds" : "samples";
}

const char *sample_state_name(uint32_t state)
{
	static const char *const names[SAMPLE_STATES] = {
		[SAMPLE_PLAIN] = "running",
		[SAMPLE_GIL_HELD] = "gil held",
		[SAMPLE_GIL_RELEASED] = "gil released",
		[SAMPLE_WAITING_GIL] = "waiting for the GIL",
		[SAMPLE_SLEEPING] = "sleeping",
		[SAMPLE_RUNNABLE] = "runnable",
		[SAMPLE_OFF_CPU] = "off CPU",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

const char *sample_gil(uint32_t state)
{
	switch (state) {
	case SAMPLE_GIL_HELD:
		return "held";
	case SAMPLE_GIL_RELEASED:
		return "released";
	case SAMPLE_WAITING_GIL:
		return "waiting";
	default:
		return "";
	}
}

const char *sample_doing(uint32_t state)
{
	return state < SAMPLE_WAITING_GIL ? sample_state_name(SAMPLE_PLAIN) :
					    sample_state_name(state);
}
