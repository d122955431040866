/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_tally.h"
#include "plopd/access.h"
#include "plopd/manager.h"

/* What a cycle counted for one set. */
static struct tally set_tally(const struct plop_set_counters *c)
{
	struct tally t = {
		.ticks = c->ticks, .python = c->python, .other = c->other, .truncated = c->truncated
	};

	for (int i = 0; i < PLOP_LOST_CAUSES; i++)
		t.lost[i] = c->lost[i];
	return t;
}

/* Whether its ticks are told by what was filed and lost of its processes, and not by what a cycle counted. */
static bool is_of_some(const struct recording *r)
{
	return r->set == PLOP_SET_ALWAYS && (r->selectors.owned || r->has_pids);
}

static void tally_of_some(struct recording *r)
{
	struct profile *p = sink_profile(r->sink);

	p->tally = (struct tally){ .python = p->samples_total, .truncated = r->truncated };
	memcpy(p->tally.lost, r->lost, sizeof(r->lost));
	p->tally.ticks = p->tally.python + tally_lost(&p->tally);
}

void recording_tally(struct recording *r, const struct tally *host,
		     const struct plop_set_counters *set)
{
	struct profile *p = sink_profile(r->sink);
	struct tally own = set ? set_tally(set) : *host;

	/* what found no home is lost, not python */
	own.python -= MIN(r->undelivered, own.python);
	own.lost[PLOP_LOST_DRAIN] += r->undelivered;
	r->undelivered = 0;
	tally_add(&p->tally, &own);
	shares_count(&r->all->manager->shares, recording_user(r), SHARE_RATE_LOST,
		     own.lost[PLOP_LOST_RATE]);
	if (is_of_some(r))
		tally_of_some(r);
	else
		access_recording_tally(r);
}

/* Also of one that has ended meanwhile. */
static struct target *target_of(struct targets *t, uint32_t tgid)
{
	struct target *k = targets_find_pid(t, (pid_t)tgid), *next;

	if (k)
		return k;
	HASH_ITER(hh, t->all, k, next)
	{
		if (k->key.tgid == tgid)
			return k;
	}
	return NULL;
}

void recordings_loss(struct recordings *all, const struct plop_loss *loss)
{
	struct target *k = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (!r || (r->state != RECORDING_RUNNING && r->state != RECORDING_STOPPING) ||
		    !r->begun_mono || !is_of_some(r))
			continue;
		if (!k)
			k = target_of(&all->manager->targets, loss->tgid);
		if (!k)
			return;
		for (int n = 0; n < PLOP_LOST_CAUSES && recording_wants(r, k); n++)
			r->lost[n] += loss->lost[n];
	}
}
