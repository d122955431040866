/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/addition.h"

#include <xxhash.h>

int addition_begin(struct addition *a, struct dictionary *d, int64_t seed, const struct dict *from)
{
	*a = (struct addition){
		.d = d, .seed = seed, .from = from, .sections.n = ADDITION_SECTIONS
	};
	if (!from)
		return 0;
	a->functions = calloc((size_t)dict_functions(from) + 1, sizeof(*a->functions));
	a->frames = calloc((size_t)dict_frames(from) + 1, sizeof(*a->frames));
	a->stacks = calloc((size_t)dict_stacks(from) + 1, 2 * sizeof(*a->stacks));
	return a->functions && a->frames && a->stacks ? 0 : -ENOMEM;
}

void addition_done(struct addition *a)
{
	sections_done(&a->sections);
	free(a->functions);
	free(a->frames);
	free(a->stacks);
}

static struct buf *section(struct addition *a, enum addition_section i)
{
	return &a->sections.parts[i];
}

/* Puts the difference to *last, which becomes v. */
static void put_step(struct buf *b, uint32_t *last, uint32_t v)
{
	packed_put_signed(b, (int64_t)v - *last);
	*last = v;
}

uint32_t addition_text(struct addition *a, const char *s)
{
	size_t size = strlen(s) + 1;
	uint32_t n;

	if (!dictionary_number(a->d, DICTIONARY_TEXTS,
			       XXH3_64bits_withSeed(s, size, (uint64_t)a->seed), &n))
		buf_append(section(a, ADDITION_TEXTS), s, size);
	return n;
}

static uint32_t add_function(struct addition *a, uint32_t id)
{
	const struct dict_function *f = dict_get_function(a->from, id);
	/* what a Python function's file tells is not kept as well */
	const char *module = f->kind == PLOP_FRAME_PYTHON ? "" : f->module;
	uint32_t key[5], n;

	if (a->functions[id])
		return a->functions[id];
	key[0] = addition_text(a, f->name);
	key[1] = addition_text(a, f->file);
	key[2] = addition_text(a, module);
	key[3] = (uint32_t)f->line;
	key[4] = f->kind;
	if (!dictionary_number(a->d, DICTIONARY_FUNCTIONS,
			       XXH3_64bits_withSeed(key, sizeof(key), (uint64_t)a->seed), &n)) {
		put_step(section(a, ADDITION_NAMES), &a->name, key[0]);
		put_step(section(a, ADDITION_FILES), &a->file, key[1]);
		packed_put_signed(section(a, ADDITION_LINES), f->line);
		packed_put(section(a, ADDITION_KINDS), f->kind);
		put_step(section(a, ADDITION_KINDS), &a->module, key[2]);
	}
	a->functions[id] = n;
	return n;
}

static uint32_t add_frame(struct addition *a, uint32_t id)
{
	const struct dict_frame *f = dict_get_frame(a->from, id);
	uint32_t function, n;

	if (a->frames[id])
		return a->frames[id];
	function = add_function(a, f->function);
	if (!dictionary_number(a->d, DICTIONARY_FRAMES,
			       (uint64_t)function << 32 | (uint32_t)f->line, &n)) {
		put_step(section(a, ADDITION_FRAMES), &a->function, function);
		packed_put_signed(section(a, ADDITION_FRAMES),
				  (int64_t)f->line - dict_get_function(a->from, f->function)->line);
	}
	a->frames[id] = n;
	return n;
}

uint32_t addition_stack(struct addition *a, uint32_t stack, bool released)
{
	const struct dict_stack *s = dict_get_stack(a->from, stack);
	uint32_t *known = &a->stacks[2 * (size_t)stack + released], node = 0;

	if (*known)
		return *known - 1;
	for (uint32_t i = 0; i < s->depth; i++) {
		uint32_t frame = add_frame(a, s->frames[i]), n;
		bool without = released && i + 1 == s->depth;
		uint64_t key = (uint64_t)without << 63 | (uint64_t)node << 32 | frame;

		_Static_assert(DICTIONARY_MOST <= 1u << 31, "there is room for that bit");
		if (!dictionary_number(a->d, DICTIONARY_NODES, key, &n)) {
			if (without)
				packed_put(section(a, ADDITION_NODE_PARENTS), 0);
			packed_put(section(a, ADDITION_NODE_PARENTS), n - node);
			put_step(section(a, ADDITION_NODE_FRAMES), &a->frame, frame);
		}
		node = n;
	}
	*known = node + 1;
	return node;
}

uint32_t addition_process(struct addition *a, const struct profile_process *p)
{
	const struct process_info *i = &p->info;
	const char *texts[PROCESS_TEXTS] = { p->python,    i->comm,    i->exe,
					     i->cmdline,   i->cgroup,  i->unit,
					     i->container, i->service, i->version };
	struct buf *b = section(a, ADDITION_PROCESSES);
	struct {
		uint64_t start_ticks, start_time;
		uint32_t pid, uid, texts[PROCESS_TEXTS], none;
	} key = { .start_ticks = i->start_ticks, .pid = (uint32_t)i->pid, .uid = i->uid };
	uint32_t n;

	memcpy(&key.start_time, &i->start_time, sizeof(key.start_time));
	for (unsigned int k = 0; k < PROCESS_TEXTS; k++)
		key.texts[k] = addition_text(a, texts[k]);
	if (dictionary_number(a->d, DICTIONARY_PROCESSES,
			      XXH3_64bits_withSeed(&key, sizeof(key), (uint64_t)a->seed), &n))
		return n;
	put_step(b, &a->pid, key.pid);
	packed_put_signed(b, (int64_t)(i->start_ticks - a->start_ticks));
	a->start_ticks = i->start_ticks;
	packed_put_signed(b, (int64_t)(key.start_time - a->start_time));
	a->start_time = key.start_time;
	packed_put(b, key.uid);
	for (unsigned int k = 0; k < PROCESS_TEXTS; k++)
		put_step(section(a, ADDITION_PROCESS_TEXTS), &a->process_texts[k], key.texts[k]);
	return n;
}

struct count addition_count(struct addition *a, const struct profile *p,
			    const struct profile_sample *sample, uint32_t *processes)
{
	uint32_t *process = &processes[sample->process];
	bool released = sample->state == SAMPLE_GIL_RELEASED &&
			dict_get_stack(a->from, sample->stack)->depth > 0;

	if (!*process)
		*process = addition_process(a, &p->processes[sample->process]);
	return (struct count){
		.process = *process,
		.thread = sample->thread,
		.state = released ? SAMPLE_GIL_HELD : sample->state,
		.node = addition_stack(a, sample->stack, released),
		.of = sample->process,
		.n = sample->count,
	};
}
