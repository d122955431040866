/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/thread_states.h"
#include "target/silence.h"
#include "target/targets_starting.h"
#include "util/log.h"

/* A question for where the thread states of one process are. */
struct states_question {
	struct targets *targets;
	struct target_key key;
};

static void states_ask(struct targets *t, struct target *k);

static void states_answer(void *ctx, int r, struct unpack *body)
{
	_cleanup_free_ struct states_question *q = ctx;
	struct target *k = targets_find(q->targets, q->key.tgid, q->key.image);
	_cleanup_free_ struct state_place *places = NULL;
	uint64_t image;
	size_t n = 0;

	if (k && r == -ETIMEDOUT)
		target_heard(q->targets, k, r);
	if (r >= 0)
		r = examined_states(body, &places, &n);
	if (r < 0 && r != -ECANCELED)
		log_debug_r(r, "Cannot read the thread states of process %u", q->key.tgid);
	if (!k)
		return;
	k->states_asked = false;
	if (r == -ECANCELED)
		return;
	/* what was read may be of another program, or of another process of that pid */
	if (sampler_process_image(q->targets->sampler, q->key.tgid, &image) < 0 ||
	    image != q->key.image)
		n = 0;
	/*
	 * those that were asked for come first, and are to be remembered when there is not room for
	 * all
	 */
	for (size_t i = n; i-- > 0;)
		sampler_thread_state_set(q->targets->sampler, q->key.image, places[i].thread,
					 places[i].state);
	states_ask(q->targets, k);
}

static void states_ask(struct targets *t, struct target *k)
{
	const struct examinee who = target_examinee(k);
	struct states_question *q;
	struct buf request = {};

	if (k->nstateless == 0 || k->states_asked || !target_may_be_asked(t, k) || !k->codes)
		return;
	q = malloc(sizeof(*q));
	if (!q)
		return;
	*q = (struct states_question){ .targets = t, .key = k->key };
	target_arrived(t, k);
	examine_states(&request, &k->python.layout, k->python.runtime, k->stateless, k->nstateless);
	free(TAKE_PTR(k->stateless));
	k->nstateless = 0;
	k->states_asked = true;
	examiner_ask(t->examiner, EXAMINE_STATES, &who, &request, states_answer, q);
}

void targets_state(struct targets *t, const struct plop_record_state *r)
{
	struct target *k = targets_find(t, r->head.tgid, r->head.image);

	if (!k || !k->codes || k->dying)
		return;
	if (!k->stateless)
		k->stateless = calloc(TARGET_STATELESS_MAX, sizeof(*k->stateless));
	if (!k->stateless)
		return;
	for (unsigned int i = 0; i < k->nstateless; i++) {
		if (k->stateless[i] == r->thread)
			return;
	}
	/* who finds no room is told of again */
	if (k->nstateless < TARGET_STATELESS_MAX)
		k->stateless[k->nstateless++] = r->thread;
	states_ask(t, k);
}
