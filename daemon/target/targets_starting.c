/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/targets_starting.h"
#include "target/silence.h"
#include "target/targets_pending.h"
#include "util/log.h"

/*
 * How soon one is looked at again: the longer it has been starting, the more seldom. Most are up by
 * the first time; what never is, as a program that is only linked to a libpython, costs a look now
 * and then.
 */
#define AGAIN_FIRST_NS (250 * NSEC_PER_MSEC)
#define AGAIN_NS       NSEC_PER_SEC
#define AGAIN_LAST_NS  (16 * NSEC_PER_SEC)
#define MINUTE_NS      (60 * NSEC_PER_SEC)
/* Of all processes, as many a second at most because of ticks. */
#define TICK_LOOKS_MAX 16

bool target_is_starting(const struct target *k)
{
	return k->python.starting && !k->dying;
}

static void look_later(struct targets *t, const struct target *k)
{
	uint64_t now = cycle_mono_ns(t->cycle), since = now - k->starting_ns;
	uint64_t wait = since >= MINUTE_NS      ? AGAIN_LAST_NS :
			since >= AGAIN_FIRST_NS ? AGAIN_NS :
						  AGAIN_FIRST_NS;

	targets_ask_together(t, &k->key, now + wait);
}

void target_starts(struct targets *t, struct target *k)
{
	if (!k)
		return;
	if (!k->starting_ns)
		k->starting_ns = cycle_mono_ns(t->cycle);
	k->python.starting = true;
	look_later(t, k);
}

void target_not_up(struct targets *t, struct target *k)
{
	uint64_t now;

	if (k->dying)
		return;
	if (!k->python.starting) {
		target_starts(t, k);
		return;
	}
	/* one that works is looked at each second, however long it has been starting */
	now = cycle_mono_ns(t->cycle);
	if (now - k->starting_ns < MINUTE_NS || now - k->tick_look_ns < AGAIN_NS ||
	    !target_may_be_asked(t, k))
		return;
	if (now - t->tick_looks_ns >= AGAIN_NS) {
		t->tick_looks_ns = now;
		t->tick_looks = 0;
	}
	if (t->tick_looks++ >= TICK_LOOKS_MAX)
		return;
	k->tick_look_ns = now;
	targets_ask_again(t, &k->key, now);
}

unsigned int target_minutes_starting(const struct targets *t, const struct target *k)
{
	if (!k->python.starting || !k->starting_ns)
		return 0;
	return (unsigned int)((cycle_mono_ns(t->cycle) - k->starting_ns) / MINUTE_NS);
}

/*
 * Another interpreter is the one that counts: tells the kernel. No frame of the former was ever
 * seen.
 */
static int target_become(struct targets *t, struct target *k, const struct python_process *python)
{
	struct plop_process p = { .image = k->key.image, .runtime = python->runtime };
	struct code_table *codes = NULL;
	uint32_t layout = 0;
	int r = 0;

	p.state = PLOP_STATE_UNSUPPORTED;
	if (python->verdict == PYTHON_YES) {
		r = code_table_new(&python->layout, &codes);
		if (r == 0)
			code_table_share(codes, &t->code_pool);
		if (r == 0)
			r = sampler_layout_add(t->sampler, &python->layout,
					       targets_layout_user(t, k->user), &layout);
		p.layout = (uint16_t)layout;
		p.state = PLOP_STATE_PROFILED;
	}
	if (r == 0)
		r = sampler_process_set(t->sampler, k->key.tgid, &p);
	if (r < 0) {
		code_table_free(codes);
		return r;
	}
	if (codes)
		sampler_layout_use(t->sampler, layout, true);
	if (k->codes)
		sampler_layout_use(t->sampler, k->layout, false);
	code_table_free(k->codes);
	k->codes = codes;
	k->layout = layout;
	k->nlacking = 0;
	k->async = TARGET_ASYNC_UNKNOWN;
	k->async_due_ns = 0;
	k->python = *python;
	return 0;
}

static bool is_another(const struct python_process *a, const struct python_process *b)
{
	return a->verdict != b->verdict || a->runtime != b->runtime ||
	       memcmp(&a->layout, &b->layout, sizeof(a->layout)) != 0;
}

bool target_was_none(const struct target *k, int r, const struct python_process *python)
{
	return r >= 0 && k->python.verdict == PYTHON_UNSUPPORTED && python->verdict == PYTHON_NO;
}

void target_arrived(const struct targets *t, struct target *k)
{
	struct plop_process p;

	if (k->codes && !k->python.runtime &&
	    sampler_process_read(t->sampler, k->key.tgid, k->key.image, &p) == 0 &&
	    p.state == PLOP_STATE_PROFILED)
		k->python.runtime = p.runtime;
}

void target_looked_at(struct targets *t, struct target *k, int r,
		      const struct python_process *python)
{
	bool told = r >= 0 &&
		    (python->verdict == PYTHON_YES || python->verdict == PYTHON_UNSUPPORTED ||
		     python->verdict == PYTHON_PYPY);

	/* one that does not let itself be read is left alone, as for any other question */
	if (r == -ETIMEDOUT || r == -EBUSY) {
		target_heard(t, k, r);
		targets_ask_again(t, &k->key, k->silence.until_ns);
		return;
	}
	target_arrived(t, k);
	if (told && !is_another(&k->python, python)) {
		k->python.starting = python->starting;
	} else if (told) {
		r = target_become(t, k, python);
		if (r < 0)
			log_debug_r(r, "Cannot profile another interpreter of process %u",
				    k->key.tgid);
	}
	if (k->python.starting) {
		look_later(t, k);
		return;
	}
	k->starting_ns = 0;
	targets_forget_pending(t, &k->key);
}
