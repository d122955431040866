/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/random.h>

#include "record/recordings.h"
#include "record/asleep.h"
#include "record/recording_begin.h"
#include "record/recording_events.h"
#include "record/recording_shares.h"
#include "record/recording_tally.h"
#include "record/recording_tasks.h"
#include "record/recording_waits.h"
#include "record/thread_names.h"
#include "target/owner.h"
#include "target/shares.h"

void recording_request_done(struct recording_request *q)
{
	whom_done(&q->whom);
	labels_done(&q->labels);
	free(q->name);
	free(q->target);
	free(q->why);
	*q = (struct recording_request){};
}

static void recording_free(struct recording *recording)
{
	sink_free(recording->sink);
	free(recording->name);
	free(recording->target);
	free(recording->why);
	free(recording->not_kept);
	free(recording);
}

void recording_drop(struct recording *recording)
{
	for (size_t i = 0; i < ARRAY_SIZE(recording->all->items); i++) {
		if (recording->all->items[i] == recording)
			recording->all->items[i] = NULL;
	}
	sd_event_source_disable_unref(recording->timer);
	sd_event_source_disable_unref(recording->tree_ends);
	/* of one that has ended the channel may be another's by now */
	if (recording->state != RECORDING_DONE) {
		/* its last stacks may lie in either half: two swaps empty both */
		recording->all->channel_from[recording->channel] =
			recording->all->cycle->number + 2;
		recording_close(recording);
		recording_unwatch(recording);
	}
	whom_done(&recording->whom);
	recording->dropped = true;
	if (!recording->lent) {
		recording_free(recording);
		return;
	}
	recording->next_dropped = recording->all->dropped;
	recording->all->dropped = recording;
}

const struct profile *recording_lend(struct recording *recording)
{
	if (recording->state < RECORDING_KEEPING)
		return NULL;
	recording->lent++;
	return sink_profile(recording->sink);
}

void recording_give_back(struct recording *recording)
{
	struct recording **at = &recording->all->dropped;

	if (--recording->lent > 0 || !recording->dropped)
		return;
	while (*at != recording)
		at = &(*at)->next_dropped;
	*at = recording->next_dropped;
	recording_free(recording);
}

void recordings_done(struct recordings *all)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		if (all->items[i])
			recording_drop(all->items[i]);
	}
}

unsigned int recordings_running(const struct recordings *all)
{
	unsigned int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++)
		n += all->items[i] && all->items[i]->state != RECORDING_DONE;
	return n;
}

/* Ended recordings whose time is over go. */
static void recordings_forget(struct recordings *all)
{
	uint64_t now = cycle_mono_ns(all->cycle);

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (recording && recording->state == RECORDING_DONE && recording->keep_until < now)
			recording_drop(recording);
	}
}

static struct recording **recordings_place(struct recordings *all)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		if (!all->items[i])
			return &all->items[i];
	}
	return NULL;
}

void recordings_init(struct recordings *all, struct cycle *cycle, const struct config *config,
		     struct sampler *sampler, struct targets *targets)
{
	*all = (struct recordings){
		.cycle = cycle, .config = config, .sampler = sampler, .targets = targets
	};
	all->targets->async_answered = recordings_prepared;
	all->targets->ctx = all;
}

/*
 * Its id. One who may not see the others must not learn from it how many there were, and that of
 * one that is kept is still its own when plopd has begun anew.
 */
static int recording_identify(struct recording *recording, bool kept)
{
	uint8_t random[6];

	if (!recording->whom.selectors.owned && !kept) {
		snprintf(recording->id, sizeof(recording->id), "r%llu",
			 (unsigned long long)++recording->all->next_id);
		return 0;
	}
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(recording->id, sizeof(recording->id), "%c%02x%02x%02x%02x%02x%02x",
		 kept ? 'n' : 'u', random[0], random[1], random[2], random[3], random[4],
		 random[5]);
	return 0;
}

/* Whether it needs ticks of its own. */
static bool request_is_own(const struct recordings *all, const struct recording_request *q)
{
	return q->off_cpu || q->tasks || q->whom.cgroup.folder || q->whom.tree ||
	       (q->hz && q->hz != all->config->hz) ||
	       !sampler_channel_is_open(all->sampler, PLOP_CHANNEL_ALWAYS);
}

/* Makes it, with all that the request asks for; that is lent, and is its own once it has begun. */
static int recording_new(struct recordings *all, const struct recording_request *q, uid_t user,
			 unsigned int hz, struct recording **ret)
{
	struct recording *recording = calloc(1, sizeof(*recording));
	int r;

	if (!recording)
		return -ENOMEM;
	recording->all = all;
	recording->duration_ns = q->duration_ns;
	recording->tasks = q->tasks;
	recording->user = user;
	recording->whom = q->whom;
	r = sink_new(all->cycle->clock_ns(CLOCK_REALTIME), hz, &recording->sink);
	if (r >= 0)
		r = recording_identify(recording, q->name != NULL);
	if (r < 0) {
		sink_free(recording->sink);
		free(recording);
		return r;
	}
	sink_share(recording->sink, &all->targets->code_pool);
	sink_keep_states(recording->sink);
	sink_bound(recording->sink, RECORDING_CODE_BYTES);
	recording->name = q->name;
	recording->target = q->target;
	recording->why = q->why;
	recording->maker = q->maker;
	sink_profile(recording->sink)->labels = q->labels;
	sink_profile(recording->sink)->off_cpu = q->off_cpu;
	*ret = recording;
	return 0;
}

