/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/naming.h"
#include "target/silence.h"
#include "target/targets_starting.h"
#include "util/log.h"

/* How long a cycle waits for those whose user has kept plopd waiting before, and for all others. */
#define PATIENCE_USEC (100 * USEC_PER_MSEC)
#define LONGEST_USEC  (4 * USEC_PER_SEC)
/* What is kept of a cycle's readings, of all targets. What is beyond has no names in this cycle. */
#define READINGS_BYTES (48u << 20)

/* A question about one target. */
struct naming_question {
	struct naming *naming;
	struct target_key key;
	uint64_t cycle;
	bool trusted;
	size_t n;
	struct plop_frame frames[]; /* n of them: what readings are looked up by */
};

static int naming_impatient(sd_event_source *s, uint64_t usec, void *ctx);

int naming_init(struct naming *n, struct targets *t, void (*done)(void *ctx), void *ctx)
{
	int r;

	*n = (struct naming){ .targets = t, .done = done, .ctx = ctx };
	r = sd_event_add_time_relative(t->cycle->loop, &n->patience, CLOCK_MONOTONIC, 0, 1000,
				       naming_impatient, n);
	return r < 0 ? r : sd_event_source_set_enabled(n->patience, SD_EVENT_OFF);
}

void naming_done(struct naming *n)
{
	n->patience = sd_event_source_disable_unref(n->patience);
}

void naming_want(struct naming *n, const struct plop_stack *stack, const struct plop_frame *frames,
		 uint64_t cycle)
{
	struct target *k = targets_find(n->targets, stack->tgid, stack->image);

	if (k && stack->flags & (PLOP_STACK_NO_INTERP | PLOP_STACK_FINALISED))
		target_not_up(n->targets, k);
	if (k)
		target_arrived(n->targets, k);
	if (k && k->codes && stack->depth <= PLOP_MAX_DEPTH)
		code_table_want(k->codes, (uint32_t)cycle, frames, stack->depth);
}

static void lacking_ask(struct naming *n, struct target *k);

/* What was read may be of another program, or of another process of that pid. */
static bool naming_is_still(const struct naming *n, const struct target_key *key)
{
	uint64_t image;

	return sampler_process_image(n->targets->sampler, key->tgid, &image) == 0 &&
	       image == key->image;
}

/* What a record lacked is put into the table, where the cycle's stacks will find it. */
static void lacking_answer(void *ctx, int r, struct unpack *body)
{
	_cleanup_(readings_freep) struct readings *readings = NULL;
	struct naming_question *q = ctx;
	struct naming *n = q->naming;
	struct target *k = targets_find(n->targets, q->key.tgid, q->key.image);

	if (k && r != -ESRCH)
		target_heard(n->targets, k, r);
	if (k && r >= 0 && naming_is_still(n, &q->key))
		r = readings_new(body, q->frames, q->n, &readings);
	for (size_t i = 0; k && readings && i < q->n; i++) {
		struct replay replay;
		const struct reader memory = readings_of_code(readings, &q->frames[i], &replay);
		enum code_source source;

		if (code_table_lacks(k->codes, q->frames[i].code, q->frames[i].fingerprint))
			code_table_find(k->codes, &memory, &q->frames[i], &source);
	}
	if (k) {
		k->lacking_asked = false;
		if (r != -ECANCELED)
			lacking_ask(n, k);
	}
	free(q);
}

static void lacking_ask(struct naming *n, struct target *k)
{
	const struct examinee who = target_examinee(k);
	const size_t size = k->nlacking * sizeof(struct plop_frame);
	struct naming_question *q;
	struct buf request = {};

	if (k->nlacking == 0 || k->lacking_asked || !target_may_be_asked(n->targets, k))
		return;
	q = malloc(sizeof(*q) + size);
	if (!q)
		return;
	*q = (struct naming_question){ .naming = n, .key = k->key, .n = k->nlacking };
	memcpy(q->frames, k->lacking, size);
	free(TAKE_PTR(k->lacking));
	k->nlacking = 0;
	k->lacking_asked = true;
	examine_code(&request, &k->python.layout, NULL, 0, 0, q->frames, q->n);
	examiner_ask(n->targets->examiner, EXAMINE_CODE, &who, &request, lacking_answer, q);
}

/* Whether there is no room for code objects of a user's processes until some were forgotten. */
static bool naming_is_full(const struct naming *n, const struct target *k)
{
	const struct code_pool *p = &n->targets->code_pool;

	return p->name_bytes + p->line_bytes > PLOP_MAX_CODE_BYTES &&
	       !shares_is_trusted(n->targets->shares, k->user);
}

