/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/random.h>

#include "record/recordings.h"
#include "record/asleep.h"
#include "record/recording_events.h"
#include "record/recording_shares.h"
#include "record/recording_tally.h"
#include "record/recording_tasks.h"
#include "record/recording_waits.h"
#include "record/thread_names.h"
#include "target/owner.h"
#include "target/shares.h"
#include "util/log.h"

/* How long a recording waits, before it begins and when it has ended, for what has to be read of its processes. */
#define ANSWERS_USEC (2 * USEC_PER_SEC)

static void recording_finish(struct recording *r);

void recording_request_done(struct recording_request *q)
{
	whom_done(&q->whom);
	labels_done(&q->labels);
	*q = (struct recording_request){};
}

void recording_drop(struct recording *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->all->items); i++) {
		if (r->all->items[i] == r)
			r->all->items[i] = NULL;
	}
	sd_event_source_disable_unref(r->timer);
	sd_event_source_disable_unref(r->tree_ends);
	/* of one that has ended the channel may be another's by now */
	if (r->state != RECORDING_DONE) {
		recording_close(r);
		recording_unwatch(r);
	}
	whom_done(&r->whom);
	sink_free(r->sink);
	free(r);
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
		struct recording *r = all->items[i];

		if (r && r->state == RECORDING_DONE && r->keep_until < now)
			recording_drop(r);
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

static int recording_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	recording_stop(ctx, RECORDING_ELAPSED);
	return 0;
}

/* A channel that no recording has; 0: none. One whose recording has ended was collected before. */
static uint32_t channel_free(const struct recordings *all)
{
	for (uint32_t channel = 1; channel <= PLOP_MAX_CHANNELS; channel++) {
		bool taken = false;

		for (size_t i = 0; i < ARRAY_SIZE(all->items); i++)
			taken |= all->items[i] && all->items[i]->state != RECORDING_DONE &&
				 all->items[i]->channel == channel;
		if (!taken)
			return channel;
	}
	return 0;
}

static void recording_begins_now(struct recording *r)
{
	struct profile *p = sink_profile(r->sink);

	r->begun_mono = cycle_mono_ns(r->all->cycle);
	p->start_ns = cycle_time_at(r->all->cycle, r->begun_mono);
	p->end_ns = p->start_ns + 1;
}

/* Begins one that has ticks of its own: with the first of them. */
static int recording_begin_own(struct recording *r)
{
	struct recordings *all = r->all;
	struct profile *p = sink_profile(r->sink);
	int k = 0;

	r->channel = channel_free(r->all);
	if (!r->channel)
		return -EBUSY;
	r->budget = recordings_budget(r->all, recording_user(r));
	recordings_divide(r->all);
	sampler_channel_charge(all->sampler, r->channel, r->budget, r->whom.selectors.uid);
	r->state = RECORDING_RUNNING;
	recording_begins_now(r);
	if (p->off_cpu)
		k = waits_new(r->begun_mono, &r->waits);
	if (k >= 0)
		k = recording_open(r, p->hz);
	/* opening may take some time on a busy host; a wait that begins meanwhile counts already */
	if (k >= 0 && !p->off_cpu)
		recording_begins_now(r);
	if (k >= 0)
		asleep_ask(r);
	/* from then on, not from when the loop woke, which is before the events were opened */
	if (k >= 0)
		k = sd_event_add_time(all->cycle->loop, &r->timer, CLOCK_MONOTONIC,
				      (r->begun_mono + r->duration_ns) / 1000, 1000, recording_due,
				      r);
	return k;
}

static void recording_prepared(struct recording *r)
{
	int k;

	r->timer = sd_event_source_disable_unref(r->timer);
	k = recording_begin_own(r);
	if (k >= 0)
		return;
	log_warning_r(k, "Cannot begin recording %s", r->id);
	recording_stop(r, RECORDING_NO_EVENTS);
}

