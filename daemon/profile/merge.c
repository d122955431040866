/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/profile.h"

#include <assert.h>

/* From the ids of one dict to those of another; UINT32_MAX: not met yet. */
struct translation {
	const struct dict *from;
	struct dict *to;
	uint32_t *functions, *frames, *stacks;
	uint32_t *scratch; /* frames of one stack */
	uint32_t scratch_room;
};

static void translation_done(struct translation *t)
{
	free(t->functions);
	free(t->frames);
	free(t->stacks);
	free(t->scratch);
}

static uint32_t *unmet(uint32_t n)
{
	uint32_t *ids = malloc(((size_t)n + 1) * sizeof(*ids));

	if (ids)
		memset(ids, 0xff, ((size_t)n + 1) * sizeof(*ids));
	return ids;
}

static int translation_init(struct translation *t)
{
	if (t->from == t->to)
		return 0;
	t->functions = unmet(dict_functions(t->from));
	t->frames = unmet(dict_frames(t->from));
	t->stacks = unmet(dict_stacks(t->from));
	return t->functions && t->frames && t->stacks ? 0 : -ENOMEM;
}

static int translate_frame(struct translation *t, uint32_t frame, uint32_t *ret)
{
	const struct dict_frame *f = dict_get_frame(t->from, frame);
	int r;

	if (t->frames[frame] == UINT32_MAX) {
		if (t->functions[f->function] == UINT32_MAX) {
			const struct dict_function *fn = dict_get_function(t->from, f->function);

			r = dict_function(t->to, fn, &t->functions[f->function]);
			if (r < 0)
				return r;
		}
		r = dict_frame(t->to, t->functions[f->function], f->line, &t->frames[frame]);
		if (r < 0)
			return r;
	}
	*ret = t->frames[frame];
	return 0;
}

static int translate_stack(struct translation *t, uint32_t stack, uint32_t *ret)
{
	const struct dict_stack *s;
	uint32_t *p;
	int r;

	if (t->from == t->to) {
		*ret = stack;
		return 0;
	}
	if (t->stacks[stack] == UINT32_MAX) {
		s = dict_get_stack(t->from, stack);
		if (!t->scratch || s->depth > t->scratch_room) {
			p = reallocarray(t->scratch, (size_t)s->depth + 64, sizeof(*p));
			if (!p)
				return -ENOMEM;
			t->scratch = p;
			t->scratch_room = s->depth + 64;
		}
		for (uint32_t i = 0; i < s->depth; i++) {
			r = translate_frame(t, s->frames[i], &t->scratch[i]);
			if (r < 0)
				return r;
		}
		r = dict_stack(t->to, t->scratch, s->depth, &t->stacks[stack]);
		if (r < 0)
			return r;
	}
	*ret = t->stacks[stack];
	return 0;
}

/* The name of the sample's thread, if it is the first to bring one. */
static int add_thread_name(struct profile *p, uint32_t process, uint32_t tid, const char *name)
{
	if (!*name || *profile_thread_name(p, process, tid))
		return 0;
	return profile_thread(p, process, tid, name);
}

static bool is_kept(enum profile_part part, const struct profile_process *process,
		    const struct profile_sample *s)
{
	return part == PROFILE_ALL ||
	       (part == PROFILE_HEAVY && s->count >= process->samples / PROFILE_HEAVY_PART + 1);
}

/* Adds the samples of from that s (NULL: all) leaves in; parts: NULL, or as profile_without(). */
static int add_samples(struct profile *p, const struct profile *from, const struct selectors *s,
		       const enum profile_part *parts)
{
	_cleanup_(translation_done) struct translation t = { .from = from->dict, .to = p->dict };
	_cleanup_free_ uint32_t *processes = NULL;
	_cleanup_free_ bool *wanted = NULL;
	const char *name;
	uint32_t stack;
	int r;

	r = translation_init(&t);
	if (r < 0)
		return r;
	processes = unmet(from->nprocesses);
	wanted = calloc((size_t)from->nprocesses + 1, sizeof(*wanted));
	if (!processes || !wanted)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->nprocesses; i++)
		wanted[i] = !s || selectors_match_labeled(s, &from->processes[i], &from->labels);
	for (uint32_t i = 0; i < from->nsamples; i++) {
		const struct profile_sample *sample = &from->samples[i];
		const struct profile_process *process = &from->processes[sample->process];

		if (!wanted[sample->process])
			continue;
		name = profile_thread_name(from, sample->process, sample->thread);
		if (s && !selectors_match_sample(s, sample->thread, name, sample->state))
			continue;
		if (processes[sample->process] == UINT32_MAX) {
			r = profile_process(p, &process->info, process->python,
					    &processes[sample->process]);
			if (r < 0)
				return r;
		}
		if (parts && !is_kept(parts[sample->process], process, sample)) {
			r = profile_add_beyond(p, processes[sample->process],
					       parts[sample->process] == PROFILE_NONE ?
						       PROFILE_BEYOND :
						       PROFILE_OTHER,
					       sample->count);
			if (r < 0)
				return r;
			continue;
		}
		r = translate_stack(&t, sample->stack, &stack);
		if (r == 0)
			r = add_thread_name(p, processes[sample->process], sample->thread, name);
		if (r < 0)
			return r;
		r = profile_add_state(p, processes[sample->process], sample->thread, stack,
				      sample->state, sample->count, sample->off_cpu_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

int profile_merge(struct profile *p, const struct profile *from)
{
	int r;

	assert(p != from);
	r = add_samples(p, from, NULL, NULL);
	if (r < 0)
		return r;
	for (size_t i = 0; i < from->labels.n; i++) {
		const struct label *l = &from->labels.items[i];

		r = labels_add(&p->labels, l->key, l->value);
		if (r == -ENOMEM)
			return r;
	}
	tally_add(&p->tally, &from->tally);
	p->start_ns = p->start_ns ? MIN(p->start_ns, from->start_ns) : from->start_ns;
	p->end_ns = MAX(p->end_ns, from->end_ns);
	p->running = p->running || from->running;
	p->off_cpu = p->off_cpu || from->off_cpu;
	if (!p->hz)
		p->hz = from->hz;
	return 0;
}

int profile_without(const struct profile *p, const enum profile_part *parts, struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *to = NULL;
	int r;

	r = profile_like(p, &to);
	if (r == 0)
		r = add_samples(to, p, NULL, parts);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(to);
	return 0;
}

int profile_select(const struct profile *p, const struct selectors *s, struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *to = NULL;
	int r;

	r = profile_like(p, &to);
	if (r == 0)
		r = add_samples(to, p, s, NULL);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(to);
	return 0;
}
