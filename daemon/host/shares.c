/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/shares.h"
#include "util/clock.h"

void shares_init(struct shares *s)
{
	*s = (struct shares){ .self = geteuid() };
	subuid_file_init(&s->subuids, SUBUID_FILE, SUBUID_PASSWD);
	shares_refresh(s);
}

void shares_done(struct shares *s)
{
	struct share *k, *next;

	HASH_ITER(hh, s->users, k, next)
	{
		HASH_DEL(s->users, k);
		free(k);
	}
	subuid_file_done(&s->subuids);
}

void shares_refresh(struct shares *s)
{
	subuid_file_refresh(&s->subuids, clock_ns(CLOCK_MONOTONIC));
}

uid_t shares_user(const struct shares *s, uid_t uid)
{
	return subuid_owner(&s->subuids.map, uid);
}

bool shares_is_trusted(const struct shares *s, uid_t user)
{
	return user == 0 || user == s->self;
}

struct share *shares_of(struct shares *s, uid_t user)
{
	struct share *k;

	HASH_FIND(hh, s->users, &user, sizeof(user), k);
	if (!k && user != SHARES_NOBODY && HASH_COUNT(s->users) >= SHARES_USERS)
		return shares_of(s, SHARES_NOBODY);
	if (!k) {
		k = calloc(1, sizeof(*k));
		if (!k)
			return NULL;
		k->user = user;
		HASH_ADD(hh, s->users, user, sizeof(k->user), k);
	}
	return k;
}

void shares_count(struct shares *s, uid_t user, enum share_count what, uint64_t n)
{
	struct share *k = n ? shares_of(s, user) : NULL;

	if (k)
		k->counts[what] += n;
}

static void store_comes_back(struct share *k, uint64_t now_ns, uint64_t max_store,
			     uint64_t retention_ns)
{
	double passed = now_ns > k->store_ns ? (double)(now_ns - k->store_ns) : 0;
	double part = (double)max_store / SHARES_STORE_PART;

	k->store_bytes -= part * passed / (double)MAX(retention_ns, UINT64_C(1));
	k->store_bytes = MAX(k->store_bytes, 0.0);
	k->store_ns = MAX(k->store_ns, now_ns);
}

void shares_store_add(struct share *k, uint64_t bytes, uint64_t now_ns, uint64_t max_store,
		      uint64_t retention_ns)
{
	store_comes_back(k, now_ns, max_store, retention_ns);
	k->store_bytes += (double)bytes;
}

bool shares_store_beyond(struct share *k, uint64_t now_ns, uint64_t max_store,
			 uint64_t retention_ns)
{
	store_comes_back(k, now_ns, max_store, retention_ns);
	return k->store_bytes > (double)max_store / SHARES_STORE_PART;
}

json_t *shares_json(const struct shares *s, uid_t user)
{
	static const char *const names[SHARE_COUNTS] = {
		[SHARE_RATE_REFUSED] = "rate_refused",
		[SHARE_RATE_LOST] = "rate_lost",
		[SHARE_MEMORY_REFUSED] = "memory_refused",
		[SHARE_MEMORY_ENDED] = "memory_ended",
		[SHARE_RESULTS_DROPPED] = "results_dropped",
		[SHARE_QUERIES_REFUSED] = "queries_refused",
		[SHARE_ANSWERS_REFUSED] = "answers_refused",
		[SHARE_WINDOW_MERGED] = "window_merged",
		[SHARE_STORE_MERGED] = "store_merged",
		[SHARE_LAYOUTS_REFUSED] = "layouts_refused",
	};
	uint64_t sums[SHARE_COUNTS] = {};
	json_t *o = json_object();

	for (const struct share *k = s->users; k; k = k->hh.next) {
		for (size_t i = 0; i < SHARE_COUNTS; i++)
			sums[i] += user == SHARES_NOBODY || user == k->user ? k->counts[i] : 0;
	}
	for (size_t i = 0; o && i < SHARE_COUNTS; i++) {
		if (json_object_set_new(o, names[i], json_integer((json_int_t)sums[i])) < 0) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}
