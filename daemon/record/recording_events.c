/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_events.h"
#include "record/asleep.h"
#include "util/log.h"

/* How soon somebody who joins is noticed, where the kernel does not tell; what joins by fork is followed in the kernel. */
#define FOLLOW_USEC (100 * USEC_PER_MSEC)

/* How many new threads are few: so many, and one more for each so many ticks. */
#define NEW_THREADS      8
#define NEW_THREAD_TICKS 1000

/* A process that a recording is to count: its ticks, unless the kernel finds them otherwise, and its time off CPU. */
struct joining {
	struct recording *recording;
	bool ticks, children;
};

/* A process that the maker of the recording may not see, or did not select, is not looked at, in a cgroup or anywhere. */
static bool process_may_join(const struct recording *r, pid_t pid)
{
	bool any = !r->whom.selectors.owned && (r->whom.npids || !r->whom.selectors.n);
	struct target *k = any ? NULL : targets_find_pid(r->all->targets, pid);

	return any || (k && recording_wants(r, k));
}

static int process_join(pid_t pid, const struct joining *j)
{
	struct recording *r = j->recording;
	struct sampler *s = r->all->sampler;
	uint64_t bit = UINT64_C(1) << (r->channel - 1);
	struct plop_filter before = {}, w;

	sampler_filter_read(s, (uint32_t)pid, &before);
	w = before;
	if (j->ticks)
		w.ticks |= bit;
	if (j->ticks && j->children)
		w.children |= bit;
	if (r->waits)
		w.off_cpu |= (uint32_t)bit;
	if (r->waits && j->children)
		w.off_cpu_children |= (uint32_t)bit;
	if (r->waits && r->budget)
		w.budget = r->budget;
	if (memcmp(&before, &w, sizeof(w)) == 0)
		return 0;
	if (r->waits && !(before.off_cpu & (uint32_t)bit))
		waits_threads(r->waits, pid);
	/* -E2BIG: there are too many processes to tell; -ENOMEM */
	return sampler_filter_set(s, (uint32_t)pid, &w);
}

static int process_joins(pid_t pid, void *ctx)
{
	const struct joining *j = ctx;

	return process_may_join(j->recording, pid) ? process_join(pid, j) : 0;
}

static int tree_ended(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	sd_event_source_set_enabled(s, SD_EVENT_OFF);
	recording_stop(ctx, RECORDING_TARGET_ENDED);
	return 0;
}

int recording_watch_tree(struct recording *r)
{
	return sd_event_add_io(r->all->cycle->loop, &r->tree_ends, r->whom.tree_fd, EPOLLIN,
			       tree_ended, r);
}

/* Whatever it executes, and whom it forks: no target is asked for, as it may have no Python yet. */
static int recording_root(struct recording *r)
{
	const struct joining j = { .recording = r, .ticks = true, .children = true };

	return process_join(r->whom.tree, &j);
}

/* All who are in it by now. */
static int recording_gather(struct recording *r)
{
	struct targets *t = r->all->targets;
	struct joining j = { .recording = r,
			     .ticks = r->whom.cgroup.folder && !r->whom.cgroup.v2,
			     .children = true };
	struct target *k, *next;
	int q = 0;

	t->off_cpu_changes++;
	if (r->whom.cgroup.folder)
		return cgroup_each(&r->whom.cgroup, process_joins, &j);
	HASH_ITER(hh, t->all, k, next)
	{
		if (q >= 0 && k->codes && !k->dying)
			q = process_joins((pid_t)k->key.tgid, &j);
	}
	return q;
}

static int recording_follow(sd_event_source *s, uint64_t usec, void *ctx)
{
	int k = recording_gather(ctx);

	if (k < 0)
		log_debug_r(k, "Cannot follow who joins a recording");
	asleep_ask(ctx);
	k = sd_event_source_set_time_relative(s, FOLLOW_USEC);
	return k < 0 ? k : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* Goes on with the events of all CPUs. */
static void recording_spread(struct recording *r)
{
	log_debug("Recording %s goes on with the events of all CPUs", r->id);
	if (sampler_channel_spread(r->all->sampler, r->channel) < 0)
		recording_stop(r, RECORDING_NO_EVENTS);
}

void recordings_spread(struct recordings *all, uint32_t channel)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (r && r->state == RECORDING_RUNNING && r->channel == channel)
			recording_spread(r);
	}
}

/* Watches the scheduler while any recording wants it, and its stacks with their tasks while any wants that. */
static int off_cpu_watch(const struct recordings *all)
{
	bool on = false, tasks = false;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *r = all->items[i];

		on |= r && r->waits;
		tasks |= r && r->waits && r->tasks;
	}
	return sampler_watch_off_cpu(all->sampler, on, tasks);
}

