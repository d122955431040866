/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <systemd/sd-daemon.h>

#include "plopd/manager.h"
#include "plopd/listen.h"
#include "plopd/routes.h"
#include "plopd/status.h"
#include "util/clock.h"
#include "util/heap.h"
#include "util/log.h"
#include "util/true_clock.h"

/* How long plopd takes at most, when it begins, to look at the processes that are there. */
#define SCAN_NS (3 * NSEC_PER_SEC)

/*
 * What was sampled until now is collected, and that is the end; or it is at once, by a second
 * signal.
 */
static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	struct manager *m = ctx;

	sd_notify(false, "STOPPING=1");
	recordings_end_named(&m->recordings);
	return collect_last(&m->collect);
}

static int follow_signals(struct manager *m)
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
	r = sd_event_add_signal(m->cycle.loop, &m->sigterm, SIGTERM, on_signal, m);
	return r < 0 ? r : sd_event_add_signal(m->cycle.loop, &m->sigint, SIGINT, on_signal, m);
}

/* What plopd does not start without: a sentence, unless there is one that says more. */
static int cannot(char **ret_error, int r, const char *what)
{
	if (r < 0 && !*ret_error && asprintf(ret_error, "cannot %s: %s", what, strerror(-r)) < 0)
		*ret_error = NULL;
	return r;
}

static int check_clock(char **ret_error)
{
	int r = true_clock_check();

	if (r == -ENOTUNIQ)
		*ret_error =
			strdup("the monotonic clock that plopd is told is not the kernel's, by "
			       "which all is sampled; start plopd without the library that "
			       "tells it another time (LD_PRELOAD, libfaketime)");
	return cannot(ret_error, r, "look at the clock");
}

/* Who uses whom. None of it is used before manager_begin() begins it. */
static void put_together(struct manager *m)
{
	m->stacks = (struct stacks){ .targets = &m->targets,
				     .windows = &m->windows,
				     .recordings = &m->recordings };
	m->dispatch = (struct dispatch){ .cycle = &m->cycle,
					 .targets = &m->targets,
					 .naming = &m->naming,
					 .recordings = &m->recordings,
					 .stacks = &m->stacks };
	m->collect = (struct collect){ .cycle = &m->cycle,
				       .config = m->config,
				       .targets = &m->targets,
				       .naming = &m->naming,
				       .windows = &m->windows,
				       .recordings = &m->recordings,
				       .shares = &m->shares,
				       .stacks = &m->stacks,
				       .rate = &m->rate,
				       .budget = &m->budget,
				       .started_ns = cycle_mono_ns(&m->cycle) };
	m->queries = (struct queries){ .cycle = &m->cycle,
				       .config = m->config,
				       .windows = &m->windows,
				       .shares = &m->shares };
	m->looks = (struct looks){ .targets = &m->targets, .config = m->config };
	m->budget = (struct budget){ .config = m->config,
				     .examiner = m->examiner,
				     .windows = &m->windows,
				     .shares = &m->shares,
				     .weight = 1 };
	m->viewer = (struct viewer){ .cycle = &m->cycle };
}

static int manager_begin(struct manager *m, char **ret_error)
{
	const struct sampler_options options = { .hz = (unsigned int)m->config->hz,
						 .max_depth = (unsigned int)m->config->max_depth,
						 .loop = m->cycle.loop };
	const struct sampler_handlers handlers = dispatch_handlers(&m->dispatch);
	int r;

	shares_init(&m->shares);
	/* the store's lock comes first: a second plopd must not get further */
	r = cannot(ret_error,
		   windows_init(&m->windows, &m->cycle, m->config, &m->shares, ret_error),
		   "start the threads that save and read windows");
	if (r >= 0)
		r = cannot(ret_error, sampler_new(&options, &handlers, &m->sampler, ret_error),
			   "prepare to sample");
	if (r < 0)
		return r;
	m->collect.sampler = m->sampler;
	m->rate = (struct rate_watch){ .config = m->config,
				       .sampler = m->sampler,
				       .windows = &m->windows };
	r = cannot(ret_error,
		   targets_init(&m->targets, &m->cycle, m->sampler, m->examiner, &m->shares),
		   "prepare to follow processes");
	if (r < 0)
		return r;
	windows_share(&m->windows, &m->targets.code_pool);
	r = cannot(ret_error, naming_init(&m->naming, &m->targets, collect_named, &m->collect),
		   "prepare to name functions");
	if (r < 0)
		return r;
	recordings_init(&m->recordings, &m->cycle, m->config, m->sampler, &m->targets);
	keep_init(&m->keep, &m->windows, &m->recordings);
	m->record_routes =
		(struct record_routes){ &m->recordings, m->windows.query, &m->queries, &m->keep };
	m->mark_routes = (struct mark_routes){ .targets = &m->targets,
					       .config = m->config,
					       .windows = &m->windows };
	mark_routes_load(&m->mark_routes);
	m->token_routes = (struct token_routes){ .viewer = &m->viewer,
						 .config = m->config,
						 .windows = &m->windows };
	token_routes_load(&m->token_routes);
	r = cannot(ret_error, regressions_init(&m->regressions, m->config, &m->windows),
		   "prepare to compare versions");
	if (r >= 0)
		r = cannot(ret_error, follow_signals(m), "listen to signals");
	if (r >= 0)
		r = cannot(ret_error, collect_init(&m->collect), "prepare to collect samples");
	if (r >= 0)
		r = cannot(ret_error,
			   mode_init(&m->mode, &m->cycle, m->config, m->sampler, &m->windows),
			   "prepare the mode of sampling");
	return r;
}

