/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ctl/ctl.h"

/* Adds a selector that somebody typed. CTL_DONE, or complains: CTL_USAGE, CTL_FAILED. */
int ctl_selector_add(const char *command, struct selectors *s, const char *text);
/* The same of a process id, and of the name of a control group or a unit. */
int ctl_pid(const char *command, const char *text, pid_t *ret);
int ctl_cgroup_name(const char *command, const char *name, bool unit);
/* Appends "&KEY=VALUE" for each selector to a query; those of processes, of samples, or both. */
void ctl_selectors_query(const struct selectors *s, bool processes, bool samples, struct buf *b);
/* "service=web version=2", as it was typed. NULL: out of memory. */
char *ctl_selectors_text(const struct selectors *s);
/*
 * "from=...&to=..." of a query for times as people write them; "now", and NULL, are without a
 * bound. ret: owned by the caller. CTL_DONE, or complains: CTL_USAGE.
 */
int ctl_times(const char *command, const char *since, const char *until, char **ret);
/*
 * Whether there are samples in that time, a query as of ctl_times(), of processes that have
 * what the selectors say of processes. CTL_DONE, or complains.
 */
int ctl_have_samples(const struct ctl *ctl, const char *command, const char *times,
		     const struct selectors *s, bool *ret);
/*
 * Nothing in that time has the selectors. CTL_NO_TARGET, having complained and said for each which
 * value is near, behind option ("--base " or ""). CTL_DONE, having said nothing: there are no
 * samples in that time whatever is selected. It may complain of something else.
 */
int ctl_tell_no_samples(const struct ctl *ctl, const char *command, const char *option,
			const char *times, const struct selectors *s);
/* Whether a process, an element of GET /v1/processes, has what the selectors say of processes. */
bool ctl_selected(const struct selectors *s, const json_t *process);
