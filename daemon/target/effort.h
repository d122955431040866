/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cycle/cycle.h"
#include "examiner/examiner.h"
#include "target/shares.h"

/*
 * The CPU time that plopd spends on a user's processes: the helpers that read them, and the loop
 * with what they have read and with records of code. It is on account: so much comes in all the
 * time, up to a reserve, and what was spent goes out when it is known how much that was. Where
 * nothing is left, nothing more is asked about that user's processes until some has come in, the
 * kernel side sends no records of their code, and where its tables are half full it cuts their
 * stacks (PLOP_QUIET_DEPTH); their ticks are counted all the same. Root's processes and plopd's own
 * have no such bound.
 *
 * What it takes to count stacks is not in it, as that is bounded by ticks, and grows with the rate
 * that somebody asked for: some 3 us for 33 frames, 80 us for 900.
 */

/* A part of all CPUs, ... */
#define EFFORT_PART 200
/* ... and at least this part of one; in reserve is at most what comes in in so many seconds. */
#define EFFORT_CPU_PART  100
#define EFFORT_RESERVE_S 30

struct effort {
	struct shares *shares;
	const struct cycle *cycle;
	double rate;    /* ns that come in, in a second */
	double reserve; /* ns */
};
void effort_init(struct effort *e, struct shares *shares, const struct cycle *cycle);
/* The account as the examiner asks for it; e has to outlive that. */
struct examiner_account effort_account(struct effort *e);

void effort_spend(struct effort *e, uid_t user, uint64_t ns);
/*
 * What something took, since CLOCK_MONOTONIC was began_ns; but so much at most, as this thread may
 * have had to wait for a CPU meanwhile: a record of code, and all code of a process.
 */
#define EFFORT_RECORD_NS  50000
#define EFFORT_CONFIRM_NS 10000000
void effort_spend_since(struct effort *e, uid_t user, uint64_t began_ns, uint64_t most_ns);
/* Whether anything is left for that user, and when something is; CLOCK_MONOTONIC. */
bool effort_is_left(struct effort *e, uid_t user);
uint64_t effort_back_ns(struct effort *e, uid_t user);