int manager_new(struct config *config, struct manager **ret, char **ret_error)
{
	_cleanup_(manager_freep) struct manager *m = calloc(1, sizeof(*m));
	sd_event *loop = NULL;
	int r;

	if (!m)
		return -ENOMEM;
	r = check_clock(ret_error);
	if (r < 0)
		return r;
	/* before all else: the processes that read others are forked from one that is small */
	r = cannot(ret_error, examiner_new(&m->examiner),
		   "start the process that reads others' memory");
	if (r >= 0)
		r = cannot(ret_error, sd_event_default(&loop), "make the event loop");
	if (r < 0)
		return r;
	m->config = config;
	cycle_init(&m->cycle, loop, clock_ns, collect_swap, &m->collect);
	put_together(m);
	r = cannot(ret_error, examiner_start(m->examiner, loop), "follow the helper processes");
	if (r >= 0)
		r = manager_begin(m, ret_error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

/* The sentence of what ended the loop. */
static int loop_ended(char **ret_error, int r)
{
	if (r == EXAMINER_ENDED)
		*ret_error = strdup("the process that plopd reads others by has ended, so plopd "
				    "ends as well; whatever starts plopd starts it again");
	return cannot(ret_error, r, "go on with the event loop");
}

/*
 * Who is there when plopd begins is known before the first tick; but for those that do not let
 * themselves be read.
 */
static int manager_scan(struct manager *m, char **ret_error)
{
	uint64_t limit = cycle_mono_ns(&m->cycle) + SCAN_NS;
	int r = targets_scan(&m->targets);

	/* from here on; nobody can ask for anything before */
	loop_timing_init(&m->timing, m->cycle.loop, m->config->window_ns);
	if (r < 0)
		return cannot(ret_error, r, "read /proc");
	while (m->targets.examining > 0 && cycle_mono_ns(&m->cycle) < limit) {
		r = loop_timing_once(&m->timing, 100 * USEC_PER_MSEC);
		if (r < 0)
			return loop_ended(ret_error, r);
		if (sd_event_get_state(m->cycle.loop) == SD_EVENT_FINISHED)
			return sd_event_get_exit_code(m->cycle.loop, &r) >= 0 && r < 0 ?
				       loop_ended(ret_error, r) :
				       -ECANCELED;
	}
	return 0;
}

/* Whose connections those of a uid count as. */
static uid_t user_of(uid_t uid, void *ctx)
{
	const struct manager *m = ctx;

	return shares_user(&m->shares, uid);
}

/* Who asks is told of processes whose records did not wake plopd, too. */
static void asked(void *ctx)
{
	struct manager *m = ctx;

	collect_records(&m->collect);
}

static int manager_listen(struct manager *m, char **ret_error)
{
	struct api_options options = { .routes = plopd_routes,
				       .nroutes = plopd_nroutes,
				       .ctx = m,
				       .stream = "/v1/stream",
				       .body_hint = labels_bounds(),
				       .user = user_of,
				       .asked = asked };

	int r = listen_open(m->cycle.loop, m->config->socket, &options, &m->server, ret_error);

	m->budget.server = m->server;
	return r;
}

int manager_start(struct manager *m, char **ret_error)
{
	int r = manager_scan(m, ret_error);

	/* who asks is told of all that are there */
	if (r >= 0)
		r = manager_listen(m, ret_error);
	if (r < 0)
		return r;
	r = sampler_check(ret_error);
	if (r >= 0)
		r = mode_start(&m->mode, ret_error);
	if (r < 0)
		return r;
	rate_watch_look(&m->rate);
	m->sampling_ns = cycle_mono_ns(&m->cycle);
	m->startup_cpu_s = status_cpu_seconds();
	sd_event_set_watchdog(m->cycle.loop, true);
	sd_notify(false, "READY=1\nSTATUS=Sampling.");
	return 0;
}

int manager_run(struct manager *m, char **ret_error)
{
	int r;

	program_give_back();
	r = loop_timing_run(&m->timing);
	windows_end(&m->windows);
	recordings_keep_now(&m->recordings);
	return r < 0 ? loop_ended(ret_error, r) : r;
}

void manager_free(struct manager *m)
{
	if (!m)
		return;
	/* first: clients that still wait own recordings and streams */
	if (m->server)
		listen_close(m->config->socket, TAKE_PTR(m->server));
	recordings_done(&m->recordings);
	regressions_stop(&m->regressions);
	windows_done(&m->windows);
	regressions_done(&m->regressions);
	/* what was asked has its answer by this */
	examiner_free(m->examiner);
	naming_done(&m->naming);
	if (m->targets.retry)
		targets_done(&m->targets);
	shares_done(&m->shares);
	mode_done(&m->mode);
	collect_done(&m->collect);
	sd_event_source_disable_unref(m->sigterm);
	sd_event_source_disable_unref(m->sigint);
	sampler_free(m->sampler);
	sd_event_unref(m->cycle.loop);
	viewer_done(&m->viewer);
	free(m);
}
