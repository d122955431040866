/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_events.h"
#include "record/recording_tally.h"
#include "plop/places.h"
#include "record/asleep.h"
#include "util/log.h"

/*
 * How soon somebody who joins is noticed, where the kernel does not tell; what joins by fork is
 * followed in the kernel.
 */
#define FOLLOW_USEC (100 * USEC_PER_MSEC)

/* How many new threads are few: so many, and one more for each so many ticks. */
#define NEW_THREADS      8
#define NEW_THREAD_TICKS 1000

/*
 * A process that a recording is to count: its ticks, unless the kernel finds them otherwise, and
 * its time off CPU.
 */
struct joining {
	struct recording *recording;
	bool ticks, children;
};

/*
 * A process that the maker of the recording may not see, or did not select, is not looked at, in a
 * cgroup or anywhere.
 */
static bool process_may_join(const struct recording *recording, pid_t pid)
{
	bool any = !recording->whom.selectors.owned &&
		   (recording->whom.npids || !recording->whom.selectors.n);
	struct target *k = any ? NULL : targets_find_pid(recording->all->targets, pid);

	return any || (k && recording_wants(recording, k));
}

static int process_join(pid_t pid, const struct joining *j)
{
	struct recording *recording = j->recording;
	struct sampler *s = recording->all->sampler;
	uint64_t bit = PLOP_CHANNEL_BIT(recording->channel);
	struct plop_filter before = {}, w;

	sampler_filter_read(s, (uint32_t)pid, &before);
	w = before;
	if (j->ticks)
		w.ticks |= bit;
	if (j->ticks && j->children)
		w.children |= bit;
	if (recording->waits)
		w.off_cpu |= (uint32_t)bit;
	if (recording->waits && j->children)
		w.off_cpu_children |= (uint32_t)bit;
	if (recording->waits && recording->budget)
		w.budget = recording->budget;
	if (memcmp(&before, &w, sizeof(w)) == 0)
		return 0;
	if (recording->waits && !(before.off_cpu & (uint32_t)bit))
		waits_threads(recording->waits, pid);
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

int recording_watch_tree(struct recording *recording)
{
	return sd_event_add_io(recording->all->cycle->loop, &recording->tree_ends,
			       recording->whom.tree_fd, EPOLLIN, tree_ended, recording);
}

/* Whatever it executes, and whom it forks: no target is asked for, as it may have no Python yet. */
static int recording_root(struct recording *recording)
{
	const struct joining j = { .recording = recording, .ticks = true, .children = true };

	return process_join(recording->whom.tree, &j);
}

/* All who are in it by now. */
static int recording_gather(struct recording *recording)
{
	struct targets *t = recording->all->targets;
	struct joining j = { .recording = recording,
			     .ticks = recording->whom.cgroup.folder && !recording->whom.cgroup.v2,
			     .children = true };
	struct target *k, *next;
	int r = 0;

	t->off_cpu_changes++;
	if (recording->whom.cgroup.folder)
		return cgroup_each(&recording->whom.cgroup, process_joins, &j);
	HASH_ITER(hh, t->all, k, next)
	{
		if (r >= 0 && k->codes && !k->dying)
			r = process_joins((pid_t)k->key.tgid, &j);
	}
	return r;
}

static int recording_follow(sd_event_source *s, uint64_t usec, void *ctx)
{
	int r = recording_gather(ctx);

	if (r < 0)
		log_debug_r(r, "Cannot follow who joins a recording");
	asleep_ask(ctx);
	r = sd_event_source_set_time_relative(s, FOLLOW_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* Goes on with the events of all CPUs. */
static void recording_spread(struct recording *recording)
{
	int r;

	log_debug("Recording %s goes on with the events of all CPUs", recording->id);
	r = sampler_channel_spread(recording->all->sampler, recording->channel);
	if (r >= 0)
		return;
	log_warning_r(r, "Cannot go on with recording %s", recording->id);
	recording_stop(recording, RECORDING_NO_EVENTS);
}

void recordings_spread(struct recordings *all, uint32_t channel)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (recording && recording->state == RECORDING_RUNNING &&
		    recording->channel == channel)
			recording_spread(recording);
	}
}

/*
 * Watches the scheduler while any recording wants it, and its stacks with their tasks while any
 * wants that.
 */
static int off_cpu_watch(const struct recordings *all)
{
	bool on = false, tasks = false;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		const struct recording *recording = all->items[i];

		on |= recording && recording->waits;
		tasks |= recording && recording->waits && recording->tasks;
	}
	return sampler_watch_off_cpu(all->sampler, on, tasks);
}

