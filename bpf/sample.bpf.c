// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The tick. Filter first, walk second: a tick on anything but a profiled process costs two
 * look-ups. Each tick ends in exactly one of the counters python, other, lost[cause].
 */
#include "launched.bpf.h"
#include "tick.bpf.h"

const volatile __u32 plop_ncpus = 1;
const volatile __u32 plop_max_depth = PLOP_MAX_DEPTH;
const volatile __u64 plop_seed = 0;
volatile __u32 plop_active = 0;
volatile __u64 plop_quiet[PLOP_USER_PLACES / 64] = {};
volatile __u32 plop_seconds = 0;
volatile __u32 plop_trusted = 0;
volatile struct plop_part plop_part_most[PLOP_PARTS] = {};
volatile __u64 plop_states_woken = 0;

static __always_inline void lose(struct plop_half *half, __u32 tgid, __u32 cause)
{
	__u32 first = plop_mix(tgid);

	if (cause >= PLOP_LOST_CAUSES)
		return;
	half->counters[PLOP_C_LOST + cause]++;
	for (__u32 i = 0; i < PLOP_LOSS_PROBES; i++) {
		struct plop_loss *l = &half->losses[(first + i) & (PLOP_HALF_LOSSES - 1)];

		if (l->tgid == 0)
			l->tgid = tgid;
		if (l->tgid == tgid) {
			l->lost[cause]++;
			return;
		}
	}
}

/* Has plopd look at a process that no interpreter was found in yet, ever more seldom. */
static __always_inline void process_ask(struct plop_process *p, __u32 tgid)
{
	__u64 now = bpf_ktime_get_ns();

	/* what it is is known already */
	if (p->state == PLOP_STATE_LAUNCHED || now - p->asked <= p->wait)
		return;
	p->asked = now;
	if (p->wait < PLOP_WAIT_LAST_NS)
		p->wait *= 4;
	record_send(PLOP_RECORD_CHECK, tgid, p->image, BPF_RB_FORCE_WAKEUP);
}

static __always_inline int tick(bool use_loop)
{
	__u64 began = 0, pid_tgid = bpf_get_current_pid_tgid();
	__u32 n = bpf_get_smp_processor_id(), tgid = pid_tgid >> 32;
	struct plop_process *p;
	struct plop_half *half;
	struct plop_cpu *cpu;
	long lost = 0;

	cpu = bpf_map_lookup_elem(&cpus, &n);
	if (!cpu)
		return 0;
	/* reading the clock twice costs as much as ten frames: one tick in eight stands for all */
	if ((cpu->entered & 7) == 0)
		began = bpf_ktime_get_ns();
	cpu->entered++;
	/* user space takes a half only when entered == left, so this order is all that is needed */
	half = &cpu->half[PLOP_HALF_FILLING(plop_active)];
	half->counters[PLOP_C_TICKS]++;
	if (cpu->last_tgid == tgid && tgid && cpu->last_changes == plop_changes) {
		p = &cpu->last;
	} else {
		__u64 changes = plop_changes;

		p = tgid ? bpf_map_lookup_elem(&processes, &tgid) : NULL;
		/* one whose entry is not written to any more */
		if (p && p->state == PLOP_STATE_PROFILED && p->mm) {
			cpu->last = *p;
			cpu->last_changes = changes;
			cpu->last_tgid = tgid;
		}
	}
	if (use_loop && p && p->state == PLOP_STATE_LAUNCHED)
		launch_arrive(tgid);
	if (!p) {
		half->counters[PLOP_C_OTHER]++;
	} else if (p->state == PLOP_STATE_PROFILED) {
		if (cpu->still) {
			cpu->still = 0;
			record_send(PLOP_RECORD_PERIOD, n, 0, BPF_RB_FORCE_WAKEUP);
		}
		lost = python_tick(cpu, half, p, pid_tgid, PLOP_CHANNEL_ALWAYS, PLOP_PART_ALWAYS,
				   false, &half->counters[PLOP_C_TRUNCATED], use_loop, false);
		if (lost)
			lose(half, tgid, lost - 1);
		else
			half->counters[PLOP_C_PYTHON]++;
		if (began) {
			half->counters[PLOP_C_BPF_NS] += bpf_ktime_get_ns() - began;
			half->counters[PLOP_C_BPF_TIMED]++;
		}
	} else if (p->state == PLOP_STATE_NEW || p->state == PLOP_STATE_LAUNCHED) {
		half->counters[PLOP_C_OTHER]++;
		process_ask(p, tgid);
	} else {
		lose(half, tgid, PLOP_LOST_UNSUPPORTED);
	}
	cpu->left++;
	return 0;
}

