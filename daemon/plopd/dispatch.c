/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/dispatch.h"
#include "record/recording_events.h"
#include "record/recording_tally.h"
#include "record/recording_waits.h"
#include "target/thread_states.h"
#include "target/titles.h"

static void on_review(const struct plop_stack *stack, const struct plop_frame *frames, void *ctx)
{
	struct dispatch *d = ctx;

	naming_want(d->naming, stack, frames, d->cycle->number);
}

static void on_stack(const struct plop_stack *stack, const struct plop_frame *frames, void *ctx)
{
	struct dispatch *d = ctx;

	stacks_take(d->stacks, stack, frames);
}

static void on_code(const struct plop_record_code *r, void *ctx)
{
	struct dispatch *d = ctx;

	naming_code(d->naming, r);
}

static void on_task(const struct plop_record_task *r, void *ctx)
{
	struct dispatch *d = ctx;
	struct target *k = targets_find(d->targets, r->head.tgid, r->head.image);

	if (!k || !k->codes)
		return;
	code_table_limit(k->codes, PLOP_MAX_CODE_BYTES);
	code_table_task(k->codes, r);
}

static void on_state(const struct plop_record_state *r, void *ctx)
{
	struct dispatch *d = ctx;

	targets_state(d->targets, r);
}

static void on_process(const struct plop_record *r, void *ctx)
{
	struct dispatch *d = ctx;
	struct target *k;

	switch (r->type) {
	case PLOP_RECORD_EXEC:
		/* exec replaced whatever this pid was before */
		while ((k = targets_find_pid(d->targets, (pid_t)r->tgid)) &&
		       k->key.image != r->image)
			targets_end(d->targets, r->tgid, k->key.image);
		targets_exec(d->targets, (const struct plop_record_exec *)r);
		/* a program that nobody may dump has lost them (begin_new_exec(), fs/exec.c) */
		recordings_thread(d->recordings, r->tgid, true);
		break;
	case PLOP_RECORD_THREAD:
		recordings_thread(d->recordings, r->tgid, false);
		break;
	case PLOP_RECORD_CHECK:
		targets_ticked(d->targets, r->tgid, r->image);
		break;
	case PLOP_RECORD_EXIT:
		targets_end(d->targets, r->tgid, r->image);
		break;
	case PLOP_RECORD_RENAME:
		title_renamed(d->targets, r->tgid, r->image);
		break;
	default:
		break;
	}
}

static void on_fork(const struct plop_record_fork *r, void *ctx)
{
	struct dispatch *d = ctx;

	targets_fork(d->targets, r);
}

static void on_wait(const struct plop_record_wait *r, void *ctx)
{
	struct dispatch *d = ctx;

	recordings_wait(d->recordings, r);
}

static void on_loss(const struct plop_loss *loss, void *ctx)
{
	struct dispatch *d = ctx;

	recordings_loss(d->recordings, loss);
}

static void on_pressure(void *ctx)
{
	struct dispatch *d = ctx;

	cycle_ask(d->cycle);
}

static void on_spread(uint32_t channel, void *ctx)
{
	struct dispatch *d = ctx;

	recordings_spread(d->recordings, channel);
}

static void on_loaded(unsigned int parts, int r, void *ctx)
{
	struct dispatch *d = ctx;

	recordings_loaded(d->recordings, parts, r);
}

struct sampler_handlers dispatch_handlers(struct dispatch *d)
{
	return (struct sampler_handlers){
		.review = on_review,
		.stack = on_stack,
		.loss = on_loss,
		.code = on_code,
		.task = on_task,
		.process = on_process,
		.fork = on_fork,
		.state = on_state,
		.pressure = on_pressure,
		.spread = on_spread,
		.loaded = on_loaded,
		.wait = on_wait,
		.ctx = d,
	};
}
