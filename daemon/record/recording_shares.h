/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"

/*
 * What recordings may take of what all share (shares.h); for recordings.c and what answers
 * requests.
 */

/*
 * Of the recordings that run, and of all that are kept, what those of users who are not trusted may
 * be.
 */
#define RECORDINGS_USERS_MAX  (RECORDINGS_MAX / 4 * 3)
#define RECORDINGS_USERS_KEPT (2 * RECORDINGS_MAX / 4 * 3)

/* Bytes that it holds. */
size_t recording_bytes(const struct recording *recording);
/*
 * ... and all those of a user (SHARES_NOBODY: of trusted ones): running, kept, and dropped while
 * somebody reads them still, see recording_lend().
 */
size_t recordings_bytes(const struct recordings *all, uid_t user);
/* ... and what those of all users take. */
size_t recordings_all_bytes(const struct recordings *all);
/* Samples a second that a user's running ones may make. */
unsigned int recordings_rate(const struct recordings *all, uid_t user);

/*
 * Whether one more of a user (SHARES_NOBODY: of a trusted one) may begin; hz 0: it has no events of
 * its own. Results of the same user that are kept make room, the oldest first. -EBUSY: too many run
 * already; -EDQUOT: beyond the rate; -ENOSPC: no memory is left for it.
 */
int recordings_admit(struct recordings *all, uid_t user, unsigned int hz);
/* A number of the user's own for sampler_channel_charge(); 0: the user is trusted. */
uint32_t recordings_budget(struct recordings *all, uid_t user);
/* Shares the kernel side's tables among the users who record now. */
void recordings_divide(struct recordings *all);

/* After a cycle: ends, or drops if it has ended, what is beyond a share of memory. */
void recordings_bound(struct recordings *all);
/* ... and accounts for switches that were beyond the rate. */
void recordings_charge(struct recordings *all);