/* Opens the events for the processes that were asked for by their ids. */
static int recording_open_pids(struct recording *r, unsigned int hz)
{
	_cleanup_free_ uint32_t *tgids = calloc(r->whom.npids, sizeof(*tgids));
	struct joining j = { .recording = r, .ticks = true };
	struct plop_channel whom = { .kind = PLOP_CHANNEL_PROCESSES };
	struct sampler *s = r->all->sampler;
	size_t n = 0;
	int k = tgids ? 0 : -ENOMEM;

	for (size_t i = 0; i < r->whom.npids && k >= 0; i++) {
		if (!process_may_join(r, r->whom.pids[i]))
			continue;
		tgids[n++] = (uint32_t)r->whom.pids[i];
		k = process_joins(r->whom.pids[i], &j);
	}
	if (k < 0)
		return k;
	/* who looks at switches should not make them dearer, as events of threads do */
	return r->waits ? sampler_channel_open(s, r->channel, &whom, hz, r->tasks) :
			  sampler_channel_open_processes(s, r->channel, tgids, n, hz, r->tasks);
}

int recording_open(struct recording *r, unsigned int hz)
{
	struct recordings *all = r->all;
	struct plop_channel whom = { .kind = PLOP_CHANNEL_ALL };
	int k = 0;

	if (r->whom.tree || (r->whom.cgroup.folder && !r->whom.cgroup.v2))
		whom.kind = PLOP_CHANNEL_PROCESSES;
	else if (r->whom.cgroup.folder)
		whom = (struct plop_channel){ .kind = PLOP_CHANNEL_CGROUP,
					      .cgroup = r->whom.cgroup.id,
					      .level = r->whom.cgroup.level };
	if (r->whom.tree) {
		k = recording_root(r);
	} else if (!r->whom.npids && (r->waits || whom.kind == PLOP_CHANNEL_PROCESSES)) {
		k = recording_gather(r);
		if (k >= 0)
			k = sd_event_add_time_relative(all->cycle->loop, &r->follow,
						       CLOCK_MONOTONIC, FOLLOW_USEC, 0,
						       recording_follow, r);
	}
	all->targets->off_cpu_changes++;
	if (k >= 0 && r->waits)
		k = off_cpu_watch(r->all);
	if (k >= 0)
		k = r->whom.npids ?
			    recording_open_pids(r, hz) :
			    sampler_channel_open(all->sampler, r->channel, &whom, hz, r->tasks);
	return k;
}

/*
 * Of a thread that begins during the recording, and ends soon, half a tick is missing, and that always of its beginning
 * (sampler_channel_open_processes()). That may be one in two thousand of all, and a handful in any case; where it would be more, on
 * all CPUs none is.
 */
static bool recording_too_many_threads(const struct recording *r)
{
	return r->threads > NEW_THREADS + sink_profile(r->sink)->tally.ticks / NEW_THREAD_TICKS;
}

/*
 * A process has executed a program that the maker of the recording may not see, as one that is setuid: the kernel side need not
 * look at it any more. What it has counted until then is passed over when it comes (recording_wants()).
 */
static bool recording_lets_go(struct recording *r, uint32_t tgid)
{
	struct recordings *all = r->all;
	uint64_t keep = ~(UINT64_C(1) << (r->channel - 1));
	struct plop_filter w = {};
	uid_t owner;

	if (!r->whom.selectors.owned || sampler_filter_read(all->sampler, tgid, &w) < 0 ||
	    process_owner((pid_t)tgid, &owner) < 0 || selectors_see(&r->whom.selectors, owner))
		return false;
	w.ticks &= keep;
	w.children &= keep;
	w.off_cpu &= (uint32_t)keep;
	w.off_cpu_children &= (uint32_t)keep;
	w.threads &= (uint32_t)keep;
	sampler_filter_set(all->sampler, tgid, &w);
	all->targets->off_cpu_changes++;
	return true;
}

void recordings_thread(struct recordings *all, uint32_t tgid, bool exec)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (!r || r->state != RECORDING_RUNNING || r->channel == PLOP_CHANNEL_ALWAYS ||
		    (exec && recording_lets_go(r, tgid)) ||
		    !sampler_channel_is_on_threads(all->sampler, r->channel) ||
		    !whom_has_pid(&r->whom, (pid_t)tgid))
			continue;
		r->threads++;
		if (!exec && !recording_too_many_threads(r))
			continue;
		recording_spread(r);
	}
}

void recording_close(struct recording *r)
{
	struct sampler *s = r->all->sampler;

	r->follow = sd_event_source_disable_unref(r->follow);
	if (r->channel == PLOP_CHANNEL_ALWAYS || !sampler_channel_is_open(s, r->channel))
		return;
	sampler_channel_close(s, r->channel);
	/* who is asleep now is asked at its end */
	if (!r->waits)
		sampler_filter_clear(s, r->channel);
}

void recording_unwatch(struct recording *r)
{
	struct recordings *all = r->all;

	if (!r->waits)
		return;
	sampler_filter_clear(all->sampler, r->channel);
	sampler_sleepers_sweep(all->sampler);
	waits_free(TAKE_PTR(r->waits));
	off_cpu_watch(r->all);
	all->targets->off_cpu_changes++;
}
