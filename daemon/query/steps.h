/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "store/head.h"
#include "util/index.h"
#include "util/json.h"

/*
 * GET /v1/windows?step: what windows add up to by so much of the clock, and how much of it each
 * service and each process had. A window counts in the step in which it begins.
 */
/* Steps that have windows: more are refused. */
#define STEPS_MOST 400
/* Services that are told, and processes: the heaviest. All others of each are told as one. */
#define STEPS_TOLD 200
/*
 * So many are known at a time. Where there are more, the lighter half goes to the others; one that
 * comes back begins anew.
 */
#define STEPS_KNOWN 1024
/* Times without windows that one step has, the longest. Shorter ones than this are none. */
#define STEPS_GAPS    8
#define STEPS_GAP_MIN (NSEC_PER_SEC / 2)

struct step_gap {
	uint64_t from_ns, to_ns;
};

struct step {
	uint64_t number;                  /* its beginning, in steps since 1970 */
	struct head head;                 /* of all its windows */
	uint64_t covered_ns;              /* how long these are together */
	uint64_t seen;                    /* samples of the processes that were added */
	struct step_gap gaps[STEPS_GAPS]; /* that end in it */
	uint32_t ngaps, more_gaps;
};

/* One service, or process, or all others. */
struct step_row {
	int64_t pid;                   /* 0: of a service, or of the others */
	double start_time;             /* likewise */
	char *service, *comm, *python; /* owned; python of a process alone */
	uint64_t samples;
	uint64_t *cells; /* samples of each step, STEPS_MOST of them; owned */
};

struct step_rows {
	struct step_row *rows; /* owned */
	uint32_t n, room;
	struct index index;
	struct step_row others; /* cells: NULL: there are none */
};

struct steps {
	uint64_t step_ns;
	struct step list[STEPS_MOST]; /* in the order in which they came */
	uint32_t n;
	uint64_t end_ns; /* of the last window */
	struct step_rows services, processes;
};

/* On the heap, as it is large. step_ns: more than 0. NULL: out of memory. */
struct steps *steps_new(uint64_t step_ns);
void steps_free(struct steps *s);
/* One more window, or roll-up; the oldest first. -E2BIG: these are more than STEPS_MOST steps. */
int steps_add_head(struct steps *s, const struct head *h);
/*
 * What a process had in one that begins then; pid 0: of several hosts, it counts for its service
 * alone. -E2BIG; -ENOMEM.
 */
int steps_add_process(struct steps *s, const struct profile_process *p, uint64_t start_ns);
/*
 * The members of the answer. owned: for somebody who may know of the processes alone that were
 * added: all that is told of a step is what these have. -ENOMEM.
 */
int steps_put(struct steps *s, bool owned, struct json_writer *w);
