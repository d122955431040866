/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/mman.h>

#include "plop/places.h"
#include "sampler/private.h"
#include "util/log.h"

/* All of a channel but its events. */
static int channel_prepare(struct sampler *s, uint32_t channel, const struct plop_channel *whom,
			   unsigned int hz, bool tasks)
{
	int fd = bpf_map__fd(s->skel->maps.channels);
	const struct plop *part = NULL;
	struct plop_channel entry = {};

	if (channel > PLOP_MAX_CHANNELS || (channel != PLOP_CHANNEL_ALWAYS && !whom))
		return -EINVAL;
	if (sampler_channel_is_open(s, channel))
		return -EBUSY;
	if (channel != PLOP_CHANNEL_ALWAYS) {
		part = part_skel(s, tasks ? SAMPLER_PART_TASKS : SAMPLER_PART_SETS);
		if (!part)
			return -EINPROGRESS;
	}
	if (whom) {
		entry = *whom;
		entry.budget = (uint16_t)s->charged[channel].budget;
		entry.part = (uint8_t)PLOP_PART_OF(entry.budget);
		entry.uid = s->charged[channel].uid;
		if (bpf_map_update_elem(fd, &channel, &entry, BPF_ANY) < 0)
			return -errno;
	}
	s->events[channel] = (struct events){
		.program = !part ? s->tick :
			   tasks ? part->progs.plop_tick_async :
				   part->progs.plop_tick_chan,
		.cookie = channel,
		.hz = channel == PLOP_CHANNEL_ALWAYS ? (double)hz / s->weight : hz,
		.tasks = tasks,
	};
	return 0;
}

void sampler_channel_charge(struct sampler *s, uint32_t channel, uint32_t budget, uid_t uid)
{
	uint32_t bit = (uint32_t)PLOP_CHANNEL_BIT(channel);

	s->charged[channel].budget = budget;
	s->charged[channel].uid = uid;
	if (budget)
		s->skel->bss->plop_trusted &= ~bit;
	else
		s->skel->bss->plop_trusted |= bit;
}

void sampler_budget_set(struct sampler *s, uint32_t budget, unsigned int rate)
{
	/* places that threads still have are counted on */
	s->budgets[budget].due = 0;
	s->budgets[budget].step = NSEC_PER_SEC / MAX(rate, 1u);
	__atomic_store_n(&s->budgets[budget].lost, 0, __ATOMIC_RELAXED);
}

/* So many eighths of a half, shared by n. */
static struct plop_part part_of(unsigned int eighths, uint32_t n)
{
	return (struct plop_part){ .stacks = (uint16_t)(PLOP_HALF_STACKS / 8 * eighths / n),
				   .frames = (uint16_t)(PLOP_HALF_FRAMES / 8 * eighths / n),
				   .threads = (uint16_t)(PLOP_HALF_THREADS / 8 * eighths / n) };
}

void sampler_users_set(struct sampler *s, uint32_t n)
{
	for (uint32_t i = 1; i <= PLOP_MAX_CHANNELS; i++)
		s->skel->bss->plop_part_most[i] = part_of(PLOP_EIGHTHS_USERS, MAX(n, 1u));
	s->skel->bss->plop_part_most[PLOP_PART_TRUSTED] = part_of(PLOP_EIGHTHS_TRUSTED, 1);
}

uint64_t sampler_budget_lost(struct sampler *s, uint32_t budget)
{
	return __atomic_exchange_n(&s->budgets[budget].lost, 0, __ATOMIC_RELAXED);
}

int sampler_channel_open(struct sampler *s, uint32_t channel, const struct plop_channel *whom,
			 unsigned int hz, bool tasks)
{
	int r = channel_prepare(s, channel, whom, hz, tasks);

	return r < 0 ? r : events_open(s, &s->events[channel]);
}

bool sampler_channel_is_on_threads(const struct sampler *s, uint32_t channel)
{
	return channel <= PLOP_MAX_CHANNELS && s->events[channel].threads;
}

