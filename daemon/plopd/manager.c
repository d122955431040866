/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#include "plopd/listen.h"
#include "plopd/manager.h"
#include "util/clock.h"
#include "util/log.h"

#define BEAT_USEC USEC_PER_SEC
/* Somebody who just started plopd waits for the first samples. */
#define BEAT_FIRST_USEC (30 * USEC_PER_MSEC)
#define BEAT_FIRST_NS   (3 * NSEC_PER_SEC)
/* From the swap to the first attempt to collect: longer than any tick takes. */
#define STEP_USEC       (2 * USEC_PER_MSEC)
#define STEP_AGAIN_USEC USEC_PER_MSEC
/* How long plopd takes at most to collect what was sampled when it is told to end. */
#define LAST_USEC (5 * USEC_PER_SEC)
/* ... and, when it begins, to look at the processes that are there. */
#define SCAN_NS (3 * NSEC_PER_SEC)

static int timer_set(sd_event_source *s, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(s, usec);

	return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static void manager_review(const struct plop_stack *stack, const struct plop_frame *frames,
			   void *ctx)
{
	struct manager *m = ctx;

	naming_want(&m->naming, stack, frames, m->cycle);
}

/* One collected stack: looked up once, then counted in every profile that wants it. */
static void manager_stack(const struct plop_stack *stack, const struct plop_frame *frames,
			  void *ctx)
{
	static struct code_object *codes[PLOP_MAX_DEPTH];
	static enum code_source sources[PLOP_MAX_DEPTH];
	struct manager *m = ctx;
	struct target *k = targets_find(&m->targets, stack->tgid, stack->image);
	struct symbol_counts *symbols = &m->targets.symbols;
	uint64_t before = symbols->unresolved;

	if (!k || !k->codes || stack->depth > PLOP_MAX_DEPTH) {
		if (stack->set == PLOP_SET_ALWAYS)
			m->undelivered += stack->count;
		else if (stack->set != PLOP_SET_WALL)
			recordings_undelivered(&m->recordings, stack);
		return;
	}
	code_table_limit(k->codes, PLOP_MAX_CODE_BYTES);
	for (uint32_t i = 0; i < stack->depth; i++) {
		struct replay replay;
		const struct reader memory = readings_of_code(k->readings, &frames[i], &replay);

		codes[i] = code_table_find(k->codes, &memory, &frames[i], &sources[i]);
		if (plop_frame_kind(frames[i].code) == PLOP_FRAME_SYNTHETIC)
			continue;
		if (!codes[i])
			symbols->unresolved += stack->count;
		else if (sources[i] == CODE_CAPTURED)
			symbols->captured += stack->count;
		else
			symbols->resolved += stack->count;
	}
	struct symbolized_stack s = { .stack = stack,
				      .frames = frames,
				      .codes = codes,
				      .sources = sources,
				      .bytecode = k->python.layout.code_bytecode };
	if (stack->set == PLOP_SET_WALL) {
		recordings_wait_stack(&m->recordings, k, &s);
		return;
	}
	recordings_add(&m->recordings, k, &s);
	/* what ticks of one recording counted is its own alone */
	if (stack->set != PLOP_SET_ALWAYS)
		return;
	if (windows_add(&m->windows, k, &s) < 0) {
		m->undelivered += stack->count;
		return;
	}
	k->samples += stack->count;
	k->samples_cycle += stack->count;
	if (symbols->unresolved == before)
		k->symbolized += stack->count;
}

static void manager_code(const struct plop_record_code *r, void *ctx)
{
	struct manager *m = ctx;

	naming_code(&m->naming, r);
}

static void manager_task(const struct plop_record_task *r, void *ctx)
{
	struct manager *m = ctx;
	struct target *k = targets_find(&m->targets, r->head.tgid, r->head.image);

	if (!k || !k->codes)
		return;
	code_table_limit(k->codes, PLOP_MAX_CODE_BYTES);
	code_table_task(k->codes, r);
}

static void manager_state(const struct plop_record_state *r, void *ctx)
{
	struct manager *m = ctx;

	targets_state(&m->targets, r);
}

static void manager_process(const struct plop_record *r, void *ctx)
{
	struct manager *m = ctx;
	struct target *k;

	switch (r->type) {
	case PLOP_RECORD_EXEC:
		/* exec replaced whatever this pid was before */
		while ((k = targets_find_pid(&m->targets, (pid_t)r->tgid)) &&
		       k->key.image != r->image)
			targets_end(&m->targets, r->tgid, k->key.image);
		targets_exec(&m->targets, (const struct plop_record_exec *)r);
		/* a program that nobody may dump has lost them (begin_new_exec(), fs/exec.c) */
		recordings_thread(&m->recordings, r->tgid, true);
		break;
	case PLOP_RECORD_THREAD:
		recordings_thread(&m->recordings, r->tgid, false);
		return;
	case PLOP_RECORD_CHECK:
		targets_ticked(&m->targets, r->tgid, r->image);
		break;
	case PLOP_RECORD_EXIT:
		targets_end(&m->targets, r->tgid, r->image);
		break;
	case PLOP_RECORD_RENAME:
		title_renamed(&m->targets, r->tgid, r->image);
		break;
	default:
		return;
	}
}

static void manager_fork(const struct plop_record_fork *r, void *ctx)
{
	struct manager *m = ctx;

	targets_fork(&m->targets, r);
}

static void manager_wait(const struct plop_record_wait *r, void *ctx)
{
	struct manager *m = ctx;

	recordings_wait(&m->recordings, r);
}

static void manager_loss(const struct plop_loss *loss, void *ctx)
{
	struct manager *m = ctx;

	recordings_loss(&m->recordings, loss);
}

static void manager_pressure(void *ctx)
{
	manager_cycle(ctx);
}

static void manager_swap(struct manager *m)
{
	sampler_swap(m->sampler);
	m->swapped_mono = clock_ns(CLOCK_MONOTONIC);
	m->swapped_ns = wall_at(&m->wall, m->swapped_mono);
	m->cycle++;
	m->in_cycle = true;
	m->again = false;
	m->counters = (struct sampler_counters){};
	m->undelivered = 0;
}

uint64_t manager_cycle(struct manager *m)
{
	if (m->in_cycle) {
		m->again = true;
	} else {
		manager_swap(m);
		timer_set(m->step, STEP_USEC);
		return m->cycle;
	}
	return m->cycle + 1;
}

/* The counters of one cycle as a tally; what found no home is lost, not python. */
static struct tally manager_tally(const struct manager *m)
{
	const uint64_t *c = m->counters.c;
	struct tally t = {
		.ticks = c[PLOP_C_TICKS],
		.python = c[PLOP_C_PYTHON] - MIN(m->undelivered, c[PLOP_C_PYTHON]),
		.other = c[PLOP_C_OTHER],
		.truncated = c[PLOP_C_TRUNCATED],
	};

	for (int i = 0; i < PLOP_LOST_CAUSES; i++)
		t.lost[i] = c[PLOP_C_LOST + i];
	t.lost[PLOP_LOST_DRAIN] += MIN(m->undelivered, c[PLOP_C_PYTHON]);
	return t;
}

/* Counts the stacks of a cycle, as far as they have names. */
static void manager_collect(struct manager *m)
{
	struct tally t;

	targets_confirm(&m->targets);
	sampler_collect(m->sampler, &m->counters);
	t = manager_tally(m);
	tally_add(&m->tally, &t);
	if (t.python && !m->first_sample_ns)
		m->first_sample_ns = m->swapped_mono;
	m->bpf_ns += m->counters.c[PLOP_C_BPF_NS];
	m->bpf_timed += m->counters.c[PLOP_C_BPF_TIMED];
	m->codes_dropped += m->counters.c[PLOP_C_CODES_DROPPED];
	windows_cycle(&m->windows, m->cycle, &t);
	recordings_cycle(&m->recordings, m->cycle, &t, m->counters.sets);
	targets_cycle(&m->targets, m->completed_mono ? m->swapped_mono - m->completed_mono : 0,
		      (unsigned int)m->config->hz);
	m->completed_mono = m->swapped_mono;
	m->in_cycle = false;
}

/* All of a cycle that could be read was. */
static void manager_named(void *ctx)
{
	struct manager *m = ctx;

	manager_collect(m);
	if (m->ends_with && m->cycle >= m->ends_with)
		sd_event_exit(m->loop, 0);
	else if (m->again)
		manager_cycle(m);
}

static int manager_step(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct manager *m = ctx;
	int r = sampler_review(m->sampler);

	if (r == -EAGAIN)
		return timer_set(m->step, STEP_AGAIN_USEC);
	if (r < 0)
		return log_error_r(r, "Cannot collect samples");
	if (naming_begin(&m->naming, m->cycle) == 0)
		manager_named(m);
	return 0;
}

static int manager_beat(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct manager *m = ctx;
	bool first = !m->first_sample_ns &&
		     clock_ns(CLOCK_MONOTONIC) - m->started_ns < BEAT_FIRST_NS;
	int r;

	if (!m->in_cycle)
		manager_cycle(m);
	shares_refresh(&m->shares);
	if (first)
		return timer_set(m->beat, BEAT_FIRST_USEC);
	r = sampler_follow_cpus(m->sampler);
	if (r < 0)
		log_debug_r(r, "Cannot follow the CPUs that are online, ignoring");
	return timer_set(m->beat, BEAT_USEC);
}

static int manager_records(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct manager *m = ctx;

	return sampler_dispatch(m->sampler);
}

static int manager_jitter(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct manager *m = ctx;

	sampler_jitter(m->sampler);
	return 0;
}

static void manager_spread(uint32_t set, void *ctx)
{
	struct manager *m = ctx;

	recordings_spread(&m->recordings, set);
}

static void manager_loaded(unsigned int parts, int r, void *ctx)
{
	struct manager *m = ctx;

	recordings_loaded(&m->recordings, parts, r);
}

static int manager_last(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct manager *m = ctx;

	log_warning("The last samples are not saved: they could not be collected in time");
	return sd_event_exit(m->loop, 0);
}

/* What was sampled until now is collected, and that is the end; or it is at once, by a second signal. */
static int manager_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	struct manager *m = ctx;
	int r;

	if (m->ends_with)
		return sd_event_exit(m->loop, 0);
	sd_notify(false, "STOPPING=1");
	m->ends_with = manager_cycle(m);
	r = timer_set(m->last, LAST_USEC);
	return r < 0 ? sd_event_exit(m->loop, 0) : 0;
}

