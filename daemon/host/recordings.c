/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/manager.h"
#include "util/clock.h"

void recordings_init(struct recordings *all, struct manager *m)
{
	*all = (struct recordings){ .manager = m };
}

void recording_drop(struct recording *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->all->items); i++) {
		if (r->all->items[i] == r)
			r->all->items[i] = NULL;
	}
	sd_event_source_disable_unref(r->timer);
	selectors_done(&r->selectors);
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

/* A free place; an ended recording whose time is over, else the oldest ended one, makes room. */
static struct recording **recordings_place(struct recordings *all)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct recording *oldest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (r && r->state == RECORDING_DONE && r->keep_until < now)
			recording_drop(r);
		r = all->items[i];
		if (r && r->state == RECORDING_DONE &&
		    (!oldest || r->keep_until < oldest->keep_until))
			oldest = r;
	}
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
			if (!all->items[i])
				return &all->items[i];
		}
		if (oldest)
			recording_drop(oldest);
	}
	return NULL;
}

static int recording_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	recording_stop(ctx, "elapsed");
	return 0;
}

int recordings_start(struct recordings *all, struct selectors *s, uint64_t duration_ns,
		     struct recording **ret)
{
	struct manager *m = all->manager;
	struct recording **place, *r;
	int k;

	if (recordings_running(all) >= RECORDINGS_MAX)
		return -EBUSY;
	place = recordings_place(all);
	if (!place)
		return -EBUSY;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->all = all;
	r->duration_ns = duration_ns;
	k = sink_new(clock_ns(CLOCK_REALTIME), (uint32_t)m->config->hz, &r->sink);
	if (k < 0) {
		recording_drop(r);
		return k;
	}
	snprintf(r->id, sizeof(r->id), "r%llu", (unsigned long long)++all->next_id);
	r->selectors = *s;
	*s = (struct selectors){};
	for (size_t i = 0; i < r->selectors.n; i++)
		r->has_pids |= streq(r->selectors.items[i].key, "pid");
	*place = r;
	r->cycle = manager_cycle(m);
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

void recording_stop(struct recording *r, const char *reason)
{
	if (r->state == RECORDING_STOPPING || r->state == RECORDING_DONE)
		return;
	r->reason = reason;
	r->state = RECORDING_STOPPING;
	r->cycle = manager_cycle(r->all->manager);
}

void recordings_add(struct recordings *all, struct target *k, const struct symbolized_stack *s)
{
	struct profile_process process = { .info = k->info, .python = k->python.version };

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];
		uint32_t n;

		/* one that stops has its ticks up to its last swap; one that waits begins with the next */
		if (!r || (r->state != RECORDING_RUNNING && r->state != RECORDING_STOPPING) ||
		    !r->begun_mono)
			continue;
		if (!selectors_match(&r->selectors, &process, s->stack->tid))
			continue;
		if (profile_process(sink_profile(r->sink), &k->info, k->python.version, &n) < 0 ||
		    sink_add(r->sink, n, s) < 0)
			sink_profile(r->sink)->tally.lost[PLOP_LOST_DRAIN] += s->stack->count;
	}
}

/* Whether any process that the recording was asked for is still there. */
static bool recording_alive(const struct recording *r)
{
	for (size_t i = 0; i < r->selectors.n; i++) {
		pid_t pid = (pid_t)strtol(r->selectors.items[i].value, NULL, 10);

		if (streq(r->selectors.items[i].key, "pid") &&
		    targets_find_pid(&r->all->manager->targets, pid))
			return true;
	}
	return false;
}

static void recording_begin(struct recording *r)
{
	const struct manager *m = r->all->manager;

	r->state = RECORDING_RUNNING;
	r->begun_mono = m->swapped_mono;
	sink_profile(r->sink)->start_ns = m->swapped_ns;
	/* its length counts from the swap, which lies a moment back */
	if (sd_event_add_time_relative(m->loop, &r->timer, CLOCK_MONOTONIC, r->duration_ns / 1000,
				       1000, recording_due, r) < 0)
		recording_stop(r, "stopped");
}

static void recording_end(struct recording *r)
{
	struct profile *p = sink_profile(r->sink);

	r->state = RECORDING_DONE;
	r->ended_mono = r->all->manager->swapped_mono;
	p->end_ns = MAX(p->end_ns, p->start_ns + 1);
	r->keep_until = clock_ns(CLOCK_MONOTONIC) + RECORDINGS_KEEP_NS;
	r->timer = sd_event_source_disable_unref(r->timer);
	if (r->done)
		r->done(r, r->ctx);
}

void recordings_cycle(struct recordings *all, uint64_t cycle, const struct tally *t)
{
	uint64_t swapped_mono = all->manager->swapped_mono;

	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *r = all->items[i];

		if (!r)
			continue;
		if (r->state == RECORDING_DONE) {
			if (r->keep_until < swapped_mono)
				recording_drop(r);
			continue;
		}
		if (r->begun_mono) {
			struct profile *p = sink_profile(r->sink);

			/* by the monotonic clock: its length is true whoever sets the clock */
			tally_add(&p->tally, t);
			p->end_ns = p->start_ns + (swapped_mono - r->begun_mono);
		}
		if (r->state == RECORDING_WAITING && cycle >= r->cycle)
			recording_begin(r);
		else if (r->state == RECORDING_STOPPING && cycle >= r->cycle)
			recording_end(r);
		else if (r->state == RECORDING_RUNNING && r->has_pids && !recording_alive(r))
			recording_stop(r, "target ended");
		else if (r->state == RECORDING_RUNNING &&
			 profile_bytes(sink_profile(r->sink)) > RECORDING_BYTES_MAX)
			recording_stop(r, "too large");
	}
}

json_t *recording_json(const struct recording *r)
{
	const struct profile *p = sink_profile(r->sink);
	uint64_t now = r->state == RECORDING_DONE ? r->ended_mono : clock_ns(CLOCK_MONOTONIC);
	double elapsed =
		r->begun_mono && now > r->begun_mono ? (double)(now - r->begun_mono) / 1e9 : 0;

	return json_pack("{s:s s:s s:f s:f s:I s:I s:o s:I s:i s:s?}", "id", r->id, "state",
			 r->state == RECORDING_DONE ? "done" : "running", "elapsed_s", elapsed,
			 "duration_s", (double)r->duration_ns / 1e9, "samples",
			 (json_int_t)p->samples_total, "ticks", (json_int_t)p->tally.ticks, "lost",
			 tally_lost_json(&p->tally), "lost_total",
			 (json_int_t)tally_lost(&p->tally), "hz", (int)p->hz, "reason",
			 r->state == RECORDING_DONE ? r->reason : NULL);
}
