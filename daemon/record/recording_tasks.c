/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_tasks.h"
#include "target/async.h"

void recordings_async(struct recordings *all)
{
	struct targets *t = all->targets;
	uint64_t now = cycle_mono_ns(all->cycle);
	struct target *k, *next;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (!recording || !recording->tasks || recording->state == RECORDING_LOADING ||
		    recording->state == RECORDING_DONE)
			continue;
		HASH_ITER(hh_pid, t->living, k, next)
		{
			if (recording_wants(recording, k) && target_async(t, k, now))
				recording->tasks_possible = true;
		}
	}
}

bool recording_async_known(const struct recording *recording)
{
	struct target *k, *next;

	HASH_ITER(hh_pid, recording->all->targets->living, k, next)
	{
		if (k->async_asked && recording_wants(recording, k))
			return false;
	}
	return true;
}