static int manager_sources(struct manager *m)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* a file size limit is a full disk, and no reason to end */
	signal(SIGXFSZ, SIG_IGN);
	r = sd_event_add_signal(m->loop, &m->sigterm, SIGTERM, manager_signal, m);
	if (r >= 0)
		r = sd_event_add_signal(m->loop, &m->sigint, SIGINT, manager_signal, m);
	if (r >= 0)
		r = sd_event_add_io(m->loop, &m->records, sampler_fd(m->sampler), EPOLLIN,
				    manager_records, m);
	if (r >= 0)
		r = sd_event_add_io(m->loop, &m->jitter, sampler_timer_fd(m->sampler), EPOLLIN,
				    manager_jitter, m);
	if (r >= 0)
		r = sd_event_add_time_relative(m->loop, &m->beat, CLOCK_MONOTONIC, BEAT_FIRST_USEC,
					       50000, manager_beat, m);
	/* 1: as exact as can be */
	if (r >= 0)
		r = sd_event_add_time_relative(m->loop, &m->step, CLOCK_MONOTONIC, 0, 1,
					       manager_step, m);
	if (r >= 0)
		r = sd_event_add_time_relative(m->loop, &m->last, CLOCK_MONOTONIC, 0, 1,
					       manager_last, m);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(m->step, SD_EVENT_OFF);
	sd_event_source_set_enabled(m->last, SD_EVENT_OFF);
	return 0;
}

