/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_waits.h"
#include "plop/places.h"
#include "record/recording_events.h"
#include "record/thread_names.h"
#include "target/targets_cycle.h"
#include "util/log.h"

/*
 * Whether the recording counts the time off CPU of that process now; then its place in the profile.
 */
static bool recording_waits_for(struct recording *recording, struct target *k,
				uint32_t *ret_process)
{
	if (!recording || !recording->waits || recording->state == RECORDING_DONE || !k ||
	    !recording_wants(recording, k))
		return false;
	/*
	 * in the kernel it is the pid that is wanted, whatever it executes: the answer above is
	 * good for its image
	 */
	if (!PLOP_CHANNEL_IS_IN(targets_off_cpu(recording->all->targets, k), recording->channel))
		return false;
	recording_note_gil(recording, &k->python.layout);
	return profile_process(sink_profile(recording->sink), &k->info, k->python.version,
			       ret_process) == 0;
}

void recordings_wait(struct recordings *all, const struct plop_record_wait *w)
{
	struct targets *t = all->targets;
	struct target *k = w->head.image ? targets_find(t, w->head.tgid, w->head.image) :
					   targets_find_pid(t, (pid_t)w->head.tgid);

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];
		uint32_t process;

		if (recording_waits_for(recording, k, &process) &&
		    waits_add(recording->waits, w, process,
			      recording->ended_mono ? recording->ended_mono : UINT64_MAX) < 0)
			recording_stop(recording, RECORDING_TOO_LARGE);
	}
}

void recordings_wait_stack(struct recordings *all, struct target *k,
			   const struct symbolized_stack *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];
		uint32_t process;

		if (!recording_waits_for(recording, k, &process))
			continue;
		if (waits_stack(recording->waits, recording->sink, s) < 0)
			recording_stop(recording, RECORDING_TOO_LARGE);
		else
			thread_names_look(recording, k, process, s->stack->tid);
	}
}

static void sleeper_add(const struct plop_sleeper *sleeper, void *ctx)
{
	struct recording *recording = ctx;
	struct targets *t = recording->all->targets;
	uint32_t tgid = PLOP_SLEEPER_TGID(sleeper->key), process;
	struct target *k = sleeper->image ? targets_find(t, tgid, sleeper->image) :
					    targets_find_pid(t, (pid_t)tgid);

	if (recording_waits_for(recording, k, &process))
		waits_sleeping(recording->waits, sleeper, process, recording->ended_mono);
}

static int quiet_process(uint32_t tgid, uint32_t *ret, void *ctx)
{
	struct recording *recording = ctx;
	struct target *k = targets_find_pid(recording->all->targets, (pid_t)tgid);

	return recording_waits_for(recording, k, ret) ? 0 : -ESRCH;
}

void recording_end_waits(struct recording *recording)
{
	if (!recording->waits)
		return;
	sampler_sleepers(recording->all->sampler, sleeper_add, recording);
	if (waits_from_before(recording->waits, recording->sink, quiet_process, recording,
			      recording->ended_mono, &recording->unread) < 0 ||
	    waits_settle(recording->waits, recording->sink, true) < 0)
		log_warning("Out of memory, a recording lacks some time off CPU");
	recording_unwatch(recording);
}
