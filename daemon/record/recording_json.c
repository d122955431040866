/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_json.h"
#include "record/recording_tally.h"

/*
 * What can be said of the GIL in it: of all it has, of some, of none as they are free-threaded;
 * NULL: it has nothing.
 */
static const char *gil_word(const struct recording *recording)
{
	if (recording->gil_known)
		return recording->gil_none ? "partly" : "known";
	if (recording->gil_none)
		return "none";
	return sink_profile(recording->sink)->nprocesses ? "unknown" : NULL;
}

/* What is known of the GIL, and of time off CPU. */
static void put_states(struct json_writer *w, const struct recording *recording)
{
	const struct profile *p = sink_profile(recording->sink);
	uint64_t ticks[SAMPLE_STATES] = {}, ns[SAMPLE_STATES] = {}, off = 0, on = 0;

	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct profile_sample *s = &p->samples[i];

		ticks[s->state] += s->count;
		ns[s->state] += s->off_cpu_ns;
		on += s->count;
		off += s->off_cpu_ns;
	}
	json_put_object(w, "states");
	json_put_string(w, "gil", gil_word(recording));
	json_put_uint(w, "gil_held", ticks[SAMPLE_GIL_HELD]);
	json_put_uint(w, "gil_released", ticks[SAMPLE_GIL_RELEASED]);
	json_put_uint(w, "gil_untold", recording->gil_untold);
	json_put_seconds(w, "waiting_for_gil_s", (int64_t)ns[SAMPLE_WAITING_GIL]);
	json_put_seconds(w, "sleeping_s", (int64_t)ns[SAMPLE_SLEEPING]);
	json_put_seconds(w, "runnable_s", (int64_t)ns[SAMPLE_RUNNABLE]);
	json_put_real(w, "threads_s", (double)off / 1e9 + (double)on / (double)p->hz);
	json_put_seconds(w, "off_cpu_s", (int64_t)ns[SAMPLE_OFF_CPU]);
	json_put_uint(w, "unread", recording->unread);
	json_put_end(w);
}

/* What is wrong with its rate; null: nothing is. */
static void put_rate(struct json_writer *w, const struct recording *recording)
{
	double part = throttling_part(&recording->throttling, &recording->throttling_before);
	char text[THROTTLING_TEXT_MAX];
	bool said =
		throttling_say(sink_profile(recording->sink)->hz, throttling_most(), part, text);

	json_put_string(w, "rate_note", said ? text : NULL);
}

/* What it is, whoever asks when. */
static void put_identity(struct json_writer *w, const struct recording *recording, bool kept)
{
	const struct profile *p = sink_profile(recording->sink);

	json_put_string(w, "id", recording->id);
	json_put_string(w, "name", recording->name);
	json_put_bool(w, "kept", kept);
	json_put_string(w, "not_kept", recording->not_kept);
	json_put_string(w, "target", recording->target);
	json_put_string(w, "why", recording->why);
	json_put_uint(w, "uid", recording->maker);
	json_put_object(w, "labels");
	for (size_t i = 0; i < p->labels.n; i++)
		json_put_string(w, p->labels.items[i].key, p->labels.items[i].value);
	json_put_end(w);
	if (recording->begun_mono)
		json_put_seconds(w, "start", (int64_t)p->start_ns);
	else
		json_put_null(w, "start");
}

/* done: it has ended; kept: it is saved, by the time that somebody is told this. */
static void put(struct json_writer *w, const struct recording *recording, const struct buf *skipped,
		bool done, bool kept)
{
	const struct profile *p = sink_profile(recording->sink);
	struct tally t = recording_tally_now(recording);
	uint64_t now = done ? recording->ended_mono : cycle_mono_ns(recording->all->cycle);
	uint64_t elapsed = recording->begun_mono && now > recording->begun_mono ?
				   now - recording->begun_mono :
				   0;

	json_put_object(w, NULL);
	put_identity(w, recording, kept);
	json_put_string(w, "state", done ? "done" : "running");
	json_put_seconds(w, "elapsed_s", (int64_t)elapsed);
	json_put_seconds(w, "duration_s", (int64_t)recording->duration_ns);
	json_put_uint(w, "samples", p->samples_total);
	json_put_uint(w, "ticks", t.ticks);
	tally_put_lost(w, "lost", &t);
	json_put_uint(w, "lost_total", tally_lost(&t));
	json_put_uint(w, "hz", p->hz);
	put_rate(w, recording);
	json_put_string(w, "reason", done ? recording_reason_name(recording->reason) : NULL);
	json_put_bool(w, "wall", p->off_cpu);
	if (done)
		put_states(w, recording);
	else
		json_put_null(w, "states");
	json_put_bool(w, "async", recording->tasks);
	json_put_bool(w, "async_possible", recording->tasks_possible);
	if (skipped && skipped->size)
		json_put_elements(w, "skipped", skipped);
	json_put_end(w);
}

void recording_put(struct json_writer *w, const struct recording *recording,
		   const struct buf *skipped)
{
	put(w, recording, skipped, recording->state == RECORDING_DONE, false);
}

void recording_put_kept(struct json_writer *w, const struct recording *recording)
{
	put(w, recording, NULL, true, true);
}