int manager_new(struct config *config, struct manager **ret, char **ret_error)
{
	_cleanup_(manager_freep) struct manager *m = calloc(1, sizeof(*m));
	struct sampler_handlers handlers = {
		.review = manager_review,
		.stack = manager_stack,
		.loss = manager_loss,
		.code = manager_code,
		.task = manager_task,
		.process = manager_process,
		.fork = manager_fork,
		.state = manager_state,
		.pressure = manager_pressure,
		.wait = manager_wait,
		.spread = manager_spread,
		.loaded = manager_loaded,
	};
	struct sampler_options options = { .hz = (unsigned int)config->hz,
					   .max_depth = (unsigned int)config->max_depth };
	int r;

	if (!m)
		return -ENOMEM;
	/* before all else: the processes that read others are forked from one that is small */
	r = examiner_new(&m->examiner);
	if (r < 0)
		return r;
	m->config = config;
	m->started_ns = clock_ns(CLOCK_MONOTONIC);
	m->clock_ns = clock_ns;
	m->wall = wall_read(m->clock_ns);
	r = sd_event_default(&m->loop);
	if (r >= 0)
		r = examiner_start(m->examiner, m->loop);
	if (r < 0)
		return r;
	/* the store's lock comes first: a second plopd must not get further */
	r = windows_init(&m->windows, m, ret_error);
	if (r < 0)
		return r;
	shares_init(&m->shares);
	options.loop = m->loop;
	handlers.ctx = m;
	r = sampler_new(&options, &handlers, &m->sampler, ret_error);
	if (r < 0)
		return r;
	r = targets_init(&m->targets, m->sampler, m->examiner, m->loop);
	if (r >= 0)
		r = naming_init(&m->naming, &m->targets, m->loop, manager_named, m);
	if (r < 0)
		return r;
	m->targets.shares = &m->shares;
	recordings_init(&m->recordings, m);
	r = manager_sources(m);
	if (r >= 0)
		r = mode_init(&m->mode, m);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

/* Who is there when plopd begins is known before the first tick; but for those that do not let themselves be read. */
static int manager_scan(struct manager *m)
{
	uint64_t limit = clock_ns(CLOCK_MONOTONIC) + SCAN_NS;
	int r = targets_scan(&m->targets);

	if (r < 0)
		return log_error_r(r, "Cannot read /proc");
	while (m->targets.examining > 0 && clock_ns(CLOCK_MONOTONIC) < limit) {
		r = loop_timing_once(&m->timing, 100 * USEC_PER_MSEC);
		if (r < 0)
			return r;
		if (sd_event_get_state(m->loop) == SD_EVENT_FINISHED)
			return sd_event_get_exit_code(m->loop, &r) >= 0 && r < 0 ? r : -ECANCELED;
	}
	return 0;
}

int manager_start(struct manager *m, char **ret_error)
{
	int r;

	loop_timing_init(&m->timing, m->loop, m->config->window_ns);
	r = manager_scan(m);

	/* who asks is told of all that are there */
	if (r >= 0)
		r = listen_open(m, ret_error);
	if (r < 0)
		return r;
	r = sampler_check(ret_error);
	if (r >= 0)
		r = mode_start(&m->mode, ret_error);
	if (r < 0)
		return r;
	m->sampling_ns = clock_ns(CLOCK_MONOTONIC);
	m->startup_cpu_s = manager_cpu_seconds();
	sd_event_set_watchdog(m->loop, true);
	sd_notify(false, "READY=1\nSTATUS=Sampling.");
	return 0;
}

int manager_run(struct manager *m)
{
	int r = loop_timing_run(&m->timing);

	windows_end(&m->windows);
	return r;
}

void manager_free(struct manager *m)
{
	if (!m)
		return;
	/* first: clients that still wait own recordings and streams */
	listen_close(m);
	recordings_done(&m->recordings);
	windows_done(&m->windows);
	/* what was asked has its answer by this */
	examiner_free(m->examiner);
	shares_done(&m->shares);
	naming_done(&m->naming);
	if (m->targets.retry)
		targets_done(&m->targets);
	mode_done(&m->mode);
	sd_event_source_disable_unref(m->records);
	sd_event_source_disable_unref(m->jitter);
	sd_event_source_disable_unref(m->beat);
	sd_event_source_disable_unref(m->step);
	sd_event_source_disable_unref(m->last);
	sd_event_source_disable_unref(m->sigterm);
	sd_event_source_disable_unref(m->sigint);
	sampler_free(m->sampler);
	sd_event_unref(m->loop);
	free(m->gateway);
	free(m);
}
