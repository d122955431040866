/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_begin.h"
#include "record/asleep.h"
#include "record/recording_events.h"
#include "record/recording_shares.h"
#include "record/recording_tally.h"
#include "record/recording_tasks.h"
#include "util/log.h"

static int recording_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	recording_stop(ctx, RECORDING_ELAPSED);
	return 0;
}

/* A channel that no recording has; 0: none. One whose recording has ended was collected before. */
static uint32_t channel_free(const struct recordings *all)
{
	for (uint32_t channel = 1; channel <= PLOP_MAX_CHANNELS; channel++) {
		bool taken = all->cycle->number < all->channel_from[channel];

		for (size_t i = 0; i < ARRAY_SIZE(all->items); i++)
			taken |= all->items[i] && all->items[i]->state != RECORDING_DONE &&
				 all->items[i]->channel == channel;
		if (!taken)
			return channel;
	}
	return 0;
}

static void recording_begins_now(struct recording *recording)
{
	struct profile *p = sink_profile(recording->sink);

	recording->begun_mono = cycle_mono_ns(recording->all->cycle);
	p->start_ns = cycle_time_at(recording->all->cycle, recording->begun_mono);
	p->end_ns = p->start_ns + 1;
}

/* Begins one that has ticks of its own: with the first of them. */
static int recording_begin_own(struct recording *recording)
{
	struct recordings *all = recording->all;
	struct profile *p = sink_profile(recording->sink);
	int r = 0;

	recording->channel = channel_free(recording->all);
	if (!recording->channel)
		return -EBUSY;
	recording->budget = recordings_budget(recording->all, recording->user);
	recordings_divide(recording->all);
	sampler_channel_charge(all->sampler, recording->channel, recording->budget,
			       recording->whom.selectors.uid);
	recording->state = RECORDING_RUNNING;
	recording_begins_now(recording);
	if (p->off_cpu)
		r = waits_new(recording->begun_mono, &recording->waits);
	if (r >= 0)
		r = recording_open(recording, p->hz);
	/* opening may take some time on a busy host; a wait that begins meanwhile counts already */
	if (r >= 0 && !p->off_cpu)
		recording_begins_now(recording);
	if (r >= 0)
		asleep_ask(recording);
	/* from then on, not from when the loop woke, which is before the events were opened */
	if (r >= 0)
		r = sd_event_add_time(all->cycle->loop, &recording->timer, CLOCK_MONOTONIC,
				      (recording->begun_mono + recording->duration_ns) / 1000, 1000,
				      recording_due, recording);
	return r;
}

static void recording_prepared(struct recording *recording)
{
	bool open;
	int r;

	recording->timer = sd_event_source_disable_unref(recording->timer);
	r = recording_begin_own(recording);
	if (r >= 0)
		return;
	log_warning_r(r, "Cannot begin recording %s", recording->id);
	/* the timer comes after the events */
	open = recording->channel != PLOP_CHANNEL_ALWAYS &&
	       sampler_channel_is_open(recording->all->sampler, recording->channel);
	recording_stop(recording, open ? RECORDING_NO_TIMER : RECORDING_NO_EVENTS);
}

/* Who has not answered by now is not waited for. */
static int recording_impatient(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct recording *recording = ctx;

	if (recording->state == RECORDING_PREPARING)
		recording_prepared(recording);
	return 0;
}

/*
 * Begins one with asyncio tasks, if it is known where its processes have them, or else when that is
 * known.
 */
static int recording_begin_tasks(struct recording *recording)
{
	sink_keep_tasks(recording->sink);
	recording->state = RECORDING_PREPARING;
	recordings_async(recording->all);
	if (recording_async_known(recording))
		return recording_begin_own(recording);
	return sd_event_add_time_relative(recording->all->cycle->loop, &recording->timer,
					  CLOCK_MONOTONIC, RECORDING_ANSWERS_USEC, 1000,
					  recording_impatient, recording);
}

void recordings_prepared(void *ctx)
{
	struct recordings *all = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (recording && recording->state == RECORDING_PREPARING &&
		    recording_async_known(recording))
			recording_prepared(recording);
	}
}

/* The parts of the sampler that one with ticks of its own takes. */
static unsigned int recording_parts(const struct recording *recording)
{
	return (recording->tasks ? SAMPLER_PART_TASKS : SAMPLER_PART_SETS) |
	       (sink_profile(recording->sink)->off_cpu ? SAMPLER_PART_WALL : 0);
}

int recording_begin_loaded(struct recording *recording)
{
	int r = sampler_need(recording->all->sampler, recording_parts(recording));

	if (r == -EINPROGRESS) {
		recording->state = RECORDING_LOADING;
		return 0;
	}
	if (r < 0)
		return r;
	return recording->tasks ? recording_begin_tasks(recording) : recording_begin_own(recording);
}

void recording_tell_loaded(struct recording *recording, int r)
{
	void (*tell)(struct recording *, int, void *) = recording->loaded;

	recording->loaded = NULL;
	if (tell)
		tell(recording, r, recording->ctx);
}

void recordings_loaded(struct recordings *all, unsigned int parts, int r)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];
		int begun = r;

		if (!recording || recording->state != RECORDING_LOADING ||
		    !(recording_parts(recording) & parts))
			continue;
		if (r == 0)
			begun = recording_begin_loaded(recording);
		if (begun == 0 && recording->state == RECORDING_LOADING)
			continue;
		if (begun < 0)
			log_warning_r(begun, "Cannot begin recording %s", recording->id);
		recording_tell_loaded(recording, begun);
		if (begun < 0)
			recording_drop(recording);
	}
}

void recording_begin_shared(struct recording *recording)
{
	const struct recordings *all = recording->all;
	int r;

	recording->state = RECORDING_RUNNING;
	recording_throttling_begin(recording);
	recording->begun_mono = all->cycle->swapped_mono;
	sink_profile(recording->sink)->start_ns = all->cycle->swapped_ns;
	/* its length counts from the swap, which lies a moment back */
	r = sd_event_add_time_relative(all->cycle->loop, &recording->timer, CLOCK_MONOTONIC,
				       recording->duration_ns / 1000, 1000, recording_due,
				       recording);
	if (r >= 0)
		return;
	log_warning_r(r, "Cannot time recording %s", recording->id);
	recording_stop(recording, RECORDING_NO_TIMER);
}
