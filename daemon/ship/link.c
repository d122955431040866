/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/link.h"

static int new_target(const struct config *c, struct ship_target **ret, char **ret_error)
{
	const char *url;

	return config_store_of(c->fleet_store, &url) == CONFIG_STORE_CLICKHOUSE ?
		       target_clickhouse_new(c, ret, ret_error) :
		       target_push_new(c, ret, ret_error);
}

int link_open(struct ship_link *l, const struct config *c, char **ret_error)
{
	const char *url;
	int r;

	*l = (struct ship_link){ .config = c };
	pthread_mutex_init(&l->lock, NULL);
	l->adds_up = config_store_of(c->fleet_store, &url) != CONFIG_STORE_CLICKHOUSE;
	/* an address that is none is told at once */
	r = new_target(c, &l->target, ret_error);
	link_leave(l);
	return r == -EINVAL ? r : 0;
}

void link_close(struct ship_link *l)
{
	link_leave(l);
	pthread_mutex_destroy(&l->lock);
}

static int make(struct ship_link *l, struct ship_trouble *ret_why)
{
	_cleanup_free_ char *error = NULL;
	struct ship_target *target;
	int r;

	if (l->target)
		return 0;
	r = new_target(l->config, &target, &error);
	if (r < 0) {
		*ret_why = (struct ship_trouble){};
		if (error)
			snprintf(ret_why->sentence, sizeof(ret_why->sentence), "%s", error);
		return r;
	}
	pthread_mutex_lock(&l->lock);
	l->target = target;
	if (l->stop)
		target->ops->stop(target);
	pthread_mutex_unlock(&l->lock);
	return 0;
}

int link_reach(struct ship_link *l, struct ship_trouble *ret_why)
{
	int r = make(l, ret_why);

	if (r < 0 || l->checked)
		return r;
	/* nothing is sent to what is none */
	r = l->target->ops->check(l->target, ret_why);
	l->checked = r == 0;
	return r;
}

int link_requests(struct ship_link *l, uint64_t host_id, struct requests *requests,
		  struct ship_trouble *ret_why)
{
	int r = link_reach(l, ret_why);

	if (r == 0 && l->target->ops->requests)
		r = l->target->ops->requests(l->target, host_id, requests, ret_why);
	if (r < 0)
		requests->next_ns = 0;
	return r;
}

void link_leave(struct ship_link *l)
{
	struct ship_target *target;

	pthread_mutex_lock(&l->lock);
	target = TAKE_PTR(l->target);
	pthread_mutex_unlock(&l->lock);
	if (target) {
		l->bytes += target->ops->sent(target);
		target->ops->free(target);
	}
	l->checked = false;
}

void link_stop(struct ship_link *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	if (l->target)
		l->target->ops->stop(l->target);
	pthread_mutex_unlock(&l->lock);
}

uint64_t link_sent(const struct ship_link *l)
{
	return l->bytes + (l->target ? l->target->ops->sent(l->target) : 0);
}
