/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/pending.h"
#include "plop/places.h"

#define FIRST_NS (2 * NSEC_PER_MSEC)
#define LAST_NS  (2 * NSEC_PER_SEC)

/* One place less for a user; NULL: nobody's. */
static void user_leave(struct pendings *p, struct pending_user *user)
{
	if (!user || --user->places > 0)
		return;
	HASH_DEL(p->users, user);
	free(user);
}

/* One place more, if the user may have it: -EDQUOT, -ENOMEM. *ret is NULL if it is not counted. */
static int user_join(struct pendings *p, const struct target_key *key, struct pending_user **ret)
{
	struct pending_user *user = NULL;
	uid_t uid;

	if (p->user_of && HASH_COUNT(p->all) >= PENDING_FREE &&
	    p->user_of((pid_t)key->tgid, &uid, p->ctx)) {
		HASH_FIND(hh, p->users, &uid, sizeof(uid), user);
		if (!plop_user_may(user ? user->places : 0, HASH_COUNT(p->all), PENDING_MAX))
			return -EDQUOT;
		if (!user) {
			user = calloc(1, sizeof(*user));
			if (!user)
				return -ENOMEM;
			user->uid = uid;
			HASH_ADD(hh, p->users, uid, sizeof(user->uid), user);
		}
		user->places++;
	}
	*ret = user;
	return 0;
}

static void pending_free(struct pendings *p, struct pending *k)
{
	HASH_DEL(p->all, k);
	user_leave(p, k->user);
	free(k);
}

void pendings_done(struct pendings *p)
{
	struct pending *k, *next;

	HASH_ITER(hh, p->all, k, next)
	{
		pending_free(p, k);
	}
}

struct pending *pendings_find(const struct pendings *p, const struct target_key *key)
{
	struct pending *k;

	HASH_FIND(hh, p->all, key, sizeof(*key), k);
	return k;
}

struct pending *pendings_get(struct pendings *p, const struct target_key *key)
{
	struct pending *k = pendings_find(p, key);
	struct pending_user *user;

	if (k || HASH_COUNT(p->all) >= PENDING_MAX)
		return k;
	if (user_join(p, key, &user) < 0)
		return NULL;
	k = calloc(1, sizeof(*k));
	if (!k) {
		user_leave(p, user);
		return NULL;
	}
	k->key = *key;
	k->user = user;
	k->uid = (uid_t)-1;
	HASH_ADD(hh, p->all, key, sizeof(k->key), k);
	return k;
}

void pendings_drop(struct pendings *p, const struct target_key *key)
{
	struct pending *k = pendings_find(p, key);

	if (k)
		pending_free(p, k);
}

uint64_t pendings_next(const struct pendings *p)
{
	uint64_t first = 0;

	for (const struct pending *k = p->all; k; k = k->hh.next) {
		if (k->due_ns && (!first || k->due_ns < first))
			first = k->due_ns;
	}
	return first;
}

bool pendings_may_be_plain(const struct pendings *p)
{
	return HASH_COUNT(p->all) < PENDING_MAX / 2;
}

void pending_wait_longer(struct pending *p)
{
	p->wait_ns = p->wait_ns ? MIN(p->wait_ns * 2, LAST_NS) : FIRST_NS;
}
