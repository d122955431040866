/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/profile.h"
#include "util/buf.h"

/* The keys that samples are grouped by, outermost first. */
struct group_keys {
	char *text; /* owned; the items are parts of it */
	const char *items[GROUP_KEYS_MAX];
	uint32_t n;
};

static void group_keys_done(struct group_keys *k)
{
	free(k->text);
}

static int group_keys_parse(const char *keys, struct group_keys *k)
{
	char *next;

	k->text = strdup(keys);
	if (!k->text)
		return -ENOMEM;
	next = k->text;
	while (next) {
		const char *key = strsep(&next, ",");

		if (k->n == GROUP_KEYS_MAX || !selector_key_known(key))
			return -EINVAL;
		for (uint32_t i = 0; i < k->n; i++)
			if (streq(k->items[i], key))
				return -EINVAL;
		k->items[k->n++] = key;
	}
	return 0;
}

int group_keys_check(const char *keys)
{
	_cleanup_(group_keys_done) struct group_keys k = {};

	return group_keys_parse(keys, &k);
}

/* Frames of one stack of the new profile; grows. */
struct stack {
	uint32_t *frames;
	uint32_t depth, room;
};

static void stack_done(struct stack *s)
{
	free(s->frames);
}

/* Makes room for one more frame. */
static int stack_reserve(struct stack *s)
{
	if (s->depth == s->room) {
		uint32_t *frames = reallocarray(s->frames, (size_t)s->room + 256, sizeof(*frames));

		if (!frames)
			return -ENOMEM;
		s->frames = frames;
		s->room += 256;
	}
	return 0;
}

static int stack_push(struct stack *s, struct dict *d, const struct dict_function *fn, int line)
{
	uint32_t function;
	int r = stack_reserve(s);

	if (r == 0)
		r = dict_function(d, fn, &function);
	if (r == 0)
		r = dict_frame(d, function, line, &s->frames[s->depth]);
	s->depth += r == 0;
	return r;
}

static int push_key(struct stack *s, struct dict *d, const char *key, const char *value)
{
	_cleanup_free_ char *name = NULL;
	int r = stack_reserve(s);

	if (asprintf(&name, "%s=%s", key, value) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	if (r == 0)
		r = dict_synthetic(d, name, &s->frames[s->depth]);
	s->depth += r == 0;
	return r;
}

static int add_grouped(struct profile *to, uint32_t process, const struct profile *p,
		       const struct profile_sample *sample, const struct group_keys *keys,
		       struct stack *stack)
{
	const struct dict_stack *from = dict_get_stack(p->dict, sample->stack);
	char number[16];
	uint32_t id;
	int r = 0;

	stack->depth = 0;
	for (uint32_t i = 0; r == 0 && i < keys->n; i++)
		r = push_key(stack, to->dict, keys->items[i],
			     selector_value_of(keys->items[i], p, sample, number));
	for (uint32_t i = 0; r == 0 && i < from->depth; i++) {
		const struct dict_frame *f = dict_get_frame(p->dict, from->frames[i]);
		const struct dict_function *fn = dict_get_function(p->dict, f->function);

		r = stack_push(stack, to->dict, fn, f->line);
	}
	if (r == 0)
		r = dict_stack(to->dict, stack->frames, stack->depth, &id);
	if (r == 0)
		r = profile_add_state(to, process, sample->thread, id, sample->state, sample->count,
				      sample->off_cpu_ns);
	return r;
}

int profile_group(const struct profile *p, const char *keys, struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *to = NULL;
	_cleanup_(group_keys_done) struct group_keys k = {};
	_cleanup_(stack_done) struct stack stack = {};
	_cleanup_free_ uint32_t *processes = NULL;
	int r;

	r = group_keys_parse(keys, &k);
	if (r == 0)
		r = profile_like(p, &to);
	if (r < 0)
		return r;
	processes = calloc((size_t)p->nprocesses + 1, sizeof(*processes));
	if (!processes)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < p->nprocesses; i++)
		r = profile_process(to, &p->processes[i].info, p->processes[i].python,
				    &processes[i]);
	for (uint32_t i = 0; r == 0 && i < p->nthreads; i++)
		r = profile_thread(to, processes[p->threads[i].process], p->threads[i].tid,
				   p->threads[i].name);
	for (uint32_t i = 0; r == 0 && i < p->nsamples; i++)
		r = add_grouped(to, processes[p->samples[i].process], p, &p->samples[i], &k,
				&stack);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(to);
	return 0;
}
