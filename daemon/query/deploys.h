/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/index.h"
#include "util/json.h"

/*
 * The versions of each service, and when each was seen for the first time: a deploy. A process
 * whose version is not known has none, or "" where these are wanted, too. All zero is an empty
 * list.
 */
struct deploy {
	char *service, *version;    /* owned */
	uint64_t first_ns, last_ns; /* begin of the first window that has it, end of the last */
	uint64_t first_end_ns, last_start_ns; /* of these windows, or of what they are a part of */
	uint64_t samples;
	const char *before; /* told by deploys_put(): the version before, NULL: none was seen */
};
struct deploys {
	struct deploy *items; /* owned */
	uint32_t n, room;
	bool unversioned;   /* processes whose version is not known are wanted */
	struct index index; /* until deploys_put() */
};
#define DEPLOYS_MOST 20000

void deploys_done(struct deploys *d);
/*
 * Adds what a process did in a window; windows in any order. -E2BIG: there are more versions than
 * DEPLOYS_MOST; -ENOMEM.
 */
int deploys_add(struct deploys *d, const struct profile_process *p, uint64_t start_ns,
		uint64_t end_ns);
/*
 * Windows were added together, as roll-ups are, and some of these say when a version was seen first
 * or last: no nearer than that. Where they are longer than so much, and begin after after_ns, the
 * next one, of those of one end. false: there is none.
 */
enum deploys_end { DEPLOYS_FIRST, DEPLOYS_LAST };
struct deploys_span {
	uint64_t start_ns, end_ns;
	enum deploys_end end;
	uint32_t n; /* versions that it says it of */
};
bool deploys_rough(const struct deploys *d, enum deploys_end end, uint64_t longer_ns,
		   uint64_t after_ns, struct deploys_span *ret);
/*
 * Says it nearer, by one of the windows in that span, which come the oldest first, or, of
 * DEPLOYS_LAST, the newest first. Takes each version that it was said of from ->n.
 */
void deploys_nearer(struct deploys *d, struct deploys_span *span, const struct profile_process *p,
		    uint64_t start_ns, uint64_t end_ns);
/* Puts them in order, the newest deploy first, and tells what was before each: the last thing. */
void deploys_order(struct deploys *d);
/* As an array of objects, in that order. */
void deploys_put(struct deploys *d, struct json_writer *w, const char *key);
