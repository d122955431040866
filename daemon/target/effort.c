/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/sysinfo.h>

#include "target/effort.h"

void effort_init(struct effort *e, struct shares *shares, const struct cycle *cycle)
{
	double cpus = (double)MAX(get_nprocs_conf(), 1);

	*e = (struct effort){ .shares = shares, .cycle = cycle };
	e->rate = (double)NSEC_PER_SEC * MAX(cpus / EFFORT_PART, 1.0 / EFFORT_CPU_PART);
	e->reserve = EFFORT_RESERVE_S * e->rate;
}

/* The account of one who has such, as it is now; NULL: no bound. */
static struct share *effort_share(struct effort *e, uid_t user)
{
	struct share *k = shares_is_trusted(e->shares, user) ? NULL : shares_of(e->shares, user);
	uint64_t now = cycle_mono_ns(e->cycle);

	if (!k)
		return NULL;
	k->spent_ns -= e->rate * (double)(now - k->spent_at_ns) / (double)NSEC_PER_SEC;
	k->spent_ns = MAX(k->spent_ns, 0.0);
	k->spent_at_ns = now;
	return k;
}

void effort_spend(struct effort *e, uid_t user, uint64_t ns)
{
	struct share *k = effort_share(e, user);

	if (!k)
		return;
	k->spent_ns += (double)ns;
	e->shares->spent_ns += ns;
}

void effort_spend_since(struct effort *e, uid_t user, uint64_t began_ns, uint64_t most_ns)
{
	effort_spend(e, user, MIN(cycle_mono_ns(e->cycle) - began_ns, most_ns));
}

bool effort_is_left(struct effort *e, uid_t user)
{
	const struct share *k = effort_share(e, user);

	return !k || k->spent_ns < e->reserve;
}

uint64_t effort_back_ns(struct effort *e, uid_t user)
{
	const struct share *k = effort_share(e, user);
	double more = k ? k->spent_ns - e->reserve : 0;

	return cycle_mono_ns(e->cycle) +
	       (uint64_t)(MAX(more, 0.0) / e->rate * (double)NSEC_PER_SEC);
}

static enum examiner_credit effort_credit(void *ctx, uid_t user)
{
	struct effort *e = ctx;
	const struct share *k = effort_share(e, user);

	return !k || k->spent_ns < e->reserve / 2 ? EXAMINER_CREDIT_EASY :
	       k->spent_ns < e->reserve           ? EXAMINER_CREDIT_TIGHT :
						    EXAMINER_CREDIT_NONE;
}

static void effort_refused(void *ctx, uid_t user)
{
	struct effort *e = ctx;

	shares_count(e->shares, user, SHARE_LOOKS_REFUSED, 1);
}

static void effort_spent(void *ctx, uid_t user, uint64_t ns)
{
	effort_spend(ctx, user, ns);
}

struct examiner_account effort_account(struct effort *e)
{
	return (struct examiner_account){
		.credit = effort_credit, .refused = effort_refused, .spent = effort_spent, .ctx = e
	};
}
