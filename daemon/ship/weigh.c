/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/weigh.h"

/* Of which nothing is known: it has the share of all. */
static const struct ship_service all = { .name = "", .version = "", .nth = UINT32_MAX };

struct ship_plan ship_plan_of(const struct config *c)
{
	return (struct ship_plan){
		.share = (uint32_t)c->fleet_share,
		.share_least = (uint32_t)MIN(c->fleet_share_least, c->fleet_share),
		.target = c->fleet_target,
		.by_host = c->fleet_share_of == CONFIG_HOSTS,
		.deploy_windows = (uint32_t)c->fleet_deploy_windows,
		.deploy_hosts = c->fleet_deploy_windows ? (uint32_t)c->fleet_deploy_hosts : 0,
	};
}

bool ship_tells_services(const struct ship_plan *p)
{
	return p->target || p->deploy_windows;
}

bool ship_takes_all(const struct ship_plan *p)
{
	return p->share == SHIP_MILLION && !p->target;
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
	ret->urgent = false;
	for (uint32_t i = 0; i < window->nprocesses; i++) {
		const struct process_info *info = &window->processes[i].info;
		struct ship_service of = all;

		if (ship_tells_services(p))
			of = services_meet(services, info->service, info->version);
		ret->processes[i] = 0;
		if (ship_plan_takes(p, host_id, window->start_ns, &of))
			ret->processes[i] = ship_plan_weight(p, &of);
		any = any || ret->processes[i];
		ret->urgent = ret->urgent || ship_plan_deploys(p, host_id, &of);
	}
	return any;
}
