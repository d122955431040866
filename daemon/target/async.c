/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/async.h"
#include "target/silence.h"
#include "util/log.h"

/* How soon a process is noticed that imports asyncio while it is recorded. */
#define ASYNC_AGAIN_NS (2 * NSEC_PER_SEC)

struct async_question {
	struct targets *targets;
	struct target_key key;
};

static void async_answer(void *ctx, int r, struct unpack *body)
{
	struct async_question *q = ctx;
	struct targets *t = q->targets;
	struct target *k = targets_find(t, q->key.tgid, q->key.image);
	struct plop_async async;

	if (k && r != -ECANCELED) {
		if (r == -ETIMEDOUT)
			target_heard(t, k, r);
		k->async_asked = false;
		k->async_due_ns = cycle_mono_ns(t->cycle) + ASYNC_AGAIN_NS;
		if (r == 0)
			r = examined_async(body, &async);
		if (r == 0)
			r = sampler_process_set_async(t->sampler, k->key.tgid, k->key.image,
						      targets_layout_user(t, k->user), &async);
		if (r == 0)
			k->async = TARGET_ASYNC_KNOWN;
		else if (r == -EBADMSG || r == -EOPNOTSUPP)
			k->async = TARGET_ASYNC_NEVER;
		if (r < 0 && r != -ENOENT)
			log_debug_r(r, "Cannot tell where process %u keeps its tasks", k->key.tgid);
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
	if (k->async != TARGET_ASYNC_UNKNOWN || k->async_asked || !target_may_be_asked(t, k) ||
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
