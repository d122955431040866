/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/access.h"
#include "host/manager.h"

/* A peer that could not be told is nobody, and nobody owns nothing. */
static bool is_own(const struct api_peer *peer, uid_t owner)
{
	return owner == peer->uid && owner != PROCESS_NO_UID;
}

bool access_pid(const struct api_peer *peer, pid_t pid)
{
	uid_t owner;

	return peer->trusted || (process_owner(pid, &owner) == 0 && is_own(peer, owner));
}

bool access_process(const struct api_peer *peer, const struct target *k)
{
	/* now, and when this image began: its samples are from then on */
	return peer->trusted || (is_own(peer, k->info.uid) && access_pid(peer, k->info.pid));
}

void access_limit(const struct api_peer *peer, struct selectors *s)
{
	s->owned = !peer->trusted;
	s->uid = peer->uid;
}

void access_tally(const struct selectors *s, struct profile *p)
{
	uint64_t rate = p->tally.lost[PLOP_LOST_RATE];

	if (!s->owned)
		return;
	p->tally = (struct tally){ .ticks = p->samples_total, .python = p->samples_total };
	/* of a recording's own, and so its maker's */
	p->tally.ticks += rate;
	p->tally.lost[PLOP_LOST_RATE] = rate;
}

/* A user who is not trusted made it, or one of that user's sub-uids did. */
static bool counts_for(const struct shares *s, const struct api_peer *peer,
		       const struct recording *r)
{
	return r->selectors.owned && shares_user(s, peer->uid) == shares_user(s, r->selectors.uid);
}

/* A user who is not trusted made it. */
static bool made_by(const struct api_peer *peer, const struct recording *r)
{
	return r->selectors.owned && is_own(peer, r->selectors.uid);
}

bool access_recording(const struct api_peer *peer, const struct recording *r)
{
	return peer->trusted || made_by(peer, r);
}

int access_record(const struct api_request *q, struct recordings *all)
{
	struct recording *oldest = NULL;
	unsigned int n = 0;

	if (q->peer.trusted)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (!r || !counts_for(&all->manager->shares, &q->peer, r))
			continue;
		n++;
		if (r->state == RECORDING_DONE && (!oldest || r->keep_until < oldest->keep_until))
			oldest = r;
	}
	if (n < ACCESS_RECORDINGS_MAX)
		return 0;
	if (oldest) {
		recording_drop(oldest);
		return 0;
	}
	api_reply_error(q->call, 429, "wait until one ends",
			"%u recordings of yours run already, and one user may have %d", n,
			ACCESS_RECORDINGS_MAX);
	return -EBUSY;
}
