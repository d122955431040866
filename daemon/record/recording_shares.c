/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_shares.h"
#include "target/shares.h"

size_t recording_bytes(const struct recording *recording)
{
	return sizeof(*recording) + (recording->sink ? sink_bytes(recording->sink) : 0) +
	       (recording->waits ? waits_bytes(recording->waits) : 0);
}

/* Of all for whom counts() says so, also of those that a worker reads still. */
static size_t sum_bytes(const struct recordings *all,
			bool (*counts)(const struct recording *recording, uid_t user), uid_t user)
{
	size_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++)
		sum += all->items[i] && counts(all->items[i], user) ?
			       recording_bytes(all->items[i]) :
			       0;
	for (const struct recording *k = all->dropped; k; k = k->next_dropped)
		sum += counts(k, user) ? recording_bytes(k) : 0;
	return sum;
}

static bool is_any(const struct recording *recording, uid_t user)
{
	return true;
}

static bool is_of(const struct recording *recording, uid_t user)
{
	return recording->user == user;
}

static bool is_not_of(const struct recording *recording, uid_t user)
{
	return recording->user != user;
}

size_t recordings_all_bytes(const struct recordings *all)
{
	return sum_bytes(all, is_any, SHARES_NOBODY);
}

size_t recordings_bytes(const struct recordings *all, uid_t user)
{
	return sum_bytes(all, is_of, user);
}

/* Of all users who are not trusted. */
static size_t users_bytes(const struct recordings *all)
{
	return sum_bytes(all, is_not_of, SHARES_NOBODY);
}

unsigned int recordings_rate(const struct recordings *all, uid_t user)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];

		/* one that loads or prepares has no channel yet, and will have one of its own */
		if (recording && recording->user == user &&
		    (recording->state == RECORDING_LOADING ||
		     recording->state == RECORDING_PREPARING ||
		     (recording->channel != PLOP_CHANNEL_ALWAYS &&
		      (recording->state == RECORDING_WAITING ||
		       recording->state == RECORDING_RUNNING))))
			sum += sink_profile(recording->sink)->hz;
	}
	return sum;
}

/* The memory of one that is lent comes back later, whatever becomes of it. */
static bool is_kept(const struct recording *recording, bool lent)
{
	return recording->state == RECORDING_DONE && (lent || !recording->lent);
}

/* The oldest result of a user that is kept; lent: of those that are lent as well. */
static struct recording *oldest_kept(const struct recordings *all, uid_t user, bool lent)
{
	struct recording *oldest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (recording && is_kept(recording, lent) && recording->user == user &&
		    (!oldest || recording->keep_until < oldest->keep_until))
			oldest = recording;
	}
	return oldest;
}

/* Whether there was one that made room: a place (lent, which then holds its memory), or memory. */
static bool drop_oldest(struct recordings *all, uid_t user, bool lent)
{
	struct recording *recording = oldest_kept(all, user, lent);

	if (!recording)
		return false;
	shares_count(all->targets->shares, user, SHARE_RESULTS_DROPPED, !recording->fetched);
	recording_drop(recording);
	return true;
}

/* How many there are: of users who are not trusted, or of all; all of them, or those that run. */
static unsigned int count(const struct recordings *all, bool users, bool running)
{
	unsigned int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];

		n += recording && (!users || recording->user != SHARES_NOBODY) &&
		     (!running || recording->state != RECORDING_DONE);
	}
	return n;
}

/* Whether there is no place for one more. */
static bool is_full(const struct recordings *all, bool trusted)
{
	return count(all, false, false) >= ARRAY_SIZE(all->items) ||
	       (!trusted && count(all, true, false) >= RECORDINGS_USERS_KEPT);
}

/* What a user's recordings may hold, as things are. */
static size_t room_of(const struct recordings *all, uid_t user)
{
	size_t users = users_bytes(all), own = recordings_bytes(all, user), others, room;

	if (user == SHARES_NOBODY)
		return SHARES_ALL_BYTES - MIN(users, (size_t)SHARES_USERS_BYTES);
	others = MIN(users - own, (size_t)SHARES_USERS_BYTES);
	room = MIN((size_t)SHARES_USER_BYTES, SHARES_USERS_BYTES - others);
	/*
	 * however much others have, so much each may have: a recording that has begun is not ended
	 * for them
	 */
	return MAX(room, (size_t)SHARES_FIRST_BYTES);
}

/*
 * The user who holds most of those who are not trusted and have a result that is kept;
 * SHARES_NOBODY: there is none.
 */