/* Forgets one that has not begun, and leaves the request what is its own. */
static void recording_unmake(struct recording *recording)
{
	recording->whom = (struct whom){};
	recording->name = recording->target = recording->why = NULL;
	sink_profile(recording->sink)->labels = (struct labels){};
	recording_drop(recording);
}

int recordings_start(struct recordings *all, struct recording_request *q, struct recording **ret)
{
	unsigned int hz = q->hz ? q->hz : (unsigned int)all->config->hz;
	bool own = request_is_own(all, q);
	/* who shows a token of a service is plop-gateway, which is trusted */
	bool others = q->whom.selectors.owned && !*q->whom.selectors.service;
	uid_t user = others ? shares_user(all->targets->shares, q->whom.selectors.uid) :
			      SHARES_NOBODY;
	struct recording **place, *recording;
	int r;

	recordings_forget(all);
	r = recordings_admit(all, user, own ? hz : 0);
	if (r < 0)
		return r;
	place = recordings_place(all);
	if (!place)
		return -EBUSY;
	r = recording_new(all, q, user, hz, &recording);
	if (r < 0)
		return r;
	*place = recording;
	if (recording->whom.tree)
		r = recording_watch_tree(recording);
	if (r >= 0 && own)
		r = recording_begin_loaded(recording);
	else if (r >= 0)
		recording->cycle = cycle_ask(all->cycle);
	if (r < 0) {
		recording_unmake(recording);
		return r;
	}
	*q = (struct recording_request){};
	*ret = recording;
	return 0;
}

struct recording *recordings_find(struct recordings *all, const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		if (all->items[i] && streq(all->items[i]->id, id))
			return all->items[i];
	}
	return NULL;
}

void recording_stop(struct recording *recording, enum recording_reason reason)
{
	if (recording->state >= RECORDING_STOPPING)
		return;
	if (recording->state == RECORDING_LOADING)
		recording_tell_loaded(recording, 0);
	recording->reason = reason;
	recording->state = RECORDING_STOPPING;
	if (recording->channel != PLOP_CHANNEL_ALWAYS) {
		recording_close(recording);
		recording->ended_mono = cycle_mono_ns(recording->all->cycle);
	}
	recording->cycle = cycle_ask(recording->all->cycle);
}

void recording_note_gil(struct recording *recording, const struct plop_layout *l)
{
	recording->gil_none |= l->free_threaded;
	recording->gil_known |= !l->free_threaded && (l->ts_status || l->runtime_current);
}

static void recording_added(struct recording *recording, struct target *k, uint32_t process,
			    const struct symbolized_stack *s)
{
	const struct plop_layout *l = &k->python.layout;

	thread_names_look(recording, k, process, s->stack->tid);
	recording_note_gil(recording, l);
	recording->truncated += s->stack->flags & PLOP_STACK_TRUNCATED ? s->stack->count : 0;
	if (!l->free_threaded &&
	    !(s->stack->flags & (PLOP_STACK_GIL_HELD | PLOP_STACK_GIL_RELEASED)))
		recording->gil_untold += s->stack->count;
}

bool recording_wants(const struct recording *recording, struct target *k)
{
	return whom_wants(&recording->whom, k, recording->all->cycle->number);
}

/* One that stops has its ticks up to its last swap; one that waits begins with the next. */
static bool recording_counts(const struct recording *recording)
{
	return (recording->state == RECORDING_RUNNING || recording->state == RECORDING_STOPPING) &&
	       recording->begun_mono;
}

void recordings_add(struct recordings *all, struct target *k, const struct symbolized_stack *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];
		uint32_t n;

		if (!recording || !recording_counts(recording) ||
		    recording->channel != s->stack->channel)
			continue;
		/* what else a selector may ask for is told when the result is wanted */
		if (!recording_wants(recording, k))
			continue;
		if (profile_process(sink_profile(recording->sink), &k->info, k->python.version,
				    &n) < 0 ||
		    sink_add(recording->sink, n, s) < 0) {
			recording->undelivered += s->stack->count;
			recording->lost[PLOP_LOST_DRAIN] += s->stack->count;
		} else {
			recording_added(recording, k, n, s);
		}
	}
}

void recordings_undelivered(struct recordings *all, const struct plop_stack *stack)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (recording && recording_counts(recording) &&
		    recording->channel == stack->channel)
			recording->undelivered += stack->count;
	}
}

