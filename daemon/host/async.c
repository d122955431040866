/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/manager.h"
#include "util/clock.h"
#include "util/log.h"

/* How soon a process is noticed that imports asyncio while it is recorded. */
#define ASYNC_AGAIN_NS (2 * NSEC_PER_SEC)

bool target_async(struct targets *t, struct target *k, uint64_t now_ns)
{
	struct plop_async async;
	int r;

	if (!k->codes || !async_is_possible(&k->python.layout))
		return false;
	if (k->async != TARGET_ASYNC_UNKNOWN || k->dying || now_ns < k->async_due_ns)
		return true;
	k->async_due_ns = now_ns + ASYNC_AGAIN_NS;
	r = python_async(t->cache, (pid_t)k->key.tgid, &k->python.layout, &async);
	if (r == 0)
		r = sampler_process_async(t->sampler, k->key.tgid, k->key.image,
					  targets_layout_user(t, k->info.uid), &async);
	if (r == 0)
		k->async = TARGET_ASYNC_KNOWN;
	else if (r == -EBADMSG || r == -EOPNOTSUPP || r == -ENOSPC || r == -EDQUOT)
		k->async = TARGET_ASYNC_NEVER;
	if (r < 0 && r != -ENOENT)
		log_debug_r(r, "Cannot tell where process %u keeps its tasks", k->key.tgid);
	return true;
}

bool recording_wants(const struct recording *r, struct target *k)
{
	struct profile_process process = { .info = k->info, .python = k->python.version };

	return selectors_match_process(&r->selectors, &process);
}

void recordings_async(struct recordings *all)
{
	struct targets *t = &all->manager->targets;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct target *k, *next;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (!r || !r->tasks || r->state == RECORDING_DONE)
			continue;
		HASH_ITER(hh_pid, t->living, k, next)
		{
			if (recording_wants(r, k) && target_async(t, k, now))
				r->tasks_possible = true;
		}
	}
}
