/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/*
 * Confirms the settled code objects of all targets that have noted any, by what was read of them.
 */
void targets_confirm(struct targets *t);
/*
 * After a cycle: frees what ended, and keeps the CPU figures. elapsed_ns: since the cycle before.
 */
void targets_cycle(struct targets *t, uint64_t elapsed_ns, unsigned int hz);

/* Of targets.reap: gives up some of the waste of the code pool. */
int targets_reap(sd_event_source *s, void *ctx);

/*
 * The channels that want this process's time off CPU: bit n - 1 is channel n. The kernel passes
 * them on to children.
 */
uint32_t targets_off_cpu(struct targets *t, struct target *k);