/* Who has not answered by now is not waited for. */
static int recording_impatient(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct recording *r = ctx;

	if (r->state == RECORDING_PREPARING)
		recording_prepared(r);
	else if (r->state == RECORDING_NAMING)
		recording_finish(r);
	return 0;
}

/* Begins one with asyncio tasks, if it is known where its processes have them, or else when that is known. */
static int recording_begin_tasks(struct recording *r)
{
	sink_keep_tasks(r->sink);
	r->state = RECORDING_PREPARING;
	recordings_async(r->all);
	if (recording_async_known(r))
		return recording_begin_own(r);
	return sd_event_add_time_relative(r->all->cycle->loop, &r->timer, CLOCK_MONOTONIC,
					  ANSWERS_USEC, 1000, recording_impatient, r);
}

static void recordings_prepared(void *ctx)
{
	struct recordings *all = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (r && r->state == RECORDING_PREPARING && recording_async_known(r))
			recording_prepared(r);
	}
}

/* The parts of the sampler that one with ticks of its own takes. */
static unsigned int recording_parts(const struct recording *r)
{
	return (r->tasks ? SAMPLER_PART_TASKS : SAMPLER_PART_SETS) |
	       (sink_profile(r->sink)->off_cpu ? SAMPLER_PART_WALL : 0);
}

/* Begins one that has ticks of its own, or has it wait for the programs that it takes. */
static int recording_begin_loaded(struct recording *r)
{
	int k = sampler_need(r->all->sampler, recording_parts(r));

	if (k == -EINPROGRESS) {
		r->state = RECORDING_LOADING;
		return 0;
	}
	if (k < 0)
		return k;
	return r->tasks ? recording_begin_tasks(r) : recording_begin_own(r);
}

/* Whoever waits for it to begin is told that it does, or why it does not. */
static void recording_tell_loaded(struct recording *r, int k)
{
	void (*tell)(struct recording *, int, void *) = r->loaded;

	r->loaded = NULL;
	if (tell)
		tell(r, k, r->ctx);
}

void recordings_loaded(struct recordings *all, unsigned int parts, int k)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];
		int begun = k;

		if (!r || r->state != RECORDING_LOADING || !(recording_parts(r) & parts))
			continue;
		if (k == 0)
			begun = recording_begin_loaded(r);
		if (begun == 0 && r->state == RECORDING_LOADING)
			continue;
		if (begun < 0)
			log_warning_r(begun, "Cannot begin recording %s", r->id);
		recording_tell_loaded(r, begun);
		if (begun < 0)
			recording_drop(r);
	}
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

