/* SPDX-License-Identifier: BSD-2-Clause */
#include "made.h"

#include <stdio.h>

void must(int r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(-r));
		exit(EXIT_FAILURE);
	}
}

/* The same numbers each time. */
static uint32_t draw(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

/* Frames of the profile "from", in another one. */
static uint32_t frame_in(struct profile *p, const struct profile *from, uint32_t frame, int more)
{
	const struct dict_frame *f = dict_get_frame(from->dict, frame);
	uint32_t function, id;

	must(dict_function(p->dict, dict_get_function(from->dict, f->function), &function), "add");
	must(dict_frame(p->dict, function, f->line + more, &id), "add");
	return id;
}

static void add_one(struct profile *p, const struct profile *from, unsigned int lines)
{
	const struct profile_sample *s = &from->samples[draw() % from->nsamples];
	const struct dict_stack *stack = dict_get_stack(from->dict, s->stack);
	const struct profile_process *k = &from->processes[s->process];
	uint32_t kind = draw() % 10, depth = stack->depth, frames[512], process, id;

	if (kind == 0 && depth > 4)
		depth -= draw() % (depth / 2);
	if (depth > ARRAY_SIZE(frames))
		depth = ARRAY_SIZE(frames);
	for (uint32_t i = 0; i < depth; i++)
		frames[i] = frame_in(
			p, from, stack->frames[i],
			i + 1 == depth && (kind == 1 || kind == 2) ? (int)(draw() % lines) : 0);
	must(profile_process(p, &k->info, k->python, &process), "add");
	must(dict_stack(p->dict, frames, depth, &id), "add");
	must(profile_add_state(p, process, s->thread, id, s->state,
			       1 + (draw() % 4 == 0 ? draw() % 20 : 0), 0),
	     "add");
}

struct profile *made_window(const struct profile *from, unsigned int number, unsigned int stacks,
			    unsigned int lines)
{
	struct profile *p;

	must(profile_new(MADE_START + number * MADE_LENGTH, 100, &p), "make");
	p->end_ns = p->start_ns + MADE_LENGTH;
	while (p->nsamples < stacks)
		add_one(p, from, lines);
	p->tally.ticks = p->tally.python = p->samples_total;
	return p;
}

struct profile *made_stacks(void)
{
	static char comm[] = "app";
	struct process_info info = process_info_of(7);
	uint32_t process, frames[24], function, stack;
	struct profile *p;
	char name[32];

	info.comm = comm;
	must(profile_new(MADE_START, 100, &p), "make");
	must(profile_process(p, &info, "3.11.2", &process), "make");
	for (unsigned int i = 0; i < 3000; i++) {
		for (unsigned int k = 0; k < ARRAY_SIZE(frames); k++) {
			snprintf(name, sizeof(name), "function_%u", (i >> (24 - k)) + 40 * k);
			must(dict_python(p->dict, name, "/srv/app.py", (int)k, &function), "make");
			must(dict_frame(p->dict, function, (int)(i % 3 + k), &frames[k]), "make");
		}
		must(dict_stack(p->dict, frames, ARRAY_SIZE(frames), &stack), "make");
		must(profile_add_state(p, process, 7, stack,
				       i % 8 ? SAMPLE_GIL_HELD : SAMPLE_GIL_RELEASED, 1, 0),
		     "make");
	}
	return p;
}
