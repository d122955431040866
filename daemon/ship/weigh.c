/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/weigh.h"

/* Of which nothing is known: it has the share of all. */
static const struct ship_service all = { .name = "", .version = "", .nth = UINT32_MAX };

bool ship_tells_services(const struct ship_plan *p)
{
	return p->target || p->deploy_windows;
}

bool ship_takes_head(const struct ship_plan *p, uint64_t host_id, uint64_t start_ns)
{
	return ship_plan_takes(p, host_id, start_ns, &all);
}

bool ship_weigh(const struct ship_plan *p, uint64_t host_id, const struct profile *window,
		struct services *services, struct ship_weights *ret)
{
	bool any = ship_takes_head(p, host_id, window->start_ns);

	ret->head = any ? ship_plan_weight(p, &all) : 0;
	for (uint32_t i = 0; i < window->nprocesses; i++) {
		const struct process_info *info = &window->processes[i].info;
		struct ship_service of = all;

		if (ship_tells_services(p))
			of = services_meet(services, info->service, info->version);
		ret->processes[i] = 0;
		if (ship_plan_takes(p, host_id, window->start_ns, &of))
			ret->processes[i] = ship_plan_weight(p, &of);
		any = any || ret->processes[i];
	}
	return any;
}