/* Opens the events for the processes that were asked for by their ids. */
static int recording_open_pids(struct recording *recording, unsigned int hz)
{
	_cleanup_free_ uint32_t *tgids = calloc(recording->whom.npids, sizeof(*tgids));
	struct joining j = { .recording = recording, .ticks = true };
	struct plop_channel whom = { .kind = PLOP_CHANNEL_PROCESSES };
	struct sampler *s = recording->all->sampler;
	size_t n = 0;
	int r = tgids ? 0 : -ENOMEM;

	for (size_t i = 0; i < recording->whom.npids && r >= 0; i++) {
		if (!process_may_join(recording, recording->whom.pids[i]))
			continue;
		tgids[n++] = (uint32_t)recording->whom.pids[i];
		r = process_joins(recording->whom.pids[i], &j);
	}
	if (r < 0)
		return r;
	/* who looks at switches should not make them dearer, as events of threads do */
	return recording->waits ?
		       sampler_channel_open(s, recording->channel, &whom, hz, recording->tasks) :
		       sampler_channel_open_processes(s, recording->channel, tgids, n, hz,
						      recording->tasks);
}

int recording_open(struct recording *recording, unsigned int hz)
{
	struct recordings *all = recording->all;
	struct plop_channel whom = { .kind = PLOP_CHANNEL_ALL };
	int r = 0;

	if (recording->whom.tree || (recording->whom.cgroup.folder && !recording->whom.cgroup.v2))
		whom.kind = PLOP_CHANNEL_PROCESSES;
	else if (recording->whom.cgroup.folder)
		whom = (struct plop_channel){ .kind = PLOP_CHANNEL_CGROUP,
					      .cgroup = recording->whom.cgroup.id,
					      .level = recording->whom.cgroup.level };
	if (recording->whom.tree) {
		r = recording_root(recording);
	} else if (!recording->whom.npids &&
		   (recording->waits || whom.kind == PLOP_CHANNEL_PROCESSES)) {
		r = recording_gather(recording);
		if (r >= 0)
			r = sd_event_add_time_relative(all->cycle->loop, &recording->follow,
						       CLOCK_MONOTONIC, FOLLOW_USEC, 0,
						       recording_follow, recording);
	}
	all->targets->off_cpu_changes++;
	if (r >= 0 && recording->waits)
		r = off_cpu_watch(recording->all);
	if (r >= 0)
		r = recording->whom.npids ? recording_open_pids(recording, hz) :
					    sampler_channel_open(all->sampler, recording->channel,
								 &whom, hz, recording->tasks);
	return r;
}

/*
 * Of a thread that begins during the recording, and ends soon, half a tick is missing, and that
 * always of its beginning (sampler_channel_open_processes()). That may be one in two thousand of
 * all, and a handful in any case; where it would be more, on all CPUs none is.
 */
static bool recording_too_many_threads(const struct recording *recording)
{
	return recording->threads >
	       NEW_THREADS + sink_profile(recording->sink)->tally.ticks / NEW_THREAD_TICKS;
}

/*
 * A process has executed a program that the maker of the recording may not see, as one that is
 * setuid: the kernel side need not look at it any more. What it has counted until then is passed
 * over when it comes (recording_wants()).
 */
static bool recording_lets_go(struct recording *recording, uint32_t tgid)
{
	struct recordings *all = recording->all;
	uint64_t keep = ~PLOP_CHANNEL_BIT(recording->channel);
	struct plop_filter w = {};
	uid_t owner;

	/* of what service a program is that begins is not known yet */
	if (!recording->whom.selectors.owned || *recording->whom.selectors.service ||
	    sampler_filter_read(all->sampler, tgid, &w) < 0 ||
	    process_owner((pid_t)tgid, &owner) < 0 ||
	    selectors_see(&recording->whom.selectors, owner, NULL))
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
		struct recording *recording = all->items[i];

		if (!recording || recording->state != RECORDING_RUNNING ||
		    recording->channel == PLOP_CHANNEL_ALWAYS ||
		    (exec && recording_lets_go(recording, tgid)) ||
		    !sampler_channel_is_on_threads(all->sampler, recording->channel) ||
		    !whom_has_pid(&recording->whom, (pid_t)tgid))
			continue;
		recording->threads++;
		if (!exec && !recording_too_many_threads(recording))
			continue;
		recording_spread(recording);
	}
}

void recording_close(struct recording *recording)
{
	struct sampler *s = recording->all->sampler;

	recording->follow = sd_event_source_disable_unref(recording->follow);
	if (recording->channel == PLOP_CHANNEL_ALWAYS ||
	    !sampler_channel_is_open(s, recording->channel))
		return;
	recording_throttling(recording);
	sampler_channel_close(s, recording->channel);
	/* who is asleep now is asked at its end */
	if (!recording->waits)
		sampler_filter_clear(s, recording->channel);
}

void recording_unwatch(struct recording *recording)
{
	struct recordings *all = recording->all;

	if (!recording->waits)
		return;
	sampler_filter_clear(all->sampler, recording->channel);
	sampler_sleepers_sweep(all->sampler);
	waits_free(TAKE_PTR(recording->waits));
	off_cpu_watch(recording->all);
	all->targets->off_cpu_changes++;
}
