/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/index.h"
#include "util/json.h"

/*
 * The versions of each service, and when each was seen for the first time: a deploy. A process
 * whose version is not known has none. All zero is an empty list.
 */
struct deploy {
	char *service, *version;    /* owned */
	uint64_t first_ns, last_ns; /* begin of the first window that has it, end of the last */
	uint64_t samples;
	const char *before; /* told by deploys_put(): the version before, NULL: none was seen */
};
struct deploys {
	struct deploy *items; /* owned */
	uint32_t n, room;
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
/* As an array of objects, the newest deploy first. */
void deploys_put(struct deploys *d, struct json_writer *w, const char *key);
