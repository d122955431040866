/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"

/*
 * What people name processes and samples by, as text from a command line, a URL or a request's
 * body: parsed here alone, and what is wrong refused in one sentence, the same everywhere. Pure.
 */
#define SELECTOR_WHY_MAX 512

/* The kernel's PID_MAX_LIMIT on 64-bit machines (include/linux/threads.h). */
#define PROCESS_ID_MAX 4194304

/*
 * A process's id as digits: 1 to PROCESS_ID_MAX. -EINVAL: why has the sentence, and *ret is as it
 * was.
 */
int process_id_parse(const char *text, pid_t *ret, char why[SELECTOR_WHY_MAX]);

/*
 * From now on host and region are keys of this program as well: what it answers is of many hosts,
 * and its source chooses by them. No process of a profile has either.
 */
void selectors_over_hosts(void);

/* KEY, one of selector_keys(), or another word that may stand in its place. */
struct selector_words {
	const char *const *names;
	size_t n;
};

/*
 * As selectors_add(). -EINVAL: why has the sentence; it may suggest one of the other words that are
 * known where the text was found, NULL: none are.
 */
int selectors_parse(struct selectors *s, const char *text, const struct selector_words *others,
		    char why[SELECTOR_WHY_MAX]);

/* group_keys_check(), with the sentence. */
int group_keys_parse(const char *keys, char why[SELECTOR_WHY_MAX]);

/* Whether a control group, or a unit, can have such a name; -EINVAL: why has the sentence. */
int cgroup_name_parse(const char *name, bool unit, char why[SELECTOR_WHY_MAX]);
