/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/json.h"

struct api_server;
struct config;
struct examiner;
struct shares;
struct windows;

/*
 * Keeps what plopd costs within what [plopd] budget allows it: it samples more seldom, and each
 * sample counts for as many more (sampler_weigh()), so what is counted stays right on average.
 *
 * What is counted as cost is what goes on whether somebody asks for something or not: the loop's
 * thread but at requests, the one that saves windows, the helpers, and the kernel side's ticks. Not
 * what is on the accounts of users who are not trusted (target/effort.h), which have bounds of
 * their own: no user's processes shall have others' sampled more seldom.
 *
 * What a lower rate saves is of the ticks alone, so only these are made fewer, and never to less
 * than a quarter of the budget: a host where many processes start may cost plopd more than that, at
 * whatever rate.
 */

/* The rate is decided on by what the last so many parts of the time took. */
#define BUDGET_SPANS 6
/* A window has so many of them. */
#define BUDGET_SPANS_A_WINDOW 3
/* What a sample counts for at most. */
#define BUDGET_WEIGHT_MOST 16

/* Of the time since plopd began, in ns. */
struct budget_use {
	uint64_t at;       /* CLOCK_MONOTONIC */
	uint64_t sampling; /* CPU time that goes with the rate */
	uint64_t all;      /* ... and with that all else */
};

struct budget {
	/* borrowed */
	const struct config *config;
	struct examiner *examiner;
	struct windows *windows;
	const struct shares *shares;
	struct api_server *server;

	uint32_t weight; /* what a sample counts for: 1 to BUDGET_WEIGHT_MOST */
	struct budget_use
		uses[BUDGET_SPANS + 1]; /* at the ends of the last spans, the oldest first */
	unsigned int nuses;
	double all, sampling; /* of one CPU, over these spans */
	double took;          /* of one CPU, when the weight was last made higher */
	bool said;            /* that more is taken than the budget, and not by sampling */
};

/*
 * To be called by the loop's thread once a second or so: now, CLOCK_MONOTONIC; sampling: CPU time
 * of what goes with the rate, of which loop_ns is the loop's thread's own.
 */
void budget_look(struct budget *b, uint64_t now, uint64_t sampling, uint64_t loop_ns);
/*
 * What a sample is to count for, where it counts for weight, and sampling and all are taken of a
 * CPU, of which part is the budget; 0: there is none.
 */
uint32_t budget_weight(double sampling, double all, double part, uint32_t weight, uint32_t most);
/* {"percent", "taken_percent", "sampling_percent", "sample_counts", "note"} */
void budget_put(struct json_writer *to, const char *key, const struct budget *b);