/*
 * Whether any process that the recording was asked for is still there, or its cgroup. Of one that
 * may not be seen (any more) not even this is told.
 */
static bool recording_alive(const struct recording *recording)
{
	struct recordings *all = recording->all;

	if (recording->whom.cgroup.folder)
		return cgroup_exists(&recording->whom.cgroup);
	if (!recording->whom.npids)
		return true;
	for (size_t i = 0; i < recording->whom.npids; i++) {
		struct target *k = targets_find_pid(all->targets, recording->whom.pids[i]);

		if (k && target_is_visible(k, &recording->whom.selectors, all->cycle->number))
			return true;
	}
	return false;
}

static void recording_is_done(struct recording *recording)
{
	recording->state = RECORDING_DONE;
	recording->keep_until = cycle_mono_ns(recording->all->cycle) + RECORDINGS_KEEP_NS;
	if (recording->done)
		recording->done(recording, recording->ctx);
}

static void recording_finish(struct recording *recording)
{
	struct recordings *all = recording->all;

	recording->timer = sd_event_source_disable_unref(recording->timer);
	recording->tree_ends = sd_event_source_disable_unref(recording->tree_ends);
	recording->state = RECORDING_KEEPING;
	if (!recording->name || !all->keep || !all->keep(recording, all->keep_ctx))
		recording_is_done(recording);
}

void recordings_end_named(struct recordings *all)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (recording && recording->name && recording->begun_mono)
			recording_stop(recording, RECORDING_PLOPD_ENDED);
	}
}

void recordings_keep_now(struct recordings *all)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (recording && recording->name && recording->state == RECORDING_NAMING)
			recording_finish(recording);
	}
}

void recording_kept(struct recording *recording, char *why_not)
{
	if (!why_not) {
		recording_drop(recording);
		return;
	}
	recording->not_kept = why_not;
	recording_is_done(recording);
}

void recording_named(struct recording *recording)
{
	if (recording->state == RECORDING_NAMING && --recording->naming == 0)
		recording_finish(recording);
}

/* Who has not answered by now is not waited for. */
static int recording_impatient(sd_event_source *s, uint64_t usec, void *ctx)
{
	recording_finish(ctx);
	return 0;
}

static void recording_end(struct recording *recording)
{
	struct profile *p = sink_profile(recording->sink);

	recording_end_waits(recording);
	recording->state = RECORDING_NAMING;
	if (recording->channel == PLOP_CHANNEL_ALWAYS)
		recording->ended_mono = recording->all->cycle->swapped_mono;
	else
		p->end_ns = p->start_ns + (recording->ended_mono - recording->begun_mono);
	p->end_ns = MAX(p->end_ns, p->start_ns + 1);
	recording->timer = sd_event_source_disable_unref(recording->timer);
	sink_settle(recording->sink);
	/* one more than there are: it does not end while they are asked */
	recording->naming = 1;
	thread_names_last(recording);
	if (recording->naming > 1 &&
	    sd_event_add_time_relative(recording->all->cycle->loop, &recording->timer,
				       CLOCK_MONOTONIC, RECORDING_ANSWERS_USEC, 1000,
				       recording_impatient, recording) < 0)
		recording->naming = 1;
	recording_named(recording);
}

void recordings_cycle(struct recordings *all, uint64_t number, const struct tally *t,
		      const struct plop_channel_counters *channels)
{
	uint64_t swapped_mono = all->cycle->swapped_mono;

	recordings_async(all);
	recordings_charge(all);
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (!recording)
			continue;
		if (recording->state == RECORDING_DONE) {
			if (recording->keep_until < swapped_mono)
				recording_drop(recording);
			continue;
		}
		if (recording->state == RECORDING_NAMING || recording->state == RECORDING_KEEPING ||
		    recording->state == RECORDING_PREPARING ||
		    recording->state == RECORDING_LOADING)
			continue;
		if (recording->begun_mono) {
			struct profile *p = sink_profile(recording->sink);

			recording_throttling(recording);
			recording_tally(recording, t, channels);
			/* by the monotonic clock: its length is true whoever sets the clock */
			if (swapped_mono > recording->begun_mono)
				p->end_ns = p->start_ns + (swapped_mono - recording->begun_mono);
		}
		if (recording->waits && waits_settle(recording->waits, recording->sink, false) < 0)
			recording_stop(recording, RECORDING_TOO_LARGE);
		if (recording->state == RECORDING_WAITING && number >= recording->cycle)
			recording_begin_shared(recording);
		else if (recording->state == RECORDING_STOPPING && number >= recording->cycle &&
			 !asleep_awaits(recording))
			recording_end(recording);
		else if (recording->state == RECORDING_RUNNING && !recording_alive(recording))
			recording_stop(recording, RECORDING_TARGET_ENDED);
		else if (recording->state == RECORDING_RUNNING &&
			 recording_bytes(recording) > RECORDING_BYTES_MAX)
			recording_stop(recording, RECORDING_TOO_LARGE);
	}
	recordings_bound(all);
	thread_names_ask(all);
}
