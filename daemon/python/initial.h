/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/python.h"
#include "util/buf.h"

/*
 * What a process was started with, as its interpreter has it, for one whose own environment and
 * command line were written over: of the environment those variables that may be labels, as
 * NAME=VALUE, and the command line (3.10 and later: whole, before: the program and what it runs),
 * each ended by a NUL. -EOPNOTSUPP: not of this version; -EFAULT, -EBADMSG, -ENOENT: it is not
 * there; -E2BIG, -ENOMEM. The buffers are the caller's whatever is returned, and empty unless it is
 * 0.
 */
int python_initial_read(const struct reader *memory, const struct plop_layout *l, uint64_t runtime,
			struct buf *environ_block, struct buf *arguments);
