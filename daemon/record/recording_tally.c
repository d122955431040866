/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_tally.h"
#include "plop/places.h"
#include "record/recording_shares.h"
#include "target/shares.h"

void recording_throttling_begin(struct recording *recording)
{
	sampler_throttling(recording->all->sampler, recording->channel,
			   &recording->throttling_before);
	recording->throttling = recording->throttling_before;
}

void recording_throttling(struct recording *recording)
{
	if (sampler_channel_is_open(recording->all->sampler, recording->channel))
		sampler_throttling(recording->all->sampler, recording->channel,
				   &recording->throttling);
}

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

/*
 * Whether its ticks are told by what was filed and lost of its processes, and not by what a cycle
 * counted.
 */
static bool is_of_some(const struct recording *recording)
{
	return recording->channel == PLOP_CHANNEL_ALWAYS &&
	       (recording->whom.selectors.owned || recording->whom.npids);
}

static void tally_of_some(struct recording *recording)
{
	struct profile *p = sink_profile(recording->sink);

	p->tally = (struct tally){ .python = p->samples_total, .truncated = recording->truncated };
	memcpy(p->tally.lost, recording->lost, sizeof(recording->lost));
	p->tally.ticks = p->tally.python + tally_lost(&p->tally);
}

/* For somebody who may see some processes only: what was counted and lost of these. */
static void tally_of_own(struct recording *recording)
{
	struct profile *p = sink_profile(recording->sink);
	struct tally own = p->tally;

	selectors_tally(&recording->whom.selectors, p);
	/*
	 * the kernel side has kept others' out of them (channel_may(), bpf/sample.bpf.c), and user
	 * space out of what is waited for; of services it knows nothing
	 */
	if (!recording->whom.selectors.owned || *recording->whom.selectors.service ||
	    recording->channel == PLOP_CHANNEL_ALWAYS)
		return;
	p->tally.truncated = own.truncated;
	for (int i = 0; i < PLOP_LOST_CAUSES; i++) {
		p->tally.lost[i] = own.lost[i];
		p->tally.ticks += own.lost[i];
	}
}

void recording_tally(struct recording *recording, const struct tally *host,
		     const struct plop_channel_counters *channels)
{
	struct profile *p = sink_profile(recording->sink);
	uint32_t n = recording->channel;
	struct tally own = n ? channel_tally(&channels[PLOP_CHANNEL_PLACE(n)]) : *host;

	/* what found no home is lost, not python */
	own.python -= MIN(recording->undelivered, own.python);
	own.lost[PLOP_LOST_DRAIN] += recording->undelivered;
	recording->undelivered = 0;
	tally_add(&p->tally, &own);
	shares_count(recording->all->targets->shares, recording->user, SHARE_RATE_LOST,
		     own.lost[PLOP_LOST_RATE]);
	if (is_of_some(recording))
		tally_of_some(recording);
	else
		tally_of_own(recording);
	recording->tallied = p->samples_total;
}

struct tally recording_tally_now(const struct recording *recording)
{
	const struct profile *p = sink_profile(recording->sink);
	uint64_t since = p->samples_total - recording->tallied;
	struct tally t = p->tally;

	t.python += since;
	t.ticks += since;
	return t;
}

int recording_snapshot(const struct recording *recording, struct profile **ret)
{
	int r = profile_snapshot(sink_profile(recording->sink), ret);

	if (r >= 0)
		(*ret)->tally = recording_tally_now(recording);
	return r;
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
		struct recording *recording = all->items[i];

		if (!recording ||
		    (recording->state != RECORDING_RUNNING &&
		     recording->state != RECORDING_STOPPING) ||
		    !recording->begun_mono || !is_of_some(recording))
			continue;
		if (!k)
			k = target_of(all->targets, loss->tgid);
		if (!k)
			return;
		for (int n = 0; n < PLOP_LOST_CAUSES && recording_wants(recording, k); n++)
			recording->lost[n] += loss->lost[n];
	}
}
