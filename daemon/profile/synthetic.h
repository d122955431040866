/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/events.h"
#include "python/python.h"

/*
 * What is shown of a synthetic frame, its code (plop/frame.h): "[task]", "[3 awaiting]". Of
 * PLOP_SYNTHETIC_NAMED, whose name comes in a record, "[task]". Pure. -ENOMEM. Result owned by the
 * caller.
 */
int synthetic_text(uint64_t code, char **ret);
/*
 * Of the record with a task's name, already checked for size: "[task crawler]". -EBADMSG: it has no
 * str; -ENOMEM.
 */
int synthetic_text_named(const struct plop_layout *l, const struct plop_record_task *r, char **ret);

/*
 * The part of a stack that tells of tasks, frames [*ret_from, *ret_to) of n: from its first
 * synthetic frame to its last.
 */
void synthetic_find(const struct plop_frame *frames, uint32_t n, uint32_t *ret_from,
		    uint32_t *ret_to);
