/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "clickhouse/rows.h"
#include "ship/plan.h"

/*
 * The services of this host, and their versions: how many windows each was in, and what the store
 * has of all hosts'. Beyond SERVICES_MOST nothing is remembered of one: it is no new version, and
 * has no target.
 */
#define SERVICES_MOST 1024
struct services_entry {
	char *name, *version; /* owned */
	uint64_t hash;
	uint64_t samples_an_hour, hosts; /* 0: not known */
	uint32_t windows;
	uint32_t ahead; /* ... of which so many are not in the store for sure */
	bool met;       /* in the window that is looked at */
};
struct services {
	struct services_entry *items; /* owned */
	uint32_t n;
};

void services_done(struct services *s);
/* It is in the window that is looked at. What the plan needs to know of it; borrowed. */
struct ship_service services_meet(struct services *s, const char *name, const char *version);
/* It was in windows of before: it is no new version. */
void services_know(struct services *s, const char *name, const char *version);
/* So are all that this plop.db has of the time before until_ns, as far as it can be read. */
void services_learn(struct services *s, const char *state_dir, uint64_t until_ns);
/* The window that was looked at counts. */
void services_count(struct services *s);
/* All that were counted are in the store; or those since services_keep() come again. */
void services_keep(struct services *s);
void services_go_back(struct services *s);

/*
 * What asks the store for samples and hosts of these services within the hour before now_s, of the
 * first SERVICES_ASKED; and reads what it answered. Weights are in the sums, so that they are of
 * all hosts, shipped or not. What is sent twice and not merged yet counts twice here: the share
 * that comes of it is another one, and no sum is wrong by that. False: the answer is no such rows.
 */
#define SERVICES_ASKED 256
void services_question(const struct services *s, const char *database, uint64_t now_s,
		       struct buf *sql);
bool services_answer(struct services *s, const struct buf *answer);
