/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_tally.h"
#include "record/recording_shares.h"
#include "target/shares.h"

/* What a cycle counted for one channel. */
static struct tally channel_tally(const struct plop_channel_counters *c)
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
	return r->channel == PLOP_CHANNEL_ALWAYS && (r->whom.selectors.owned || r->whom.npids);
}

static void tally_of_some(struct recording *r)
{
	struct profile *p = sink_profile(r->sink);

	p->tally = (struct tally){ .python = p->samples_total, .truncated = r->truncated };
	memcpy(p->tally.lost, r->lost, sizeof(r->lost));
	p->tally.ticks = p->tally.python + tally_lost(&p->tally);
}

/* For somebody who may see some processes only: what was counted and lost of these. */
static void tally_of_own(struct recording *r)
{
	struct profile *p = sink_profile(r->sink);
	struct tally own = p->tally;

	selectors_tally(&r->whom.selectors, p);
	/* the kernel side has kept others' out of them (channel_may(), bpf/sample.bpf.c), and user space out of what is waited for */
	if (!r->whom.selectors.owned || r->channel == PLOP_CHANNEL_ALWAYS)
		return;
	p->tally.truncated = own.truncated;
	for (int i = 0; i < PLOP_LOST_CAUSES; i++) {
		p->tally.lost[i] = own.lost[i];
		p->tally.ticks += own.lost[i];
	}
}

void recording_tally(struct recording *r, const struct tally *host,
		     const struct plop_channel_counters *channel)
{
	struct profile *p = sink_profile(r->sink);
	struct tally own = channel ? channel_tally(channel) : *host;

	/* what found no home is lost, not python */
	own.python -= MIN(r->undelivered, own.python);
	own.lost[PLOP_LOST_DRAIN] += r->undelivered;
	r->undelivered = 0;
	tally_add(&p->tally, &own);
	shares_count(r->all->targets->shares, recording_user(r), SHARE_RATE_LOST,
		     own.lost[PLOP_LOST_RATE]);
	if (is_of_some(r))
		tally_of_some(r);
	else
		tally_of_own(r);
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
			k = target_of(all->targets, loss->tgid);
		if (!k)
			return;
		for (int n = 0; n < PLOP_LOST_CAUSES && recording_wants(r, k); n++)
			r->lost[n] += loss->lost[n];
	}
}
