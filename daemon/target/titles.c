/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/titles.h"
#include "target/silence.h"
#include "util/log.h"

/*
 * How soon after a process was renamed its title is looked at, how soon after it was found (what it
 * is called was read then), how seldom at last, and how many of all at once.
 */
#define TITLE_FIRST_NS (250 * NSEC_PER_MSEC)
#define TITLE_FOUND_NS NSEC_PER_SEC
#define TITLE_LAST_NS  (32 * NSEC_PER_SEC)
#define TITLE_HOUR_NS  (3600 * NSEC_PER_SEC)
#define TITLES_AT_ONCE 64

_Static_assert(TITLE_FIRST_NS > PLOP_RENAMES_APART_NS, "a look sees what no record told of");

struct title_question {
	struct targets *targets;
	struct target_key key;
};

bool title_is_restless(const struct target *k)
{
	return k->title.changes >= TITLE_CHANGES_OFTEN;
}

/* Takes over what the process calls itself. */
static void title_take(struct target *k, char *comm, char *cmdline)
{
	struct process_info *i = &k->info;

	/* one that is within exec, or whose memory is gone, has none */
	if (!*cmdline || (streq(i->comm, comm) && streq(i->cmdline, cmdline))) {
		free(comm);
		free(cmdline);
		return;
	}
	free(i->comm);
	free(i->cmdline);
	i->comm = comm;
	i->cmdline = cmdline;
	k->title.changes++;
	if (k->title.changes == TITLE_CHANGES_OFTEN)
		log_debug("Process %u changes its title often", k->key.tgid);
}

/* What was read may be of another program, or of another process of that pid. */
static bool title_is_still(const struct targets *t, const struct target_key *key)
{
	uint64_t image;

	return sampler_process_image(t->sampler, key->tgid, &image) == 0 && image == key->image;
}

static void title_answer(void *ctx, int r, struct unpack *body)
{
	struct title_question *q = ctx;
	struct target *k = targets_find(q->targets, q->key.tgid, q->key.image);
	char *comm, *cmdline;

	if (k && r == -ETIMEDOUT)
		target_heard(q->targets, k, r);
	if (k)
		k->title.asked = false;
	if (k && r >= 0 && title_is_still(q->targets, &q->key) &&
	    examined_title(body, &comm, &cmdline) >= 0)
		title_take(k, comm, cmdline);
	free(q);
}

/* When it is looked at again. */
static void title_postpone(struct title *s, uint64_t now)
{
	s->wait_ns = s->wait_ns ? MIN(2 * s->wait_ns, TITLE_LAST_NS) : TITLE_FOUND_NS;
	if (!s->since_ns || now - s->since_ns >= TITLE_HOUR_NS) {
		s->since_ns = now;
		s->changes = s->renames = 0;
	}
	s->due_ns = s->changes < TITLE_CHANGES_MAX ? now + s->wait_ns : s->since_ns + TITLE_HOUR_NS;
}

static bool title_ask(struct targets *t, struct target *k)
{
	const struct examinee who = target_examinee(k);
	struct title_question *q = calloc(1, sizeof(*q));
	struct buf nothing = {};

	if (!q)
		return false;
	*q = (struct title_question){ .targets = t, .key = k->key };
	k->title.asked = true;
	examiner_ask(t->examiner, EXAMINE_TITLE, &who, &nothing, title_answer, q);
	return true;
}

void title_begin(const struct targets *t, struct target *k)
{
	title_postpone(&k->title, cycle_mono_ns(t->cycle));
}

static void look_at(struct targets *t, uint64_t due_ns, uint64_t now)
{
	t->title_timer_set = true;
	sd_event_source_set_time_relative(t->title_timer, (due_ns - now) / 1000 + 1);
	sd_event_source_set_enabled(t->title_timer, SD_EVENT_ONESHOT);
}

static int titles_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct targets *t = ctx;

	t->title_timer_set = false;
	titles_look(t);
	return 0;
}

int titles_init(struct targets *t)
{
	/* those that are renamed at about the same time are looked at together */
	int r = sd_event_add_time_relative(t->cycle->loop, &t->title_timer, CLOCK_MONOTONIC, 0,
					   100 * USEC_PER_MSEC, titles_due, t);

	return r < 0 ? r : sd_event_source_set_enabled(t->title_timer, SD_EVENT_OFF);
}

void title_renamed(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target *k = targets_find(t, tgid, image);
	uint64_t now = cycle_mono_ns(t->cycle);
	struct title *s;

	if (!k || k->dying)
		return;
	s = &k->title;
	if (now - s->since_ns < TITLE_HOUR_NS &&
	    (s->changes >= TITLE_CHANGES_MAX || s->renames++ >= TITLE_RENAMES_MAX))
		return;
	s->due_ns = MIN(s->due_ns, now + TITLE_FIRST_NS);
	/* one that is set already comes sooner, and has those that are left looked at in time */
	if (!t->title_timer_set)
		look_at(t, MAX(s->due_ns, now), now);
}

void titles_look(struct targets *t)
{
	/* the second part: so that each has its turn by the time that the first is due again */
	const unsigned int most = TITLES_AT_ONCE + HASH_CNT(hh_pid, t->living) / 32;
	uint64_t now = cycle_mono_ns(t->cycle), soon = now + TITLE_FIRST_NS + 1;
	struct target *k, *next;
	unsigned int n = 0;

	HASH_ITER(hh_pid, t->living, k, next)
	{
		if (now < k->title.due_ns) {
			soon = MIN(soon, k->title.due_ns);
			continue;
		}
		if (k->title.asked || !target_may_be_asked(t, k))
			continue;
		if (n++ == most || !title_ask(t, k))
			return;
		title_postpone(&k->title, now);
	}
	/* what is due later than that, the next cycle is in time for */
	if (!t->title_timer_set && soon <= now + TITLE_FIRST_NS)
		look_at(t, soon, now);
}