int sampler_channel_open_processes(struct sampler *s, uint32_t channel, const uint32_t *tgids,
				   size_t n, unsigned int hz, bool tasks)
{
	struct plop_channel whom = { .kind = PLOP_CHANNEL_THREADS };
	int r = channel == PLOP_CHANNEL_ALWAYS ? -EINVAL :
						 channel_prepare(s, channel, &whom, hz, tasks);

	if (r < 0)
		return r;
	r = threads_open(s, &s->events[channel], tgids, n);
	if (r >= 0)
		return r;
	log_debug_r(r, "Channel %u is sampled on all CPUs", channel);
	whom.kind = PLOP_CHANNEL_PROCESSES;
	return sampler_channel_open(s, channel, &whom, hz, tasks);
}

int sampler_channel_spread(struct sampler *s, uint32_t channel)
{
	struct plop_channel whom = { .kind = PLOP_CHANNEL_PROCESSES };
	struct events before = s->events[channel];

	if (!sampler_channel_is_on_threads(s, channel))
		return 0;
	events_close(s, &s->events[channel]);
	return sampler_channel_open(s, channel, &whom, before.hz, before.tasks);
}

void sampler_channel_close(struct sampler *s, uint32_t channel)
{
	static const struct plop_channel off;

	if (channel > PLOP_MAX_CHANNELS)
		return;
	events_close(s, &s->events[channel]);
	bpf_map_update_elem(bpf_map__fd(s->skel->maps.channels), &channel, &off, BPF_ANY);
}

bool sampler_channel_is_open(const struct sampler *s, uint32_t channel)
{
	return channel <= PLOP_MAX_CHANNELS &&
	       (s->events[channel].cpus || s->events[channel].threads);
}

int sampler_filter_set(struct sampler *s, uint32_t tgid, const struct plop_filter *w)
{
	int fd = bpf_map__fd(s->skel->maps.filters);

	if (w->ticks | w->off_cpu)
		return bpf_map_update_elem(fd, &tgid, w, BPF_ANY) < 0 ? -errno : 0;
	bpf_map_delete_elem(fd, &tgid);
	return 0;
}

int sampler_filter_read(struct sampler *s, uint32_t tgid, struct plop_filter *ret)
{
	if (bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.filters), &tgid, ret) < 0)
		return -errno;
	return 0;
}

/* Takes a channel's bits from all processes: all of them, or that for new threads alone. */
static void channels_clear(struct sampler *s, uint32_t channel, bool all)
{
	int fd = bpf_map__fd(s->skel->maps.filters);
	uint64_t keep = ~PLOP_CHANNEL_BIT(channel);
	uint32_t key, next;
	struct plop_filter w;
	int r = bpf_map_get_next_key(fd, NULL, &next);

	while (r == 0) {
		key = next;
		/* before this one may be deleted */
		r = bpf_map_get_next_key(fd, &key, &next);
		if (bpf_map_lookup_elem(fd, &key, &w) < 0)
			continue;
		w.threads &= (uint32_t)keep;
		if (all) {
			w.ticks &= keep;
			w.children &= keep;
			w.off_cpu &= (uint32_t)keep;
			w.off_cpu_children &= (uint32_t)keep;
		}
		sampler_filter_set(s, key, &w);
	}
}

void sampler_filter_clear(struct sampler *s, uint32_t channel)
{
	channels_clear(s, channel, true);
}

void channels_unreport(struct sampler *s, uint32_t channel)
{
	channels_clear(s, channel, false);
}

void channels_collect(struct plop_half *half, struct sampler_counters *counters)
{
	for (uint32_t i = 0; i < PLOP_MAX_CHANNELS; i++) {
		struct plop_channel_counters *from = &half->channels[i],
					     *to = &counters->channels[i];

		if (from->ticks == 0)
			continue;
		to->ticks += from->ticks;
		to->other += from->other;
		to->python += from->python;
		to->truncated += from->truncated;
		for (int k = 0; k < PLOP_LOST_CAUSES; k++)
			to->lost[k] += from->lost[k];
		*from = (struct plop_channel_counters){};
	}
}

int sampler_map_budgets(struct sampler *s)
{
	void *p = mmap(NULL, sizeof(*s->budgets) * (PLOP_MAX_CHANNELS + 1), PROT_READ | PROT_WRITE,
		       MAP_SHARED, bpf_map__fd(s->skel->maps.budgets), 0);

	if (p == MAP_FAILED)
		return -errno;
	s->budgets = p;
	return 0;
}