static uid_t keeps_most(const struct recordings *all)
{
	uid_t found = SHARES_NOBODY;
	size_t most = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];
		size_t bytes = recording && recording->user != SHARES_NOBODY &&
					       is_kept(recording, false) ?
				       recordings_bytes(all, recording->user) :
				       0;

		if (bytes > most) {
			most = bytes;
			found = recording->user;
		}
	}
	return found;
}

/*
 * Where users have all that they may have together, results make room, those of whoever holds most
 * before all others.
 */
static void users_make_room(struct recordings *all, size_t bytes)
{
	uid_t user;

	while (users_bytes(all) + bytes > SHARES_USERS_BYTES &&
	       (user = keeps_most(all)) != SHARES_NOBODY)
		drop_oldest(all, user, false);
}

int recordings_admit(struct recordings *all, uid_t user, unsigned int hz)
{
	bool trusted = user == SHARES_NOBODY;

	if (count(all, false, true) >= RECORDINGS_MAX ||
	    (!trusted && count(all, true, true) >= RECORDINGS_USERS_MAX))
		return -EBUSY;
	if (!trusted && recordings_rate(all, user) + hz > all->config->user_rate && hz)
		return -EDQUOT;
	while (is_full(all, trusted)) {
		if (!drop_oldest(all, user, true))
			return -EBUSY;
	}
	if (!trusted)
		users_make_room(all, SHARES_FIRST_BYTES);
	while (recordings_bytes(all, user) + SHARES_FIRST_BYTES > room_of(all, user)) {
		if (!drop_oldest(all, user, false))
			return -ENOSPC;
	}
	return 0;
}

uint32_t recordings_budget(struct recordings *all, uid_t user)
{
	bool used[PLOP_MAX_CHANNELS + 1] = { true };

	if (user == SHARES_NOBODY)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];

		if (!recording || !recording->budget || recording->state == RECORDING_DONE)
			continue;
		if (recording->user == user)
			return recording->budget;
		used[recording->budget] = true;
	}
	for (uint32_t n = 1; n <= PLOP_MAX_CHANNELS; n++) {
		if (used[n])
			continue;
		sampler_budget_set(all->sampler, n, (unsigned int)all->config->user_rate);
		return n;
	}
	return 0; /* there are as many numbers as channels */
}

void recordings_divide(struct recordings *all)
{
	bool used[PLOP_MAX_CHANNELS + 1] = { true };
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];

		if (!recording || recording->state == RECORDING_DONE || used[recording->budget])
			continue;
		used[recording->budget] = true;
		n++;
	}
	sampler_users_set(all->sampler, n);
}

static struct recording *largest_running(const struct recordings *all, uid_t user)
{
	struct recording *largest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (recording && recording->state == RECORDING_RUNNING && recording->user == user &&
		    (!largest || recording_bytes(recording) > recording_bytes(largest)))
			largest = recording;
	}
	return largest;
}

/*
 * Results make room for what runs, which then ends, the largest first. One that is about to end
 * frees nothing yet.
 */
static void user_bound(struct recordings *all, uid_t user)
{
	struct recording *recording;

	while (recordings_bytes(all, user) > room_of(all, user)) {
		recording = largest_running(all, user);
		if (recording && drop_oldest(all, user, false))
			continue;
		if (!recording)
			break;
		shares_count(all->targets->shares, user, SHARE_MEMORY_ENDED, 1);
		recording_stop(recording, RECORDING_TOO_LARGE);
	}
}

void recordings_bound(struct recordings *all)
{
	users_make_room(all, 0);
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];

		if (recording && recording->state == RECORDING_RUNNING)
			user_bound(all, recording->user);
	}
}

void recordings_charge(struct recordings *all)
{
	uint64_t lost[PLOP_MAX_CHANNELS + 1] = {};
	bool asked[PLOP_MAX_CHANNELS + 1] = {};

	recordings_divide(all);
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];
		struct tally beyond = {};

		if (!recording || !recording->waits || !recording->budget)
			continue;
		if (!asked[recording->budget]) {
			asked[recording->budget] = true;
			lost[recording->budget] =
				sampler_budget_lost(all->sampler, recording->budget);
			shares_count(all->targets->shares, recording->user, SHARE_RATE_LOST,
				     lost[recording->budget]);
		}
		beyond.ticks = beyond.lost[PLOP_LOST_RATE] = lost[recording->budget];
		tally_add(&sink_profile(recording->sink)->tally, &beyond);
	}
}