void naming_code(struct naming *n, const struct plop_record_code *r)
{
	struct target *k = targets_find(n->targets, r->head.tgid, r->head.image);
	struct replay replay;
	const struct reader unread = readings_of_confirmation(NULL, &replay);
	uint64_t began;

	if (!k || !k->codes)
		return;
	if (!effort_is_left(&n->targets->effort, k->user) || naming_is_full(n, k)) {
		shares_count(n->targets->shares, k->user, SHARE_CODES_REFUSED, 1);
		return;
	}
	began = cycle_mono_ns(n->targets->cycle);
	code_table_limit(k->codes, PLOP_MAX_CODE_BYTES);
	code_table_record(k->codes, &unread, r);
	effort_spend_since(&n->targets->effort, k->user, began, EFFORT_RECORD_NS);
	if (!code_table_lacks(k->codes, r->code, r->fingerprint))
		return;
	lacking_ask(n, k);
	if (!k->lacking)
		k->lacking = calloc(TARGET_LACKING_MAX, sizeof(*k->lacking));
	/* one that has no room is asked for with the cycle's stacks */
	if (!k->lacking || k->nlacking == TARGET_LACKING_MAX)
		return;
	k->lacking[k->nlacking++] =
		(struct plop_frame){ .code = r->code, .fingerprint = r->fingerprint };
	lacking_ask(n, k);
}

static void naming_end(struct naming *n)
{
	n->cycle = 0;
	sd_event_source_set_enabled(n->patience, SD_EVENT_OFF);
	n->done(n->ctx);
}

/* Those who are waited for have had their time. */
static int naming_impatient(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct naming *n = ctx;

	if (n->cycle)
		naming_end(n);
	return 0;
}

static void naming_wait(struct naming *n, uint64_t usec)
{
	sd_event_source_set_time_relative(n->patience, usec);
	sd_event_source_set_enabled(n->patience, SD_EVENT_ONESHOT);
}

/* Whether all is there, or only those are missing for whom nobody waits long. */
static void naming_look(struct naming *n)
{
	if (!n->cycle || n->trusted > 0)
		return;
	if (n->waiting == 0) {
		naming_end(n);
	} else if (!n->impatient) {
		n->impatient = true;
		naming_wait(n, PATIENCE_USEC);
	}
}

/* Whether there is room for what was read of one: of all, and of its user. */
static bool naming_admit(struct naming *n, const struct target *k, uint64_t cycle, size_t size)
{
	struct shares *shares = n->targets->shares;
	struct share *share = shares_is_trusted(shares, k->user) ? NULL :
								   shares_of(shares, k->user);

	if (share && share->readings_cycle != cycle) {
		share->readings_cycle = cycle;
		share->readings_bytes = 0;
	}
	if (n->bytes + size > READINGS_BYTES ||
	    (share && share->readings_bytes > 0 &&
	     share->readings_bytes + size > SHARES_READINGS_BYTES))
		return false;
	n->bytes += size;
	if (share)
		share->readings_bytes += size;
	return true;
}

static void naming_answer(void *ctx, int r, struct unpack *body)
{
	struct naming_question *q = ctx;
	struct naming *n = q->naming;
	struct target *k = targets_find(n->targets, q->key.tgid, q->key.image);
	bool current = n->cycle == q->cycle;

	if (k && r != -ESRCH)
		target_heard(n->targets, k, r);
	if (k)
		k->code_asked = false;
	if (k && current)
		k->code_gone = r == -ESRCH || !naming_is_still(n, &q->key);
	if (k && current && r >= 0 && !k->code_gone && naming_admit(n, k, q->cycle, body->size)) {
		readings_free(TAKE_PTR(k->readings));
		r = readings_new(body, q->frames, q->n, &k->readings);
	}
	if (r < 0 && r != -ECANCELED)
		log_debug_r(r, "Cannot read code objects of process %u", q->key.tgid);
	if (current) {
		n->waiting--;
		n->trusted -= q->trusted;
	}
	free(q);
	if (current && r != -ECANCELED)
		naming_look(n);
}

static void naming_ask(struct naming *n, struct target *k, uint64_t cycle)
{
	const struct examinee who = target_examinee(k);
	struct naming_question *q;
	struct buf request = {};
	struct code_wants w;

	code_table_wants(k->codes, (uint32_t)cycle, k->python.runtime, &w);
	if (w.nconfirm == 0 && w.nread == 0)
		return;
	q = malloc(sizeof(*q) + w.nread * sizeof(q->frames[0]));
	if (!q)
		return;
	*q = (struct naming_question){ .naming = n,
				       .key = k->key,
				       .cycle = cycle,
				       .trusted =
					       !examiner_distrusts(n->targets->examiner, k->user),
				       .n = w.nread };
	if (w.nread > 0)
		memcpy(q->frames, w.read, w.nread * sizeof(q->frames[0]));
	k->code_asked = true;
	n->waiting++;
	n->trusted += q->trusted;
	examine_code(&request, &k->python.layout, w.confirm, w.nconfirm, w.word, w.read, w.nread);
	examiner_ask(n->targets->examiner, EXAMINE_CODE, &who, &request, naming_answer, q);
}

int naming_begin(struct naming *n, uint64_t cycle)
{
	struct target *k, *next;

	n->cycle = cycle;
	n->impatient = false;
	n->bytes = 0;
	/* one more than there are: nothing ends before all is asked */
	n->waiting = n->trusted = 1;
	HASH_ITER(hh, n->targets->all, k, next)
	{
		/* one that has not answered yet has no names this time either */
		if (k->codes && !k->code_asked && target_may_be_asked(n->targets, k))
			naming_ask(n, k, cycle);
	}
	n->waiting--;
	n->trusted--;
	if (n->waiting == 0) {
		n->cycle = 0;
		return 0;
	}
	naming_wait(n, LONGEST_USEC);
	naming_look(n);
	return 1;
}