/* What it is called. One who may not see the others must not learn from it how many there were. */
static int recording_name(struct recording *r)
{
	uint8_t random[6];

	if (!r->whom.selectors.owned) {
		snprintf(r->id, sizeof(r->id), "r%llu", (unsigned long long)++r->all->next_id);
		return 0;
	}
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(r->id, sizeof(r->id), "u%02x%02x%02x%02x%02x%02x", random[0], random[1], random[2],
		 random[3], random[4], random[5]);
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
static int recording_new(struct recordings *all, const struct recording_request *q, unsigned int hz,
			 struct recording **ret)
{
	struct recording *r = calloc(1, sizeof(*r));
	int k;

	if (!r)
		return -ENOMEM;
	r->all = all;
	r->duration_ns = q->duration_ns;
	r->tasks = q->tasks;
	r->whom = q->whom;
	k = sink_new(all->cycle->clock_ns(CLOCK_REALTIME), hz, &r->sink);
	if (k >= 0)
		k = recording_name(r);
	if (k < 0) {
		sink_free(r->sink);
		free(r);
		return k;
	}
	sink_keep_states(r->sink);
	sink_bound(r->sink, RECORDING_CODE_BYTES);
	sink_profile(r->sink)->labels = q->labels;
	sink_profile(r->sink)->off_cpu = q->off_cpu;
	*ret = r;
	return 0;
}

/* Forgets one that has not begun, and leaves the request what is its own. */
static void recording_unmake(struct recording *r)
{
	r->whom = (struct whom){};
	sink_profile(r->sink)->labels = (struct labels){};
	recording_drop(r);
}

int recordings_start(struct recordings *all, struct recording_request *q, struct recording **ret)
{
	unsigned int hz = q->hz ? q->hz : (unsigned int)all->config->hz;
	bool own = request_is_own(all, q);
	uid_t user = q->whom.selectors.owned ?
			     shares_user(all->targets->shares, q->whom.selectors.uid) :
			     SHARES_NOBODY;
	struct recording **place, *r;
	int k;

	recordings_forget(all);
	k = recordings_admit(all, user, own ? hz : 0);
	if (k < 0)
		return k;
	place = recordings_place(all);
	if (!place)
		return -EBUSY;
	k = recording_new(all, q, hz, &r);
	if (k < 0)
		return k;
	*place = r;
	if (r->whom.tree)
		k = recording_watch_tree(r);
	if (k >= 0 && own)
		k = recording_begin_loaded(r);
	else if (k >= 0)
		r->cycle = cycle_ask(all->cycle);
	if (k < 0) {
		recording_unmake(r);
		return k;
	}
	*q = (struct recording_request){};
	*ret = r;
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

void recording_stop(struct recording *r, enum recording_reason reason)
{
	if (r->state >= RECORDING_STOPPING)
		return;
	if (r->state == RECORDING_LOADING)
		recording_tell_loaded(r, 0);
	r->reason = reason;
	r->state = RECORDING_STOPPING;
	if (r->channel != PLOP_CHANNEL_ALWAYS) {
		recording_close(r);
		r->ended_mono = cycle_mono_ns(r->all->cycle);
	}
	r->cycle = cycle_ask(r->all->cycle);
}

void recording_note_gil(struct recording *r, const struct plop_layout *l)
{
	r->gil_none |= l->free_threaded;
	r->gil_known |= !l->free_threaded && (l->ts_status || l->runtime_current);
}

static void recording_added(struct recording *r, struct target *k, uint32_t process,
			    const struct symbolized_stack *s)
{
	const struct plop_layout *l = &k->python.layout;

	thread_names_look(r, k, process, s->stack->tid);
	recording_note_gil(r, l);
	r->truncated += s->stack->flags & PLOP_STACK_TRUNCATED ? s->stack->count : 0;
	if (!l->free_threaded &&
	    !(s->stack->flags & (PLOP_STACK_GIL_HELD | PLOP_STACK_GIL_RELEASED)))
		r->gil_untold += s->stack->count;
}

bool recording_wants(const struct recording *r, struct target *k)
{
	return whom_wants(&r->whom, k, r->all->cycle->number);
}

void recordings_add(struct recordings *all, struct target *k, const struct symbolized_stack *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];
		uint32_t n;

		/* one that stops has its ticks up to its last swap; one that waits begins with the next */
		if (!r || (r->state != RECORDING_RUNNING && r->state != RECORDING_STOPPING) ||
		    !r->begun_mono || r->channel != s->stack->channel)
			continue;
		/* what else a selector may ask for is told when the result is wanted */
		if (!recording_wants(r, k))
			continue;
		if (profile_process(sink_profile(r->sink), &k->info, k->python.version, &n) < 0 ||
		    sink_add(r->sink, n, s) < 0) {
			r->undelivered += s->stack->count;
			r->lost[PLOP_LOST_DRAIN] += s->stack->count;
		} else {
			recording_added(r, k, n, s);
		}
	}
}

void recordings_undelivered(struct recordings *all, const struct plop_stack *stack)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (r && r->state != RECORDING_DONE && r->channel == stack->channel)
			r->undelivered += stack->count;
	}
}

/*
 * Whether any process that the recording was asked for is still there, or its cgroup. Of one that may not be seen (any more)
 * not even this is told.
 */
static bool recording_alive(const struct recording *r)
{
	struct recordings *all = r->all;

	if (r->whom.cgroup.folder)
		return cgroup_exists(&r->whom.cgroup);
	if (!r->whom.npids)
		return true;
	for (size_t i = 0; i < r->whom.npids; i++) {
		struct target *k = targets_find_pid(all->targets, r->whom.pids[i]);

		if (k && target_is_visible(k, &r->whom.selectors, all->cycle->number))
			return true;
	}
	return false;
}

