/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/access.h"
#include "plopd/manager.h"
#include "util/clock.h"
#include "util/log.h"

/* How soon a process is noticed that imports asyncio while it is recorded. */
#define ASYNC_AGAIN_NS (2 * NSEC_PER_SEC)

struct async_question {
	struct targets *targets;
	struct target_key key;
};

static void async_answer(void *ctx, int result, struct unpack *body)
{
	struct async_question *q = ctx;
	struct targets *t = q->targets;
	struct target *k = targets_find(t, q->key.tgid, q->key.image);
	struct plop_async async;

	if (k && result != -ECANCELED) {
		if (result == -ETIMEDOUT)
			target_heard(k, result);
		k->async_asked = false;
		k->async_due_ns = clock_ns(CLOCK_MONOTONIC) + ASYNC_AGAIN_NS;
		if (result == 0)
			result = examined_async(body, &async);
		if (result == 0)
			result = sampler_process_async(t->sampler, k->key.tgid, k->key.image,
						       targets_layout_user(t, k->user), &async);
		if (result == 0)
			k->async = TARGET_ASYNC_KNOWN;
		else if (result == -EBADMSG || result == -EOPNOTSUPP)
			k->async = TARGET_ASYNC_NEVER;
		if (result < 0 && result != -ENOENT)
			log_debug_r(result, "Cannot tell where process %u keeps its tasks",
				    k->key.tgid);
	}
	free(q);
	if (t->async_answered)
		t->async_answered(t->ctx);
}

bool target_async(struct targets *t, struct target *k, uint64_t now_ns)
{
	const struct examinee who = target_examinee(k);
	struct async_question *q;
	struct buf request = {};

	if (!k->codes || !async_is_possible(&k->python.layout))
		return false;
	if (k->async != TARGET_ASYNC_UNKNOWN || k->async_asked || !target_may_be_asked(k) ||
	    now_ns < k->async_due_ns)
		return true;
	q = calloc(1, sizeof(*q));
	if (!q)
		return true;
	*q = (struct async_question){ .targets = t, .key = k->key };
	k->async_asked = true;
	examine_async(&request, &k->python.layout);
	examiner_ask(t->examiner, EXAMINE_ASYNC, &who, &request, async_answer, q);
	return true;
}

bool recording_wants(const struct recording *r, struct target *k)
{
	struct profile_process process = { .python = k->python.version };

	if (!access_target(&r->selectors, k, r->all->manager->cycle))
		return false;
	process.info = k->info;
	return selectors_match_process(&r->selectors, &process);
}

void recordings_async(struct recordings *all)
{
	struct targets *t = &all->manager->targets;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
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

	HASH_ITER(hh_pid, r->all->manager->targets.living, k, next)
	{
		if (k->async_asked && recording_wants(r, k))
			return false;
	}
	return true;
}
