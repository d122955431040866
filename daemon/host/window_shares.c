/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/window_shares.h"
#include "host/manager.h"

void window_shares_begin(struct window_save *v)
{
	const struct profile *p = v->window;
	struct shares *s = &v->manager->shares;
	bool tight = v->manager->windows.facts.bytes > v->max_store / SHARES_STORE_FREE,
	     any = false;

	/* out of memory: nobody's share counts this once */
	v->users = calloc((size_t)p->nprocesses + 1, sizeof(*v->users));
	v->beyond = calloc((size_t)p->nprocesses + 1, sizeof(*v->beyond));
	v->bytes = calloc((size_t)p->nprocesses + 1, sizeof(*v->bytes));
	for (uint32_t i = 0; v->users && v->beyond && v->bytes && i < p->nprocesses; i++) {
		struct share *k;

		v->users[i] = shares_user(s, p->processes[i].info.uid);
		k = tight && !shares_is_trusted(s, v->users[i]) ? shares_of(s, v->users[i]) : NULL;
		if (!k || !shares_store_beyond(k, v->ended_ns, v->max_store, v->retention_ns))
			continue;
		v->beyond[i] = any = true;
		k->counts[SHARE_STORE_MERGED] += p->processes[i].samples;
	}
	if (!any) {
		free(v->beyond);
		v->beyond = NULL;
	}
}

/* Without the stacks of those who are beyond their share. */
static int save_less(struct store *s, struct window_save *v)
{
	_cleanup_(profile_freep) struct profile *less = NULL;
	_cleanup_free_ uint64_t *bytes = NULL;
	uint32_t at;
	int r = profile_without(v->window, v->beyond, &less);

	if (r < 0)
		return r;
	bytes = calloc((size_t)less->nprocesses + 1, sizeof(*bytes));
	if (!bytes)
		return -ENOMEM;
	r = store_save_for(s, less, bytes);
	for (uint32_t i = 0; r == 0 && i < v->window->nprocesses; i++) {
		if (profile_has_process(less, &v->window->processes[i].info, &at))
			v->bytes[i] = bytes[at];
	}
	return r;
}

int window_shares_save(struct store *s, struct window_save *v)
{
	return v->beyond ? save_less(s, v) : store_save_for(s, v->window, v->bytes);
}

void window_shares_end(struct window_save *v)
{
	struct shares *s = &v->manager->shares;

	for (uint32_t i = 0; v->users && v->bytes && v->result == 0 && i < v->window->nprocesses;
	     i++) {
		struct share *k = v->bytes[i] && !shares_is_trusted(s, v->users[i]) ?
					  shares_of(s, v->users[i]) :
					  NULL;

		if (k)
			shares_store_add(k, v->bytes[i], v->ended_ns, v->max_store,
					 v->retention_ns);
	}
	free(v->users);
	free(v->beyond);
	free(v->bytes);
	v->users = NULL;
	v->beyond = NULL;
	v->bytes = NULL;
}

/* One more process of a user who has no room for it: all of these are one, which has no pid. */
static int other_process(struct profile *p, uid_t user, uint32_t *ret)
{
	char none[] = "", comm[] = "[others]";
	struct process_info info = { .uid = user,
				     .comm = comm,
				     .exe = none,
				     .cmdline = none,
				     .cgroup = none,
				     .unit = none,
				     .container = none,
				     .service = none,
				     .version = none };

	return profile_process(p, &info, "", ret);
}

/* What the profile has already is counted as it is, all else without its stack. */
static int add_known(struct windows *w, struct target *k, const struct symbolized_stack *s,
		     struct share *share)
{
	struct profile *p = sink_profile(w->running);
	uint32_t process;
	int r = -ENOSPC;

	if (profile_has_process(p, &k->info, &process))
		r = sink_add_known(w->running, process, s);
	else if (other_process(p, k->info.uid, &process) < 0)
		return -ENOMEM;
	if (r != -ENOSPC)
		return r;
	r = profile_add_beyond(p, process, s->stack->count);
	if (r == 0)
		share->counts[SHARE_WINDOW_MERGED] += s->stack->count;
	return r;
}

int window_shares_add(struct windows *w, struct target *k, const struct symbolized_stack *s)
{
	struct profile *p = sink_profile(w->running);
	struct shares *shares = &w->manager->shares;
	struct share *share = shares_is_trusted(shares, k->user) ? NULL :
								   shares_of(shares, k->user);
	size_t before = profile_bytes(p);
	uint32_t process;
	int r;

	if (share && share->window_ns != p->start_ns) {
		share->window_ns = p->start_ns;
		share->window_bytes = 0;
	}
	if (share && share->window_bytes > SHARES_WINDOW_BYTES)
		return add_known(w, k, s, share);
	r = profile_process(p, &k->info, k->python.version, &process);
	if (r == 0)
		r = sink_add(w->running, process, s);
	if (share)
		share->window_bytes += profile_bytes(p) - before;
	return r;
}
