/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"

/*
 * The stacks of threads whose wait began before a recording with time off CPU: nobody was there to
 * walk them when they left their CPU. A helper reads them once the recording watches, and what it
 * read counts for as long as the thread does not run; so it is asked at the beginning.
 */

/* Threads that one recording has read, and bytes of what is read of one process. */
#define ASLEEP_THREADS_MAX 1024
#define ASLEEP_BYTES_MAX   (4u << 20)

/* Asks for those of the processes that have joined since this was called last. */
void asleep_ask(struct recording *recording);
/* Whether an answer is still to come, and worth waiting for. */
bool asleep_awaits(const struct recording *recording);
