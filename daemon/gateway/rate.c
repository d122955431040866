/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/rate.h"

static struct rate_place *place_of(struct rate *r, uint64_t who)
{
	struct rate_place *quiet = &r->places[0];

	for (size_t i = 0; i < RATE_PLACES; i++) {
		if (r->places[i].seen_ns && r->places[i].who == who)
			return &r->places[i];
		if (r->places[i].seen_ns < quiet->seen_ns)
			quiet = &r->places[i];
	}
	*quiet = (struct rate_place){ .who = who };
	return quiet;
}

void rate_give(struct rate *r, uint64_t who)
{
	for (size_t i = 0; i < RATE_PLACES; i++) {
		struct rate_place *p = &r->places[i];

		if (p->seen_ns && p->who == who)
			p->used_ns -= MIN(p->used_ns, NSEC_PER_SEC / r->second);
	}
}

bool rate_take(struct rate *r, uint64_t who, uint64_t now_ns)
{
	struct rate_place *p = place_of(r, who);
	uint64_t each = NSEC_PER_SEC / r->second, passed = now_ns - p->seen_ns;

	p->used_ns -= MIN(p->used_ns, passed);
	p->seen_ns = MAX(now_ns, UINT64_C(1));
	if (p->used_ns + each > r->burst * each)
		return false;
	p->used_ns += each;
	return true;
}
