/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <uthash.h>

#include "profile/profile.h"

/*
 * The versions of each service that were seen, each owner's apart, and which of them are to be
 * compared with the one before. Without a clock of its own: time is that of windows.
 */
struct watched {
	char *key;                  /* owned */
	uid_t uid;                  /* whose the processes are, as process_owner() */
	char *service, *version;    /* owned */
	uint64_t first_ns, last_ns; /* begin of the first window that has it, end of the last */
	uint32_t windows;           /* that have it */
	uint32_t looked; /* windows that it had when it was compared last; 0: it was not */
	UT_hash_handle hh;
};
struct deploy_watch {
	struct watched *all;
};
/* Versions that are kept; of a user who is not root. The one seen last longest ago goes. */
#define WATCH_MAX      500
#define WATCH_USER_MAX 50

/*
 * A version is compared with the one before when both have that many windows with samples, and
 * again each time that it has twice as many, up to WATCH_LAST. Few windows find what is large soon,
 * more of them what is small.
 */
#define WATCH_WINDOWS 10
#define WATCH_LAST    320

void deploy_watch_done(struct deploy_watch *w);
/* What a process did in a window; windows in order, also those that were saved before. -ENOMEM. */
int deploy_watch_add(struct deploy_watch *w, const struct profile_process *p, uint64_t start_ns,
		     uint64_t end_ns);
/* That one was compared when it had so many windows, before this plopd began. */
void deploy_watch_looked(struct deploy_watch *w, uid_t uid, const char *service,
			 const char *version, uint32_t windows);
/*
 * A version that is due, and the one before it; false: none is. Of several the one that was not
 * compared for longest. It counts as compared. Borrowed until the next deploy_watch_add().
 */
bool deploy_watch_next(struct deploy_watch *w, const struct watched **ret,
		       const struct watched **ret_before);
