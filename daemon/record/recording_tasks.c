/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_tasks.h"
#include "target/async.h"

void recordings_async(struct recordings *all)
{
	struct targets *t = all->targets;
	uint64_t now = cycle_mono_ns(all->cycle);
	struct target *k, *next;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (!r || !r->tasks || r->state == RECORDING_LOADING || r->state == RECORDING_DONE)
			continue;
		HASH_ITER(hh_pid, t->living, k, next)
		{
			if (recording_wants(r, k) && target_async(t, k, now))
				r->tasks_possible = true;
		}
	}
}

bool recording_async_known(const struct recording *r)
{
	struct target *k, *next;

	HASH_ITER(hh_pid, r->all->targets->living, k, next)
	{
		if (k->async_asked && recording_wants(r, k))
			return false;
	}
	return true;
}
