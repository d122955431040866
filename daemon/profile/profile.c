/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/profile.h"

#include <assert.h>

/* Open-addressing tables of index + 1 into samples, processes and threads; at most 3/4 full. */
struct hash_index {
	uint32_t *slots;
	uint32_t mask;
};

struct profile_index {
	struct hash_index samples, processes, threads;
	uint32_t samples_room, processes_room, threads_room;
	size_t text_bytes; /* of the processes' and the threads' strings */
};

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint32_t sample_hash(uint32_t process, uint32_t thread, uint32_t stack, uint32_t state)
{
	return (uint32_t)(mix(mix(process, (uint64_t)thread << 32 | stack), state) >> 16);
}

static uint32_t process_hash(pid_t pid, uint64_t start_ticks)
{
	return (uint32_t)(mix(mix((uint32_t)pid, start_ticks), 0) >> 16);
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
	to->wall = p->wall;
	to->tally = p->tally;
	*ret = TAKE_PTR(to);
	return 0;
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
		free(p->index->samples.slots);
		free(p->index->processes.slots);
		free(p->index->threads.slots);
		free(p->index);
	}
	dict_free(p->dict);
	free(p);
}

/* Makes room for one more of n items; hash(p, i) is that of item i. */
static int index_reserve(const struct profile *p, struct hash_index *x, uint32_t n,
			 uint32_t (*hash)(const struct profile *p, uint32_t i))
{
	uint32_t size = x->slots ? x->mask + 1 : 0;
	uint32_t *slots;

	if (x->slots && n < size - size / 4)
		return 0;
	if (size >= UINT32_C(1) << 31)
		return -ENOMEM;
	size = size ? size * 2 : 64;
	slots = calloc(size, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = hash(p, i) & (size - 1);

		while (slots[at])
			at = (at + 1) & (size - 1);
		slots[at] = i + 1;
	}
	free(x->slots);
	x->slots = slots;
	x->mask = size - 1;
	return 0;
}

/* Doubles an array of *room items when all n are used. */
static int array_reserve(void **array, uint32_t n, uint32_t *room, size_t item)
{
	uint32_t want;
	void *p;

	if (n < *room)
		return 0;
	if (*room >= UINT32_C(1) << 30)
		return -ENOMEM;
	want = *room ? *room * 2 : 16;
	p = reallocarray(*array, want, item);
	if (!p)
		return -ENOMEM;
	*array = p;
	*room = want;
	return 0;
}

