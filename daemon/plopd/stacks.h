/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"
#include "window/windows.h"

/*
 * Where the kernel's stacks become samples. Each collected stack is named once, by the code objects
 * of its process, and then offered to all who take stacks: every recording, and the running window.
 */
struct stacks {
	/* borrowed */
	struct targets *targets;
	struct windows *windows;
	struct recordings *recordings;
	/* samples of the ticks that are always on, of this cycle, that found no home */
	uint64_t undelivered;
};

/*
 * One stack of a collected half; frames: stack->depth of them, leaf first. It and its target's
 * counts are good for this call only.
 */
void stacks_take(struct stacks *s, const struct plop_stack *stack, const struct plop_frame *frames);