#define SLEEPERS_SIZE (sizeof(struct plop_sleeper) * PLOP_MAX_SLEEPERS)

/* All of it counts as plopd's memory, so it is mapped while it is needed. */
static int sleepers_map(struct sampler *s)
{
	void *p = mmap(NULL, SLEEPERS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(s->skel->maps.sleepers), 0);

	if (p == MAP_FAILED)
		return -errno;
	s->sleepers = p;
	return 0;
}

static void sleepers_unmap(struct sampler *s)
{
	if (s->sleepers)
		munmap(TAKE_PTR(s->sleepers), SLEEPERS_SIZE);
}

void sampler_unmap(struct sampler *s)
{
	sleepers_unmap(s);
	if (s->budgets)
		munmap(s->budgets, sizeof(*s->budgets) * (PLOP_MAX_CHANNELS + 1));
}

static void wall_unlink(struct sampler *s, unsigned int i)
{
	bpf_link__destroy(s->wall_links[i]);
	s->wall_links[i] = NULL;
}

int sampler_watch_off_cpu(struct sampler *s, bool on, bool tasks)
{
	const struct plop *off_cpu = part_skel(s, SAMPLER_PART_WALL),
			  *async = part_skel(s, SAMPLER_PART_TASKS);
	int r;

	if (on && (!off_cpu || (tasks && !async)))
		return -EINPROGRESS;
	/*
	 * one of the two programs that watch switches; what comes between is accounted for as any
	 * switch that is not seen
	 */
	if (!on || s->off_cpu_tasks != tasks)
		wall_unlink(s, 1);
	s->off_cpu_tasks = tasks;
	if (!on) {
		wall_unlink(s, 0);
		sleepers_unmap(s);
		return 0;
	}
	r = s->sleepers ? 0 : sleepers_map(s);
	if (r < 0)
		return r;
	/* who left before the last time ended may have come back unseen since */
	if (!s->wall_links[0]) {
		memset(s->sleepers, 0, SLEEPERS_SIZE);
		for (uint32_t i = 0; i <= PLOP_MAX_CHANNELS; i++)
			s->budgets[i].sleepers = 0;
		s->wall_links[0] = bpf_program__attach(off_cpu->progs.plop_wakeup);
	}
	if (s->wall_links[0] && !s->wall_links[1])
		s->wall_links[1] = bpf_program__attach(tasks ? async->progs.plop_sw_async :
							       off_cpu->progs.plop_switch);
	return s->wall_links[0] && s->wall_links[1] ? 0 : -errno;
}

void sampler_sleepers_sweep(struct sampler *s)
{
	for (uint32_t i = 0; s->sleepers && i < PLOP_MAX_SLEEPERS; i++) {
		struct plop_sleeper *e = &s->sleepers[i];
		uint64_t key = __atomic_load_n(&e->key, __ATOMIC_ACQUIRE);
		struct plop_filter w = {};

		/* the kernel side does not look at the threads of one that is not wanted */
		if (!key || (sampler_filter_read(s, PLOP_SLEEPER_TGID(key), &w) == 0 && w.off_cpu))
			continue;
		if (e->budget && e->budget <= PLOP_MAX_CHANNELS) {
			__atomic_fetch_sub(&s->budgets[e->budget].sleepers, 1, __ATOMIC_RELAXED);
			__atomic_fetch_sub(&s->budgets[0].sleepers, 1, __ATOMIC_RELAXED);
		}
		e->since = e->woken = e->back = 0;
		__atomic_store_n(&e->key, 0, __ATOMIC_RELEASE);
	}
}

void sampler_sleepers(struct sampler *s,
		      void (*each)(const struct plop_sleeper *sleeper, void *ctx), void *ctx)
{
	for (uint32_t i = 0; s->sleepers && i < PLOP_MAX_SLEEPERS; i++) {
		struct plop_sleeper e = s->sleepers[i];

		if (e.key && (e.since || e.woken) && e.key == s->sleepers[i].key)
			each(&e, ctx);
	}
}
