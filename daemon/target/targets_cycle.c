/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/targets_cycle.h"
#include "target/labels.h"
#include "target/shares.h"
#include "target/titles.h"
#include "util/loop_timing.h"

#define SWEEP_NS      (30 * NSEC_PER_SEC)
#define CPU_MEMORY_NS (10 * NSEC_PER_SEC)
/* Code objects that are given up between two looks at the clock, and for how long. */
#define REAPED_AT_ONCE 64
#define REAPED_NS      (2 * NSEC_PER_MSEC)

/* How soon, and how seldom at last, it is asked whether one that began as root's still is. */
#define USER_FIRST_NS (1 * NSEC_PER_SEC)
#define USER_LAST_NS  (16 * NSEC_PER_SEC)

struct loosening {
	struct targets *targets;
	struct target *target;
};

static void target_loosen(uint64_t address, void *ctx)
{
	struct loosening *o = ctx;

	sampler_code_loosen(o->targets->sampler, o->target->key.image, address);
}

void targets_confirm(struct targets *t)
{
	struct target *k, *next;

	HASH_ITER(hh, t->all, k, next)
	{
		struct loosening o = { t, k };
		struct replay replay;
		const struct reader memory = readings_of_confirmation(k->readings, &replay);
		bool gone = !k->readings && (k->dying || k->code_gone);
		uint64_t began;

		if (!k->codes)
			continue;
		began = cycle_mono_ns(t->cycle);
		code_table_confirm(k->codes, gone ? NULL : &memory, k->python.runtime,
				   target_loosen, &o);
		effort_spend_since(&t->effort, k->user, began, EFFORT_CONFIRM_NS);
	}
}

/*
 * Keeps the code objects of the whole host bounded: the processes with more than their share
 * forget.
 */
static void targets_trim(struct targets *t)
{
	struct target *k, *next;
	size_t all = t->code_pool.name_bytes + t->code_pool.line_bytes, share;

	HASH_ITER(hh, t->all, k, next)
	{
		if (k->codes)
			all += code_table_own_bytes(k->codes);
	}
	/* what has been forgotten counts until it is gone */
	if (all <= PLOP_MAX_CODE_BYTES || t->code_pool.waste)
		return;
	share = PLOP_MAX_CODE_BYTES / (HASH_COUNT(t->all) + 1);
	HASH_ITER(hh, t->all, k, next)
	{
		if (k->codes)
			code_table_limit(k->codes, share);
	}
}

int targets_reap(sd_event_source *s, void *ctx)
{
	struct targets *t = ctx;
	uint64_t until = cycle_mono_ns(t->cycle) + REAPED_NS;

	loop_part("code that is forgotten");
	while (code_pool_reap(&t->code_pool, REAPED_AT_ONCE)) {
		if (cycle_mono_ns(t->cycle) >= until)
			return 0;
	}
	return sd_event_source_set_enabled(s, SD_EVENT_OFF);
}

/*
 * The record of an end is lost when the ring buffer is full: what the kernel's table does not have
 * any more has ended.
 */
static void targets_sweep(struct targets *t)
{
	struct target *k, *next;
	uint64_t image;

	HASH_ITER(hh_pid, t->living, k, next)
	{
		int r = sampler_process_image(t->sampler, k->key.tgid, &image);

		if (r == -ESRCH || (r == 0 && image != k->key.image))
			targets_end(t, k->key.tgid, k->key.image);
	}
}

uint32_t targets_off_cpu(struct targets *t, struct target *k)
{
	struct plop_filter w = {};

	if (k->off_cpu_asked != t->off_cpu_changes + 1) {
		/* of one that ended, what it was last */
		if (sampler_filter_read(t->sampler, k->key.tgid, &w) == 0)
			k->off_cpu = w.off_cpu;
		k->off_cpu_asked = t->off_cpu_changes + 1;
	}
	return k->off_cpu;
}

/*
 * One that root started, or forked, may have become a user's since, by setuid(): from then on it is
 * held to that user's shares. Others cannot change whose they are. Only those that use CPU take
 * anything of what is shared.
 */
static void target_user_again(struct targets *t, struct target *k)
{
	uint64_t now = cycle_mono_ns(t->cycle);
	uid_t user;

	if (k->samples_cycle == 0 || k->dying || now < k->user_due_ns ||
	    !shares_is_trusted(t->shares, k->user))
		return;
	/* of one that was looked at since it executed its program this was asked then */
	if (!k->user_due_ns && k->info.made == PROCESS_EXECUTED &&
	    now - k->key.image < USER_FIRST_NS)
		return;
	k->user_wait_ns = k->user_wait_ns ? MIN(2 * k->user_wait_ns, USER_LAST_NS) : USER_FIRST_NS;
	k->user_due_ns = now + k->user_wait_ns;
	if (process_user((pid_t)k->key.tgid, &user) == 0)
		k->user = shares_user(t->shares, user);
}

void targets_cycle(struct targets *t, uint64_t elapsed_ns, unsigned int hz)
{
	struct target *k, *next;

	t->off_cpu_changes++;
	sampler_quiet_begin(t->sampler);
	HASH_ITER(hh, t->all, k, next)
	{
		target_user_again(t, k);
		if (k->codes && k->samples_cycle > 0 && !effort_is_left(&t->effort, k->user))
			sampler_quiet_add(t->sampler, k->key.tgid, k->key.image);
		if (elapsed_ns > 0) {
			double now =
				100.0 * (double)k->samples_cycle / hz / ((double)elapsed_ns / 1e9);
			/*
			 * about ten seconds' memory, whatever the cycles' length; the mean of all
			 * while there is less
			 */
			double weight;

			k->counted_ns += elapsed_ns;
			weight = (double)elapsed_ns / (double)MIN(k->counted_ns, CPU_MEMORY_NS);
			k->cpu_percent += MIN(1.0, weight) * (now - k->cpu_percent);
			k->samples_cycle = 0;
		}
		readings_free(TAKE_PTR(k->readings));
		k->code_gone = false;
		if (k->dying && --k->dying == 0) {
			HASH_DEL(t->all, k);
			if (k->codes)
				sampler_layout_use(t->sampler, k->layout, false);
			target_free(k);
		}
	}
	sampler_quiet_end(t->sampler);
	targets_trim(t);
	if (t->code_pool.waste)
		sd_event_source_set_enabled(t->reap, SD_EVENT_ON);
	labels_cycle(t);
	launches_cycle(&t->launches, t->sampler, cycle_mono_ns(t->cycle));
	titles_look(t);
	t->unswept_ns += elapsed_ns;
	if (t->unswept_ns >= SWEEP_NS) {
		t->unswept_ns = 0;
		targets_sweep(t);
	}
}