static size_t index_bytes(const struct hash_index *x)
{
	return x->slots ? ((size_t)x->mask + 1) * sizeof(*x->slots) : 0;
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

static uint32_t hash_of_process(const struct profile *p, uint32_t i)
{
	return process_hash(p->processes[i].info.pid, p->processes[i].info.start_ticks);
}

static uint32_t hash_of_sample(const struct profile *p, uint32_t i)
{
	const struct profile_sample *s = &p->samples[i];

	return sample_hash(s->process, s->thread, s->stack, s->state);
}

/* Whether both are one process, being the same: what has executed another program, or was moved, is another entry. */
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

/* Where the process is in the table, or the empty slot that it would have. */
static uint32_t process_slot(const struct profile *p, const struct process_info *info)
{
	const struct hash_index *x = &p->index->processes;
	uint32_t at = process_hash(info->pid, info->start_ticks) & x->mask;

	for (; x->slots[at]; at = (at + 1) & x->mask) {
		if (is_same(&p->processes[x->slots[at] - 1].info, info))
			break;
	}
	return at;
}

bool profile_has_process(const struct profile *p, const struct process_info *info, uint32_t *ret)
{
	uint32_t slot = p->nprocesses ? p->index->processes.slots[process_slot(p, info)] : 0;

	if (slot)
		*ret = slot - 1;
	return slot != 0;
}

int profile_process(struct profile *p, const struct process_info *info, const char *python,
		    uint32_t *ret)
{
	struct profile_index *x = p->index;
	struct profile_process process = {};
	void *array = p->processes;
	uint32_t at;
	int r;

	r = index_reserve(p, &x->processes, p->nprocesses, hash_of_process);
	if (r < 0)
		return r;
	at = process_slot(p, info);
	if (x->processes.slots[at]) {
		*ret = x->processes.slots[at] - 1;
		return retitle(p, &p->processes[*ret].info, info->cmdline);
	}
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
	x->processes.slots[at] = p->nprocesses;
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
		      enum sample_state state, uint64_t count, uint64_t wall_ns)
{
	struct profile_index *x = p->index;
	void *array = p->samples;
	uint32_t at;
	int r;

	assert(process < p->nprocesses);
	assert(stack < dict_stacks(p->dict));
	assert(state < SAMPLE_STATES);
	r = index_reserve(p, &x->samples, p->nsamples, hash_of_sample);
	if (r < 0)
		return r;
	at = sample_hash(process, thread, stack, state) & x->samples.mask;
	for (; x->samples.slots[at]; at = (at + 1) & x->samples.mask) {
		struct profile_sample *s = &p->samples[x->samples.slots[at] - 1];

		if (s->stack == stack && s->thread == thread && s->process == process &&
		    s->state == state) {
			s->count += count;
			s->wall_ns += wall_ns;
			goto counted;
		}
	}
	r = array_reserve(&array, p->nsamples, &x->samples_room, sizeof(*p->samples));
	if (r < 0)
		return r;
	p->samples = array;
	p->samples[p->nsamples++] =
		(struct profile_sample){ process, thread, stack, state, count, wall_ns };
	x->samples.slots[at] = p->nsamples;
counted:
	p->processes[process].samples += count;
	p->samples_total += count;
	return 0;
}

/* The thread's place in the table, or the empty one that it would have. */
static uint32_t *thread_slot(const struct profile *p, uint32_t process, uint32_t tid)
{
	const struct hash_index *x = &p->index->threads;
	uint32_t at = process_hash((pid_t)process, tid) & x->mask;

	for (; x->slots[at]; at = (at + 1) & x->mask) {
		const struct profile_thread *t = &p->threads[x->slots[at] - 1];

		if (t->process == process && t->tid == tid)
			break;
	}
	return &x->slots[at];
}

static uint32_t hash_of_thread(const struct profile *p, uint32_t i)
{
	return process_hash((pid_t)p->threads[i].process, p->threads[i].tid);
}

int profile_thread(struct profile *p, uint32_t process, uint32_t tid, const char *name)
{
	struct profile_index *x = p->index;
	_cleanup_free_ char *copy = strdup(name);
	void *array = p->threads;
	uint32_t *slot;
	int r;

	assert(process < p->nprocesses);
	if (!copy)
		return -ENOMEM;
	r = index_reserve(p, &x->threads, p->nthreads, hash_of_thread);
	if (r < 0)
		return r;
	slot = thread_slot(p, process, tid);
	if (!*slot) {
		r = array_reserve(&array, p->nthreads, &x->threads_room, sizeof(*p->threads));
		if (r < 0)
			return r;
		p->threads = array;
		p->threads[p->nthreads++] =
			(struct profile_thread){ .process = process, .tid = tid };
		*slot = p->nthreads;
	} else {
		x->text_bytes -= strlen(p->threads[*slot - 1].name) + 16;
		free(p->threads[*slot - 1].name);
	}
	x->text_bytes += strlen(copy) + 16;
	p->threads[*slot - 1].name = TAKE_PTR(copy);
	return 0;
}

struct profile_thread *profile_thread_find(const struct profile *p, uint32_t process, uint32_t tid)
{
	uint32_t slot = p->nthreads ? *thread_slot(p, process, tid) : 0;

	return slot ? &p->threads[slot - 1] : NULL;
}

const char *profile_thread_name(const struct profile *p, uint32_t process, uint32_t tid)
{
	const struct profile_thread *t = profile_thread_find(p, process, tid);

	return t ? t->name : "";
}

uint64_t profile_weight(const struct profile *p, const struct profile_sample *s)
{
	if (!p->wall)
		return s->count;
	return s->count * USEC_PER_SEC / MAX(p->hz, 1u) + s->wall_ns / 1000;
}

const char *profile_unit(const struct profile *p)
{
	return p->wall ? "microseconds" : "samples";
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