SEC("perf_event")
int plop_tick(struct bpf_perf_event_data *ctx)
{
	return tick(true);
}

/* For kernels without bpf_loop(): only the innermost PLOP_BOUNDED_DEPTH frames. */
SEC("perf_event")
int plop_tick_bound(struct bpf_perf_event_data *ctx)
{
	return tick(false);
}

/* Whether a tick of a recording's channel, landing on this process, is for it. */
static __always_inline bool channel_wants(const struct plop_channel *s, __u32 channel, __u32 tgid)
{
	struct plop_filter *w;

	switch (s->kind) {
	case PLOP_CHANNEL_ALL:
	case PLOP_CHANNEL_THREADS:
		return true;
	case PLOP_CHANNEL_PROCESSES:
		w = bpf_map_lookup_elem(&filters, &tgid);
		return w && PLOP_CHANNEL_IS_IN(w->ticks, channel);
	case PLOP_CHANNEL_CGROUP:
		return bpf_get_current_ancestor_cgroup_id(s->level) == s->cgroup;
	default:
		return false;
	}
}

/*
 * Nothing of others' processes is looked at for a user: it would take his share, and he would be
 * told of its losses.
 */
static __always_inline bool channel_may(const struct plop_channel *s)
{
	return !s->budget || s->uid == (__u32)bpf_get_current_uid_gid();
}

/*
 * A tick of a recording with events of its own; the channel is the event's cookie, or told by its
 * period. Filtered before anything of the process is read; accounted for in the channel's own
 * counters.
 */
static __always_inline int tick_channel(struct bpf_perf_event_data *ctx, bool tasks)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 n = bpf_get_smp_processor_id(), tgid = pid_tgid >> 32;
	__u32 channel = bpf_get_attach_cookie(ctx);
	struct plop_channel_counters *c;
	struct plop_process *p;
	struct plop_half *half;
	struct plop_channel *s;
	struct plop_cpu *cpu;
	__u64 began = 0;
	long lost;

	if (!channel)
		channel = ctx->sample_period & PLOP_PERIOD_CHANNEL;
	cpu = bpf_map_lookup_elem(&cpus, &n);
	s = bpf_map_lookup_elem(&channels, &channel);
	if (!cpu || !s || channel < 1 || channel > PLOP_MAX_CHANNELS)
		return 0;
	if ((cpu->entered & 7) == 0)
		began = bpf_ktime_get_ns();
	cpu->entered++;
	half = &cpu->half[PLOP_HALF_FILLING(plop_active)];
	/* masked for the verifier */
	c = &half->channels[PLOP_CHANNEL_PLACE(channel) & (PLOP_MAX_CHANNELS - 1)];
	c->ticks++;
	p = tgid && channel_may(s) && channel_wants(s, channel, tgid) ?
		    bpf_map_lookup_elem(&processes, &tgid) :
		    NULL;
	if (p && p->state == PLOP_STATE_LAUNCHED)
		launch_arrive(tgid);
	if (!p) {
		c->other++;
	} else if (p->state == PLOP_STATE_PROFILED && !budget_take(s->budget, false)) {
		c->lost[PLOP_LOST_RATE]++;
	} else if (p->state == PLOP_STATE_PROFILED) {
		lost = python_tick(cpu, half, p, pid_tgid, channel, s->part, true, &c->truncated,
				   true, tasks);
		if (lost > 0 && lost <= PLOP_LOST_CAUSES)
			c->lost[lost - 1]++;
		else
			c->python++;
		if (began) {
			half->counters[PLOP_C_BPF_NS] += bpf_ktime_get_ns() - began;
			half->counters[PLOP_C_BPF_TIMED]++;
		}
	} else if (p->state == PLOP_STATE_NEW || p->state == PLOP_STATE_LAUNCHED) {
		c->other++;
		process_ask(p, tgid);
	} else {
		c->lost[PLOP_LOST_UNSUPPORTED]++;
	}
	cpu->left++;
	return 0;
}

SEC("perf_event")
int plop_tick_chan(struct bpf_perf_event_data *ctx)
{
	return tick_channel(ctx, false);
}

/* Of a recording that wants to know of asyncio tasks. */
SEC("?perf_event")
int plop_tick_async(struct bpf_perf_event_data *ctx)
{
	return tick_channel(ctx, true);
}

/*
 * Not a tick: run by user space, to set plop_process.async where the process still is the same
 * image.
 */
SEC("?syscall")
int plop_assign(struct plop_async_assign *ctx)
{
	__u32 tgid = ctx->tgid;
	struct plop_process *p = bpf_map_lookup_elem(&processes, &tgid);

	if (!p || p->image != ctx->image)
		return 1;
	p->async = ctx->async;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
