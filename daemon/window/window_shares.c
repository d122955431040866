/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/window_shares.h"
#include "target/shares.h"
#include "target/targets.h"
#include "util/log.h"

static struct share_bounds bounds_of(const struct window_save *v)
{
	return (struct share_bounds){ .now_ns = v->ended_ns,
				      .max_store = v->max_store,
				      /* what windows are rolled up into uses their stacks */
				      .retention_ns = MAX(v->retention_ns, v->retention_10m_ns) };
}

/*
 * How much of a process is saved, while the store is fuller than that everybody may have what he
 * likes.
 */
static enum profile_part part_of(struct window_save *v, uint32_t process,
				 const struct share_bounds *b)
{
	const struct profile_process *p = &v->window->processes[process];
	struct shares *s = v->windows->shares;
	uid_t user = v->users[process];
	struct share *k = shares_is_trusted(s, user) ? NULL : shares_of(s, user);

	if (k && shares_store_beyond(k, b)) {
		k->counts[SHARE_STORE_MERGED] += p->samples;
		return PROFILE_NONE;
	}
	if (!shares_process_beyond(s, &p->info, b))
		return PROFILE_ALL;
	shares_count(s, user, SHARE_STORE_PROCESS_MERGED, p->samples);
	return PROFILE_HEAVY;
}

void window_shares_begin(struct window_save *v)
{
	const struct profile *p = v->window;
	bool tight = v->windows->facts.bytes > v->max_store / SHARES_STORE_FREE, any = false;
	const struct share_bounds b = bounds_of(v);

	/* out of memory: nobody's share counts this once */
	v->users = calloc((size_t)p->nprocesses + 1, sizeof(*v->users));
	v->parts = calloc((size_t)p->nprocesses + 1, sizeof(*v->parts));
	v->bytes = calloc((size_t)p->nprocesses + 1, sizeof(*v->bytes));
	for (uint32_t i = 0; v->users && v->parts && v->bytes && i < p->nprocesses; i++) {
		v->users[i] = shares_user(v->windows->shares, p->processes[i].info.uid);
		if (!tight)
			continue;
		v->parts[i] = part_of(v, i, &b);
		any = any || v->parts[i] != PROFILE_ALL;
	}
	if (!any) {
		free(v->parts);
		v->parts = NULL;
	}
}

/* Without the stacks of those who are beyond their share. */
static int save_less(struct store *s, struct window_save *v)
{
	_cleanup_(profile_freep) struct profile *less = NULL;
	_cleanup_free_ uint64_t *bytes = NULL;
	uint32_t at;
	int r = profile_without(v->window, v->parts, &less);

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
	return v->parts ? save_less(s, v) : store_save_for(s, v->window, v->bytes);
}

void window_shares_end(struct window_save *v)
{
	struct shares *s = v->windows->shares;
	const struct share_bounds b = bounds_of(v);

	for (uint32_t i = 0; v->users && v->bytes && v->result == 0 && i < v->window->nprocesses;
	     i++) {
		struct share *k;

		if (!v->bytes[i])
			continue;
		shares_process_add(s, &v->window->processes[i].info, v->bytes[i], &b);
		k = shares_is_trusted(s, v->users[i]) ? NULL : shares_of(s, v->users[i]);
		if (k)
			shares_store_add(k, v->bytes[i], &b);
	}
	free(v->users);
	free(v->parts);
	free(v->bytes);
	v->users = NULL;
	v->parts = NULL;
	v->bytes = NULL;
}

/* One more process of a user who has no room for it: all of these are one, which has no pid. */
static int other_process(struct profile *p, uid_t user, uint32_t *ret)
{
	char comm[] = "[others]";
	struct process_info info = process_info_of(0);

	info.uid = user;
	info.comm = comm;
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
	r = profile_add_beyond(p, process, PROFILE_BEYOND, s->stack->count);
	if (r == 0)
		share->counts[SHARE_WINDOW_MERGED] += s->stack->count;
	return r;
}

/* The same for one process. */
static int add_other(struct windows *w, struct target *k, const struct symbolized_stack *s,
		     uint32_t process)
{
	int r = sink_add_known(w->running, process, s);

	if (r != -ENOSPC)
		return r;
	if (!k->window_told)
		log_info("Process %u has more names and stacks in a window than the %u MB that one "
			 "may have; the rest is " PROFILE_OTHER " until the window ends",
			 k->key.tgid, SHARES_PROCESS_BYTES >> 20);
	k->window_told = true;
	r = profile_add_beyond(sink_profile(w->running), process, PROFILE_OTHER, s->stack->count);
	if (r == 0)
		shares_count(w->shares, k->user, SHARE_WINDOW_PROCESS_MERGED, s->stack->count);
	return r;
}

int window_shares_add(struct windows *w, struct target *k, const struct symbolized_stack *s)
{
	struct profile *p = sink_profile(w->running);
	struct shares *shares = w->shares;
	struct share *share = shares_is_trusted(shares, k->user) ? NULL :
								   shares_of(shares, k->user);
	size_t before = profile_bytes(p), content = profile_content(p);
	uint32_t process;
	int r;

	if (share && share->window_ns != p->start_ns) {
		share->window_ns = p->start_ns;
		share->window_bytes = 0;
	}
	if (k->window_ns != p->start_ns) {
		k->window_ns = p->start_ns;
		k->window_bytes = 0;
	}
	if (share && share->window_bytes > SHARES_WINDOW_BYTES)
		return add_known(w, k, s, share);
	r = profile_process(p, &k->info, k->python.version, &process);
	if (r < 0)
		return r;
	if (k->window_bytes > SHARES_PROCESS_BYTES)
		return add_other(w, k, s, process);
	r = sink_add(w->running, process, s);
	if (share)
		share->window_bytes += profile_bytes(p) - before;
	k->window_bytes += profile_content(p) - content;
	return r;
}
