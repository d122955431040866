/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/events.h"
#include "python/python.h"

/*
 * What is shown of a mark (plop/async.h): "[task]", "[3 awaiting]". Of PLOP_MARK_NAMED, whose name comes in a record,
 * "[task]". Pure. -ENOMEM. Result owned by the caller.
 */
int mark_text(uint64_t mark, char **ret);
/* Of the record with a task's name, already checked for size: "[task crawler]". -EBADMSG: it has no str; -ENOMEM. */
int mark_text_named(const struct plop_layout *l, const struct plop_record_task *r, char **ret);

/* The part of a stack that tells of tasks, frames [*ret_from, *ret_to) of n: from its first mark to its last. */
void marks_find(const struct plop_frame *frames, uint32_t n, uint32_t *ret_from, uint32_t *ret_to);
