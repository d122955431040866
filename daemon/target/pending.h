/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <uthash.h>

#include "util/macro.h"

/* A process between two exec calls. */
struct target_key {
	uint64_t image;
	uint32_t tgid;
	uint32_t pad;
};

/*
 * How many wait at most: those beyond are asked for by their ticks. The first PENDING_FREE are
 * anybody's, and nobody is asked whose they are. Of the others a user who is not trusted has as
 * many as are then left to all (plop_user_may()).
 */
#define PENDING_MAX  4096
#define PENDING_FREE (PENDING_MAX / 4)

/* A user for whom places are counted. */
struct pending_user {
	uid_t uid;
	UT_hash_handle hh;
	unsigned int places;
};

/*
 * A process that is to be looked at: its interpreter is not there yet, or its program is a plain
 * one (target/plain.h).
 */
struct pending {
	struct target_key key;
	UT_hash_handle hh;
	uint64_t due_ns; /* CLOCK_MONOTONIC; 0: it is being looked at */
	uint64_t wait_ns;
	uint64_t file; /* of the program that it has executed, where that was told; else 0 */
	bool plain;    /* the program is a plain one: ticks do not ask for it earlier */
	bool first;    /* it becomes Python, and has not been looked at: plain_wait() */
	uid_t uid;     /* first, plain: who ran it when it was executed; (uid_t)-1: not known */
	struct pending_user *user; /* whose place it is; NULL: one that is not counted */
};

struct pendings {
	struct pending *all;
	struct pending_user *users; /* those that have some */
	/*
	 * Whose a process is, which is asked only where places are counted; false: its user is
	 * trusted. NULL: everybody is. See shares_bound_process().
	 */
	bool (*user_of)(pid_t pid, uid_t *ret, void *ctx);
	void *ctx;
};

void pendings_done(struct pendings *p);

struct pending *pendings_find(const struct pendings *p, const struct target_key *key);
/*
 * Makes it, with nothing said, where there is none. NULL: there are too many, of all or of its
 * user, or there is no memory.
 */
struct pending *pendings_get(struct pendings *p, const struct target_key *key);
void pendings_drop(struct pendings *p, const struct target_key *key);
/* When the first is due; 0: none is. */
uint64_t pendings_next(const struct pendings *p);
/* Those of plain programs may be any number: the others have half of the room for themselves. */
bool pendings_may_be_plain(const struct pendings *p);

/* It waits for twice as long as before. */
void pending_wait_longer(struct pending *p);
