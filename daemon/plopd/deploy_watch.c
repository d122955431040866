/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/deploy_watch.h"

static void forget(struct deploy_watch *w, struct watched *k)
{
	HASH_DEL(w->all, k);
	free(k->key);
	free(k->service);
	free(k->version);
	free(k);
}

void deploy_watch_done(struct deploy_watch *w)
{
	struct watched *k, *next;

	HASH_ITER(hh, w->all, k, next)
	{
		forget(w, k);
	}
}

/* Makes room for one more of that owner: those that were not seen for longest go. */
static void make_room(struct deploy_watch *w, uid_t uid)
{
	struct watched *oldest = NULL, *users_oldest = NULL;
	uint32_t n = 0;

	for (struct watched *k = w->all; k; k = k->hh.next) {
		if (!oldest || k->last_ns < oldest->last_ns)
			oldest = k;
		if (k->uid != uid)
			continue;
		n++;
		if (!users_oldest || k->last_ns < users_oldest->last_ns)
			users_oldest = k;
	}
	if (uid != 0 && n >= WATCH_USER_MAX)
		forget(w, users_oldest);
	else if (HASH_COUNT(w->all) >= WATCH_MAX)
		forget(w, oldest);
}

static struct watched *begin(struct deploy_watch *w, char *key, const struct process_info *info)
{
	struct watched *k = calloc(1, sizeof(*k));

	if (k) {
		k->uid = info->uid;
		k->service = strdup(info->service);
		k->version = strdup(info->version);
	}
	if (!k || !k->service || !k->version) {
		if (k) {
			free(k->service);
			free(k->version);
		}
		free(k);
		return NULL;
	}
	make_room(w, info->uid);
	k->key = key;
	HASH_ADD_KEYPTR(hh, w->all, k->key, strlen(k->key), k);
	return k;
}

int deploy_watch_add(struct deploy_watch *w, const struct profile_process *p, uint64_t start_ns,
		     uint64_t end_ns)
{
	const struct process_info *i = &p->info;
	_cleanup_free_ char *key = NULL;
	struct watched *k;

	if (!*i->service || !*i->version || !p->samples)
		return 0;
	/* texts of processes have no control characters */
	if (asprintf(&key, "%u\n%s\n%s", i->uid, i->service, i->version) < 0) {
		key = NULL;
		return -ENOMEM;
	}
	HASH_FIND_STR(w->all, key, k);
	if (!k) {
		k = begin(w, key, i);
		if (!k)
			return -ENOMEM;
		key = NULL;
		k->first_ns = start_ns;
	}
	if (k->last_ns != end_ns)
		k->windows++;
	k->first_ns = MIN(k->first_ns, start_ns);
	k->last_ns = MAX(k->last_ns, end_ns);
	return 0;
}

void deploy_watch_looked(struct deploy_watch *w, uid_t uid, const char *service,
			 const char *version, uint32_t windows)
{
	for (struct watched *k = w->all; k; k = k->hh.next)
		if (k->uid == uid && streq(k->service, service) && streq(k->version, version))
			k->looked = windows;
}

static bool is_older(const struct watched *a, const struct watched *b)
{
	return a->first_ns != b->first_ns ? a->first_ns < b->first_ns :
					    strcmp(a->version, b->version) < 0;
}

/* The version before; NULL: there is none. *ret_newest: no other came after. */
static const struct watched *before_of(const struct deploy_watch *w, const struct watched *of,
				       bool *ret_newest)
{
	const struct watched *before = NULL;

	*ret_newest = true;
	for (const struct watched *k = w->all; k; k = k->hh.next) {
		if (k == of || k->uid != of->uid || !streq(k->service, of->service))
			continue;
		if (is_older(of, k))
			*ret_newest = false;
		else if (!before || is_older(before, k))
			before = k;
	}
	return before;
}

static bool is_due(const struct watched *k)
{
	return k->windows >= MAX(2 * k->looked, (uint32_t)WATCH_WINDOWS) && k->looked < WATCH_LAST;
}

bool deploy_watch_next(struct deploy_watch *w, const struct watched **ret,
		       const struct watched **ret_before)
{
	const struct watched *before = NULL;
	struct watched *best = NULL;

	for (struct watched *k = w->all; k; k = k->hh.next) {
		const struct watched *other;
		bool newest;

		if (!is_due(k) || (best && best->looked <= k->looked))
			continue;
		other = before_of(w, k, &newest);
		if (!other || !newest || other->windows < WATCH_WINDOWS)
			continue;
		best = k;
		before = other;
	}
	if (!best)
		return false;
	best->looked = best->windows;
	*ret = best;
	*ret_before = before;
	return true;
}
