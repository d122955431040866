/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <argp.h>

#include "ctl/ctl.h"

/* What commands that ask of the past have in common: --since, --until, --json, and selectors. */
struct past {
	struct ctl *ctl;
	const char *command;
	const char *since, *until; /* since NULL: from the first window on */
	bool json;
	struct selectors selectors;
	int error; /* exit status of a selector that was refused */
};

/* An argp parser of these; its input is a struct past. */
error_t past_on_option(int key, char *value, struct argp_state *state);
/*
 * The path of a question about functions of a name and a file, NULL: of any; with a "?" and all
 * that follows it escaped. The caller's; NULL: out of memory, of which it has complained.
 */
char *past_path(const struct past *p, const char *path, const char *function, const char *file);
/*
 * Asks GET path, behind whose "?" time and selectors are put, those of samples too or not. The
 * answer is the caller's; NULL: it has complained, and *ret_exit is the exit status.
 */
json_t *past_ask(const struct past *p, const char *path, bool samples, int *ret_exit);
/*
 * Nothing of what was answered has the selectors: see ctl_tell_no_samples(). An exit status.
 */
int past_tell_none(const struct past *p);
/* No sample has a function of that name: says which is near. An exit status. */
int past_tell_function(const struct past *p, const char *name);
/*
 * Asks so, and has the answer printed: as JSON, or by print(). list: the member of the answer that
 * is empty where nothing was found. An exit status.
 */
int past_show(const struct past *p, const char *path, const char *list,
	      void (*print)(const json_t *answer));
void past_done(struct past *p);
