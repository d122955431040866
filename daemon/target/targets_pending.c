/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/targets_pending.h"

/* When one is looked at first that is of a program that was no Python lately. */
#define PLAIN_NS (500 * NSEC_PER_MSEC)
/* What need not be exact is done at multiples of that: for many at once, rather than for each. */
#define STEP_NS (100 * NSEC_PER_MSEC)
/* A tick does not have one looked at whose time comes that soon. */
#define SOON_NS (2 * NSEC_PER_MSEC)

void targets_forget_pending(struct targets *t, const struct target_key *key)
{
	pendings_drop(&t->pending, key);
}

/* The timer is set to the first of them. */
static void retry_at(struct targets *t, uint64_t due_ns)
{
	if (t->retry_ns && t->retry_ns <= due_ns)
		return;
	t->retry_ns = due_ns;
	/* not relative: that counts from when the loop woke up, and would be too early */
	sd_event_source_set_time(t->retry, due_ns / 1000 + 1);
	sd_event_source_set_enabled(t->retry, SD_EVENT_ONESHOT);
}

static void pending_at(struct targets *t, struct pending *p, uint64_t due_ns)
{
	p->due_ns = due_ns;
	retry_at(t, due_ns);
}

void targets_ask_later(struct targets *t, const struct target_key *key)
{
	struct pending *p = pendings_get(&t->pending, key);

	if (!p)
		return;
	pending_wait_longer(p);
	pending_at(t, p, cycle_mono_ns(t->cycle) + p->wait_ns);
}

void targets_pending_program(struct targets *t, const struct target_key *key, uint64_t file,
			     uid_t uid, bool plain)
{
	struct pending *p = pendings_find(&t->pending, key);

	if (!p)
		return;
	p->file = file;
	p->plain = plain;
	p->first = false;
	p->uid = uid;
}

void targets_postpone(struct targets *t, const struct target_key *key, uint64_t due_ns)
{
	struct pending *p = pendings_find(&t->pending, key);

	if (p)
		pending_at(t, p, due_ns);
}

void targets_ask_again(struct targets *t, const struct target_key *key, uint64_t due_ns)
{
	struct pending *p = pendings_get(&t->pending, key);

	if (!p)
		return;
	pending_wait_longer(p);
	pending_at(t, p, due_ns);
}

void targets_ask_together(struct targets *t, const struct target_key *key, uint64_t due_ns)
{
	targets_ask_again(t, key, (due_ns + STEP_NS - 1) / STEP_NS * STEP_NS);
}

bool targets_image_is_over(const struct targets *t, const struct target_key *key)
{
	uint64_t image;
	int r = sampler_process_image(t->sampler, key->tgid, &image);

	return r == -ESRCH || (r == 0 && image != key->image);
}

/* Of one that becomes Python: whether its first look has a time that has not come. */
static bool first_look_later(struct targets *t, const struct pending *of, uint64_t now)
{
	uint64_t wait = plain_wait(&t->plain, of->file, now);
	struct pending *p;

	if (now - of->key.image >= wait || !pendings_may_be_plain(&t->pending))
		return false;
	p = pendings_get(&t->pending, &of->key);
	if (!p)
		return false;
	p->file = of->file;
	p->uid = of->uid;
	p->first = true;
	pending_at(t, p, of->key.image + wait);
	return true;
}

void targets_exec(struct targets *t, const struct plop_record_exec *r)
{
	const struct pending of = { .key = { .image = r->head.image, .tgid = r->head.tgid },
				    .file = r->file,
				    .uid = r->uid };
	const struct target_key key = of.key;
	uint64_t now = cycle_mono_ns(t->cycle);

	if (r->known && targets_launched(t, r))
		return;
	launches_meet(&t->launches, r);
	/* any number of plain ones may come: those that may well be Python have room beside them */
	if (!plain_has(&t->plain, r->file, now) || !pendings_may_be_plain(&t->pending)) {
		sampler_program_plain(t->sampler, r->file, false);
		if (!first_look_later(t, &of, now))
			targets_look(t, &of, false);
		return;
	}
	/* its record has waited for others: most have ended by now */
	if (targets_image_is_over(t, &key))
		return;
	targets_ask_together(t, &key, key.image + PLAIN_NS - STEP_NS);
	targets_pending_program(t, &key, r->file, r->uid, true);
}

void targets_ticked(struct targets *t, uint32_t tgid, uint64_t image)
{
	const struct target_key key = { .image = image, .tgid = tgid };
	const struct pending *p = pendings_find(&t->pending, &key);
	struct pending of = { .key = key, .uid = PROCESS_NO_UID };

	/* it is being looked at, or soon will be; or it is of a plain program, and has its time */
	if (p && (!p->due_ns || p->plain || p->due_ns < cycle_mono_ns(t->cycle) + SOON_NS))
		return;
	of.file = p ? p->file : sampler_process_program(t->sampler, tgid, image);
	targets_look(t, &of, false);
}

int targets_retry(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct targets *t = ctx;
	uint64_t now = cycle_mono_ns(t->cycle), next;
	struct pending *p, *pnext, of;

	t->retry_ns = 0;
	HASH_ITER(hh, t->pending.all, p, pnext)
	{
		if (!p->due_ns || p->due_ns > now)
			continue;
		of = *p;
		/* by its answer it has another time, or is not there any more */
		p->due_ns = 0;
		p->first = false;
		p->uid = PROCESS_NO_UID;
		if (targets_image_is_over(t, &p->key))
			pendings_drop(&t->pending, &p->key);
		else
			targets_look(t, &of, false);
	}
	next = pendings_next(&t->pending);
	if (next)
		retry_at(t, next);
	return 0;
}
