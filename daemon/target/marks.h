/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/json.h"

/*
 * Versions that somebody set by hand, by "plopctl mark": what is pushed says what it is. A process
 * that a mark's selectors match has its version, whatever else says; of several marks the newest
 * counts. A mark of somebody who may not see all holds for processes that are his own.
 */
struct mark {
	struct selectors whom; /* of processes, none by pid or version */
	char *version;         /* owned */
	uint64_t at_ns;        /* CLOCK_REALTIME: when it was set */
};
#define MARKS_MAX      1000 /* of all */
#define MARKS_USER_MAX 32   /* of one user who is not trusted */

struct marks {
	struct mark *items; /* owned, the oldest first */
	uint32_t n, room;
};

void marks_done(struct marks *m);
/*
 * Sets one in place of any of the same selectors, which it takes over; version "": there is none
 * any more. -E2BIG: there are too many; -ENOMEM.
 */
int marks_set(struct marks *m, struct selectors *whom, const char *version, uint64_t at_ns);
/* Whether there is one of these selectors. */
bool marks_has(const struct marks *m, const struct selectors *whom);
/* The version by the newest mark that matches; NULL: none does. Borrowed. */
const char *marks_version(const struct marks *m, const struct process_info *p);

/*
 * {"marks": [{"uid": 0 or null, "selectors": ["unit=x"], "version": "1", "time": 1.0}]}: all, or
 * (see) of one who may not see all those that are his.
 */
void marks_put(const struct marks *m, const struct selectors *see, struct json_writer *w);
/* Reads the same. -EBADMSG: it is not that, and nothing was read. */
int marks_parse(struct marks *m, const char *text, size_t size);
