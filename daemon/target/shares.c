/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/shares.h"
#include "util/clock.h"

void shares_init(struct shares *s)
{
	*s = (struct shares){ .self = geteuid() };
	subuid_file_init(&s->subuids, SUBUID_FILE, SUBUID_PASSWD);
	shares_refresh(s);
}

void shares_done(struct shares *s)
{
	struct share_process *process, *next_process;
	struct share *k, *next;

	HASH_ITER(hh, s->users, k, next)
	{
		HASH_DEL(s->users, k);
		free(k);
	}
	HASH_ITER(hh, s->processes, process, next_process)
	{
		HASH_DEL(s->processes, process);
		free(process);
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

bool shares_bound_process(pid_t pid, uid_t *ret_user, void *ctx)
{
	const struct shares *s = ctx;
	uid_t user = SHARES_NOBODY;

	if (process_user(pid, &user) == 0)
		user = shares_user(s, user);
	if (shares_is_trusted(s, user))
		return false;
	*ret_user = user;
	return true;
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

/* What is left of what was filled, of a share of 1/part of the store. */
static double store_left(struct share_store *k, unsigned int part, const struct share_bounds *b)
{
	double passed = b->now_ns > k->ns ? (double)(b->now_ns - k->ns) : 0;
	double most = (double)b->max_store / part;

	k->bytes -= most * passed / (double)MAX(b->retention_ns, UINT64_C(1));
	k->bytes = MAX(k->bytes, 0.0);
	k->ns = MAX(k->ns, b->now_ns);
	return k->bytes;
}

void shares_store_add(struct share *k, uint64_t bytes, const struct share_bounds *b)
{
	k->store.bytes = store_left(&k->store, SHARES_STORE_PART, b) + (double)bytes;
}

bool shares_store_beyond(struct share *k, const struct share_bounds *b)
{
	return store_left(&k->store, SHARES_STORE_PART, b) >
	       (double)b->max_store / SHARES_STORE_PART;
}

static struct share_process *find_process(struct shares *s, const struct process_info *info,
					  struct share_process_key *key)
{
	struct share_process *k;

	*key = (struct share_process_key){ .start_ticks = info->start_ticks, .pid = info->pid };
	HASH_FIND(hh, s->processes, key, sizeof(*key), k);
	return k;
}

/* Makes room by forgetting those that have filled less than a thousandth of what one may. */
static void forget_processes(struct shares *s, const struct share_bounds *b)
{
	double little = (double)b->max_store / SHARES_STORE_PROCESS_PART / 1000;
	struct share_process *k, *next;

	HASH_ITER(hh, s->processes, k, next)
	{
		if (store_left(&k->store, SHARES_STORE_PROCESS_PART, b) > little)
			continue;
		HASH_DEL(s->processes, k);
		free(k);
	}
}

void shares_process_add(struct shares *s, const struct process_info *info, uint64_t bytes,
			const struct share_bounds *b)
{
	struct share_process_key key;
	struct share_process *k = find_process(s, info, &key);

	if (!k && HASH_COUNT(s->processes) >= SHARES_PROCESSES)
		forget_processes(s, b);
	if (!k && HASH_COUNT(s->processes) < SHARES_PROCESSES) {
		k = calloc(1, sizeof(*k));
		if (!k)
			return;
		k->key = key;
		HASH_ADD(hh, s->processes, key, sizeof(k->key), k);
	}
	if (k)
		k->store.bytes =
			store_left(&k->store, SHARES_STORE_PROCESS_PART, b) + (double)bytes;
}

bool shares_process_beyond(struct shares *s, const struct process_info *info,
			   const struct share_bounds *b)
{
	struct share_process_key key;
	struct share_process *k = find_process(s, info, &key);

	return k && store_left(&k->store, SHARES_STORE_PROCESS_PART, b) >
			    (double)b->max_store / SHARES_STORE_PROCESS_PART;
}

void shares_put(struct json_writer *w, const char *key, const struct shares *s, uid_t user)
{
	static const char *const names[SHARE_COUNTS] = {
		[SHARE_RATE_REFUSED] = "rate_refused",
		[SHARE_RATE_LOST] = "rate_lost",
		[SHARE_MEMORY_REFUSED] = "memory_refused",
		[SHARE_MEMORY_ENDED] = "memory_ended",
		[SHARE_RESULTS_DROPPED] = "results_dropped",
		[SHARE_KEPT_DROPPED] = "kept_dropped",
		[SHARE_QUERIES_REFUSED] = "queries_refused",
		[SHARE_ANSWERS_REFUSED] = "answers_refused",
		[SHARE_WINDOW_MERGED] = "window_merged",
		[SHARE_STORE_MERGED] = "store_merged",
		[SHARE_WINDOW_PROCESS_MERGED] = "window_process_merged",
		[SHARE_STORE_PROCESS_MERGED] = "store_process_merged",
		[SHARE_LAYOUTS_REFUSED] = "layouts_refused",
		[SHARE_LOOKS_REFUSED] = "looks_refused",
		[SHARE_CODES_REFUSED] = "codes_refused",
		[SHARE_PATHS_CUT] = "paths_cut",
	};
	uint64_t sums[SHARE_COUNTS] = {};

	for (const struct share *k = s->users; k; k = k->hh.next) {
		for (size_t i = 0; i < SHARE_COUNTS; i++)
			sums[i] += user == SHARES_NOBODY || user == k->user ? k->counts[i] : 0;
	}
	json_put_object(w, key);
	for (size_t i = 0; i < SHARE_COUNTS; i++)
		json_put_uint(w, names[i], sums[i]);
	json_put_end(w);
}
