/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "util/macro.h"

/*
 * What plopctl top shows, from snapshots of the running window (the call graph's JSON) and the list
 * of processes. A snapshot's counts less those of the one before, if both are of one window, are
 * what happened in between; a new window counts from its start. That adds up until
 * top_model_publish() makes it what is shown. Pure: no clock, no terminal.
 */
enum top_kind { TOP_FUNCTIONS, TOP_PROCESSES };
enum top_sort { TOP_SELF, TOP_TOTAL };

/* Which processes: what the option says, and its value. */
struct top_target {
	const char *key; /* "pid", "cgroup", "unit", as selectors have it; NULL: all */
	const char *value;
	const struct selectors *selectors; /* that must hold as well; NULL: none */
};

/*
 * What somebody gave as a control group, as the processes have it: from the hierarchy's root, with
 * a slash before and none at the end.
 */
int top_cgroup_value(const char *given, char **ret);
/*
 * ... as a unit, as record -u takes it: without one of the known suffixes it is a service. Both: an
 * exit status.
 */
int top_unit_value(const char *given, char **ret);

struct top_rates {
	double seconds; /* that they are of */
	double ticks, python, other, lost, samples;
};

struct top_row {
	const char *name;  /* of a function; of a process its service, or comm */
	const char *place; /* its file; the process's comm */
	const char *python;
	int line, pid;
	double self,
		total; /* percent of the samples; of a process: of the samples, and of a core */
	double rate;   /* samples a second: a function's own, a process's */
};

struct top_model;
int top_model_new(const struct top_target *target, struct top_model **ret);
void top_model_free(struct top_model *m);
DEFINE_FREEP(struct top_model, top_model_free)

/* -EBADMSG: it is no call graph; -ENOMEM. */
int top_model_feed(struct top_model *m, const json_t *snapshot);
/* The answer to GET /v1/processes. */
int top_model_processes(struct top_model *m, const json_t *array);
/* Seconds that were fed and are not published. */
double top_model_pending(const struct top_model *m);
void top_model_publish(struct top_model *m);
/* What was fed is only what the next is to be compared with. */
void top_model_forget(struct top_model *m);

const struct top_rates *top_model_rates(const struct top_model *m);
/* Of the target, that plopd profiles now. */
size_t top_model_listed(const struct top_model *m);
/* Whether the target has p, an element of GET /v1/processes. */
bool top_target_has(const struct top_target *t, const json_t *p);
/* How many bytes of a process's cgroup are the path of that slice; 0: it is not in it. */
size_t top_slice_path(const char *cgroup, const char *slice);
/*
 * Sorted, largest first; filter: only rows with it in a name, a place or a PID, in any case. An
 * array to free, whose strings are borrowed until the next call that is not const.
 */
int top_model_rows(const struct top_model *m, enum top_kind kind, enum top_sort sort,
		   const char *filter, struct top_row **ret, size_t *ret_n);
