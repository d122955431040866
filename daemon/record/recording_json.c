/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/recording_json.h"

json_t *tally_lost_json(const struct tally *t)
{
	json_t *lost = json_object();

	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		json_object_set_new(lost, tally_lost_name(i), json_integer((json_int_t)t->lost[i]));
	return lost;
}

/* What can be said of the GIL in it: of all it has, of some, of none as they are free-threaded; NULL: it has nothing. */
static const char *gil_word(const struct recording *r)
{
	if (r->gil_known)
		return r->gil_none ? "partly" : "known";
	if (r->gil_none)
		return "none";
	return sink_profile(r->sink)->nprocesses ? "unknown" : NULL;
}

/* What is known of the GIL, and of time off CPU; NULL: out of memory. */
static json_t *states_json(const struct recording *r)
{
	const struct profile *p = sink_profile(r->sink);
	uint64_t ticks[SAMPLE_STATES] = {}, ns[SAMPLE_STATES] = {}, off = 0, on = 0;

	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct profile_sample *s = &p->samples[i];

		ticks[s->state] += s->count;
		ns[s->state] += s->wall_ns;
		on += s->count;
		off += s->wall_ns;
	}
	return json_pack("{s:s? s:I s:I s:I s:f s:f s:f s:f s:f s:I}", "gil", gil_word(r),
			 "gil_held", (json_int_t)ticks[SAMPLE_GIL_HELD], "gil_released",
			 (json_int_t)ticks[SAMPLE_GIL_RELEASED], "gil_untold",
			 (json_int_t)r->gil_untold, "waiting_for_gil_s",
			 (double)ns[SAMPLE_WAITING_GIL] / 1e9, "sleeping_s",
			 (double)ns[SAMPLE_SLEEPING] / 1e9, "runnable_s",
			 (double)ns[SAMPLE_RUNNABLE] / 1e9, "threads_s",
			 (double)off / 1e9 + (double)on / (double)p->hz, "off_cpu_s",
			 (double)ns[SAMPLE_OFF_CPU] / 1e9, "unread", (json_int_t)r->unread);
}

json_t *recording_json(const struct recording *r)
{
	const struct profile *p = sink_profile(r->sink);
	uint64_t now = r->state == RECORDING_DONE ? r->ended_mono : cycle_mono_ns(r->all->cycle);
	double elapsed =
		r->begun_mono && now > r->begun_mono ? (double)(now - r->begun_mono) / 1e9 : 0;

	return json_pack("{s:s s:s s:f s:f s:I s:I s:o s:I s:i s:s? s:b s:o? s:b s:b}", "id", r->id,
			 "state", r->state == RECORDING_DONE ? "done" : "running", "elapsed_s",
			 elapsed, "duration_s", (double)r->duration_ns / 1e9, "samples",
			 (json_int_t)p->samples_total, "ticks", (json_int_t)p->tally.ticks, "lost",
			 tally_lost_json(&p->tally), "lost_total",
			 (json_int_t)tally_lost(&p->tally), "hz", (int)p->hz, "reason",
			 r->state == RECORDING_DONE ? r->reason : NULL, "wall", p->wall, "states",
			 r->state == RECORDING_DONE ? states_json(r) : NULL, "async", r->tasks,
			 "async_possible", r->tasks_possible);
}
