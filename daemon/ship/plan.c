/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/plan.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "util/macro.h"

/* Hashes are as good as drawn: host ids are drawn at random, and nobody else knows them. */
enum draw { DRAW_WINDOW = 1, DRAW_DEPLOY, DRAW_FRACTION };

int ship_plan_check(const struct ship_plan *p, const char **ret_error)
{
	if (!p->share || p->share > SHIP_MILLION)
		*ret_error = "a share is above 0 and at most 1";
	else if (!p->share_least || p->share_least > p->share)
		*ret_error = "the least share is above 0 and at most the share";
	else if (!p->deploy_windows != !p->deploy_hosts)
		*ret_error = "windows of a deploy want hosts of a deploy, and these want those";
	else
		return 0;
	return -EINVAL;
}

/* p of a window without what a deploy adds. */
static uint32_t share_of(const struct ship_plan *p, const struct ship_service *s)
{
	double share;

	if (!p->target || !s->samples_an_hour)
		return p->share;
	share = (double)p->target / (double)s->samples_an_hour * SHIP_MILLION;
	return share >= p->share ? p->share : MAX((uint32_t)share, p->share_least);
}

/* p of a host to be among those that ship all of a new version; 0: it is not new. */
static uint32_t deploy_of(const struct ship_plan *p, const struct ship_service *s)
{
	double share;

	if (!p->deploy_windows || s->nth > p->deploy_windows || !*s->version)
		return 0;
	/* until it is known how many hosts have the service, it is on few */
	if (s->hosts <= p->deploy_hosts)
		return SHIP_MILLION;
	share = (double)p->deploy_hosts / (double)s->hosts * SHIP_MILLION;
	return MAX((uint32_t)share, 1u);
}

uint64_t ship_plan_weight(const struct ship_plan *p, const struct ship_service *s)
{
	double share = (double)share_of(p, s) / SHIP_MILLION,
	       deploy = (double)deploy_of(p, s) / SHIP_MILLION;

	/* either of two draws takes it, of which neither knows of the other */
	return (uint64_t)(SHIP_MILLION / (share + deploy - share * deploy) + 0.5);
}

/* Whether a number drawn for these falls below so many millionths. */
static bool falls_below(uint32_t share, enum draw what, uint64_t host_id, uint64_t slot,
			const struct ship_service *s)
{
	const uint64_t of[] = { host_id, slot };
	uint64_t hash = XXH3_64bits_withSeed(of, sizeof(of), what);

	if (what == DRAW_DEPLOY) {
		hash = XXH3_64bits_withSeed(s->name, strlen(s->name) + 1, hash);
		hash = XXH3_64bits_withSeed(s->version, strlen(s->version) + 1, hash);
	}
	return share == SHIP_MILLION || hash < UINT64_MAX / SHIP_MILLION * share;
}

bool ship_plan_takes(const struct ship_plan *p, uint64_t host_id, uint64_t start_ns,
		     const struct ship_service *s)
{
	uint64_t slot = p->by_host ? start_ns / (86400 * NSEC_PER_SEC) : start_ns;

	/* all services of a window by one number: a window is whole where they have one share */
	return falls_below(share_of(p, s), DRAW_WINDOW, host_id, slot, s) ||
	       ship_plan_deploys(p, host_id, s);
}

bool ship_plan_deploys(const struct ship_plan *p, uint64_t host_id, const struct ship_service *s)
{
	uint32_t deploy = deploy_of(p, s);

	return deploy && falls_below(deploy, DRAW_DEPLOY, host_id, 0, s);
}

uint64_t ship_plan_fraction(uint64_t host_id, uint64_t start_ns)
{
	const uint64_t of[] = { host_id, start_ns };

	return XXH3_64bits_withSeed(of, sizeof(of), DRAW_FRACTION) % SHIP_MILLION;
}
