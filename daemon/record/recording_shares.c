/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_shares.h"
#include "target/shares.h"

uid_t recording_user(const struct recording *recording)
{
	return recording->whom.selectors.owned ?
		       shares_user(recording->all->targets->shares, recording->whom.selectors.uid) :
		       SHARES_NOBODY;
}

size_t recording_bytes(const struct recording *recording)
{
	return sizeof(*recording) + (recording->sink ? sink_bytes(recording->sink) : 0) +
	       (recording->waits ? waits_bytes(recording->waits) : 0);
}

size_t recordings_all_bytes(const struct recordings *all)
{
	size_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++)
		sum += all->items[i] ? recording_bytes(all->items[i]) : 0;
	return sum;
}

size_t recordings_bytes(const struct recordings *all, uid_t user)
{
	size_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];

		sum += recording && recording_user(recording) == user ? recording_bytes(recording) :
									0;
	}
	return sum;
}

/* Of all users who are not trusted. */
static size_t users_bytes(const struct recordings *all)
{
	size_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];

		sum += recording && recording->whom.selectors.owned ? recording_bytes(recording) :
								      0;
	}
	return sum;
}

unsigned int recordings_rate(const struct recordings *all, uid_t user)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];

		/* one that loads or prepares has no channel yet, and will have one of its own */
		if (recording && recording_user(recording) == user &&
		    (recording->state == RECORDING_LOADING ||
		     recording->state == RECORDING_PREPARING ||
		     (recording->channel != PLOP_CHANNEL_ALWAYS &&
		      (recording->state == RECORDING_WAITING ||
		       recording->state == RECORDING_RUNNING))))
			sum += sink_profile(recording->sink)->hz;
	}
	return sum;
}

/* The oldest result of a user that is kept. */
static struct recording *oldest_kept(const struct recordings *all, uid_t user)
{
	struct recording *oldest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (recording && recording->state == RECORDING_DONE &&
		    recording_user(recording) == user &&
		    (!oldest || recording->keep_until < oldest->keep_until))
			oldest = recording;
	}
	return oldest;
}

/* Whether there was one that made room. */
static bool drop_oldest(struct recordings *all, uid_t user)
{
	struct recording *recording = oldest_kept(all, user);

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

		n += recording && (!users || recording->whom.selectors.owned) &&
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
		size_t bytes = recording && recording->whom.selectors.owned &&
					       recording->state == RECORDING_DONE ?
				       recordings_bytes(all, recording_user(recording)) :
				       0;

		if (bytes > most) {
			most = bytes;
			found = recording_user(recording);
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
		drop_oldest(all, user);
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
		if (!drop_oldest(all, user))
			return -EBUSY;
	}
	if (!trusted)
		users_make_room(all, SHARES_FIRST_BYTES);
	while (recordings_bytes(all, user) + SHARES_FIRST_BYTES > room_of(all, user)) {
		if (!drop_oldest(all, user))
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
		if (recording_user(recording) == user)
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

		if (recording && recording->state == RECORDING_RUNNING &&
		    recording_user(recording) == user &&
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
		if (recording && drop_oldest(all, user))
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
			user_bound(all, recording_user(recording));
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
			shares_count(all->targets->shares, recording_user(recording),
				     SHARE_RATE_LOST, lost[recording->budget]);
		}
		beyond.ticks = beyond.lost[PLOP_LOST_RATE] = lost[recording->budget];
		tally_add(&sink_profile(recording->sink)->tally, &beyond);
	}
}
