/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/stacks.h"
#include "record/recording_waits.h"

/*
 * Looks up the code objects of all frames, and counts how they got their names. Returns whether all
 * have one.
 */
static bool name_frames(struct target *k, const struct plop_stack *stack,
			const struct plop_frame *frames, struct symbol_counts *counts,
			struct code_object **codes, enum code_source *sources)
{
	uint64_t before = counts->unresolved;

	code_table_limit(k->codes, PLOP_MAX_CODE_BYTES);
	for (uint32_t i = 0; i < stack->depth; i++) {
		struct replay replay;
		const struct reader memory = readings_of_code(k->readings, &frames[i], &replay);

		codes[i] = code_table_find(k->codes, &memory, &frames[i], &sources[i]);
		if (plop_frame_kind(frames[i].code) == PLOP_FRAME_SYNTHETIC)
			continue;
		if (!codes[i])
			counts->unresolved += stack->count;
		else if (sources[i] == CODE_CAPTURED)
			counts->captured += stack->count;
		else
			counts->resolved += stack->count;
	}
	return counts->unresolved == before;
}

/* Nobody is there any more whose stack it could be. */
static void undelivered(struct stacks *s, const struct plop_stack *stack)
{
	if (stack->channel == PLOP_CHANNEL_ALWAYS)
		s->undelivered += stack->count;
	else if (stack->channel != PLOP_CHANNEL_OFF_CPU)
		recordings_undelivered(s->recordings, stack);
}

static void take(struct stacks *s, struct target *k, const struct plop_stack *stack,
		 const struct plop_frame *frames)
{
	static struct code_object *codes[PLOP_MAX_DEPTH];
	static enum code_source sources[PLOP_MAX_DEPTH];
	struct symbolized_stack named = {
		.stack = stack, .frames = frames, .codes = codes, .sources = sources
	};
	bool whole;

	whole = name_frames(k, stack, frames, &s->targets->symbols, codes, sources);
	named.bytecode = k->python.layout.code_bytecode;
	if (stack->channel == PLOP_CHANNEL_OFF_CPU) {
		recordings_wait_stack(s->recordings, k, &named);
		return;
	}
	recordings_add(s->recordings, k, &named);
	/* what ticks of one recording counted is its own alone */
	if (stack->channel != PLOP_CHANNEL_ALWAYS)
		return;
	if (windows_add(s->windows, k, &named) < 0) {
		s->undelivered += stack->count;
		return;
	}
	k->samples += stack->count;
	k->samples_cycle += stack->count;
	if (whole)
		k->symbolized += stack->count;
}

void stacks_take(struct stacks *s, const struct plop_stack *stack, const struct plop_frame *frames)
{
	struct target *k = targets_find(s->targets, stack->tgid, stack->image);

	if (!k || !k->codes || stack->depth > PLOP_MAX_DEPTH)
		undelivered(s, stack);
	else
		take(s, k, stack, frames);
}