static void recording_begin(struct recording *r)
{
	const struct recordings *all = r->all;

	r->state = RECORDING_RUNNING;
	r->begun_mono = all->cycle->swapped_mono;
	sink_profile(r->sink)->start_ns = all->cycle->swapped_ns;
	/* its length counts from the swap, which lies a moment back */
	if (sd_event_add_time_relative(all->cycle->loop, &r->timer, CLOCK_MONOTONIC,
				       r->duration_ns / 1000, 1000, recording_due, r) < 0)
		recording_stop(r, RECORDING_NO_TIMER);
}

static void recording_finish(struct recording *r)
{
	r->timer = sd_event_source_disable_unref(r->timer);
	r->tree_ends = sd_event_source_disable_unref(r->tree_ends);
	r->state = RECORDING_DONE;
	r->keep_until = cycle_mono_ns(r->all->cycle) + RECORDINGS_KEEP_NS;
	if (r->done)
		r->done(r, r->ctx);
}

void recording_named(struct recording *r)
{
	if (r->state == RECORDING_NAMING && --r->naming == 0)
		recording_finish(r);
}

static void recording_end(struct recording *r)
{
	struct profile *p = sink_profile(r->sink);

	recording_end_waits(r);
	r->state = RECORDING_NAMING;
	if (r->channel == PLOP_CHANNEL_ALWAYS)
		r->ended_mono = r->all->cycle->swapped_mono;
	else
		p->end_ns = p->start_ns + (r->ended_mono - r->begun_mono);
	p->end_ns = MAX(p->end_ns, p->start_ns + 1);
	r->timer = sd_event_source_disable_unref(r->timer);
	sink_settle(r->sink);
	/* one more than there are: it does not end while they are asked */
	r->naming = 1;
	thread_names_last(r);
	if (r->naming > 1 &&
	    sd_event_add_time_relative(r->all->cycle->loop, &r->timer, CLOCK_MONOTONIC,
				       ANSWERS_USEC, 1000, recording_impatient, r) < 0)
		r->naming = 1;
	recording_named(r);
}

void recordings_cycle(struct recordings *all, uint64_t number, const struct tally *t,
		      const struct plop_channel_counters *channels)
{
	uint64_t swapped_mono = all->cycle->swapped_mono;

	recordings_async(all);
	recordings_charge(all);
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (!r)
			continue;
		if (r->state == RECORDING_DONE) {
			if (r->keep_until < swapped_mono)
				recording_drop(r);
			continue;
		}
		if (r->state == RECORDING_NAMING || r->state == RECORDING_PREPARING ||
		    r->state == RECORDING_LOADING)
			continue;
		if (r->begun_mono) {
			struct profile *p = sink_profile(r->sink);

			recording_tally(r, t, r->channel ? &channels[r->channel - 1] : NULL);
			/* by the monotonic clock: its length is true whoever sets the clock */
			if (swapped_mono > r->begun_mono)
				p->end_ns = p->start_ns + (swapped_mono - r->begun_mono);
		}
		if (r->waits && waits_settle(r->waits, r->sink, false) < 0)
			recording_stop(r, RECORDING_TOO_LARGE);
		if (r->state == RECORDING_WAITING && number >= r->cycle)
			recording_begin(r);
		else if (r->state == RECORDING_STOPPING && number >= r->cycle && !asleep_awaits(r))
			recording_end(r);
		else if (r->state == RECORDING_RUNNING && !recording_alive(r))
			recording_stop(r, RECORDING_TARGET_ENDED);
		else if (r->state == RECORDING_RUNNING && recording_bytes(r) > RECORDING_BYTES_MAX)
			recording_stop(r, RECORDING_TOO_LARGE);
	}
	recordings_bound(all);
	thread_names_ask(all);
}
