/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "plopd/mode.h"
#include "config/config.h"
#include "cycle/cycle.h"
#include "sampler/sampler.h"
#include "util/log.h"
#include "window/windows.h"

static int mode_timer(struct mode *e, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(e->timer, usec);

	return r < 0 ? r : sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
}

static int mode_open(struct mode *e)
{

	if (sampler_channel_is_open(e->sampler, PLOP_CHANNEL_ALWAYS))
		return 0;
	return sampler_channel_open(e->sampler, PLOP_CHANNEL_ALWAYS, NULL,
				    (unsigned int)e->config->hz, false);
}

static void mode_ends_windows(struct mode *e, uint64_t mono_ns)
{
	e->end_mono = mono_ns;
	windows_bound(e->windows, mono_ns);
}

/* What was sampled until now is a window. */
static void mode_close(struct mode *e)
{

	mode_ends_windows(e, 0);
	if (!sampler_channel_is_open(e->sampler, PLOP_CHANNEL_ALWAYS))
		return;
	sampler_channel_close(e->sampler, PLOP_CHANNEL_ALWAYS);
	windows_close(e->windows);
}

/*
 * Periodic: from now to the next begin of a window, which are aligned to the clock as windows are.
 */
static uint64_t mode_wait_usec(const struct mode *e)
{
	uint64_t every = e->config->every_ns, now = e->cycle->clock_ns(CLOCK_REALTIME);

	return (every - now % every) / 1000 + 1;
}

static int mode_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct mode *e = ctx;
	int r;

	if (sampler_channel_is_open(e->sampler, PLOP_CHANNEL_ALWAYS)) {
		mode_close(e);
		return mode_timer(e, mode_wait_usec(e));
	}
	/* the one before, in which nothing was sampled, goes */
	windows_close(e->windows);
	r = mode_open(e);
	if (r < 0)
		log_error_r(r, "Cannot open perf events for a window");
	mode_ends_windows(e, cycle_mono_ns(e->cycle) + e->config->window_ns);
	return mode_timer(e, e->config->window_ns / 1000);
}

/* Periodic from now on: the window that runs is the first, and ends when it would have ended. */
static int mode_adopt(struct mode *e)
{
	uint64_t mono = cycle_mono_ns(e->cycle), now = cycle_time_at(e->cycle, mono), left;

	if (e->end_mono)
		return 0;
	left = e->windows->end_ns > now ? e->windows->end_ns - now : 0;
	e->end_mono = mono + left;
	windows_bound_now(e->windows, e->end_mono);
	return mode_timer(e, left / 1000);
}

int mode_start(struct mode *e, char **ret_error)
{
	int r;

	if (e->config->mode == CONFIG_ALWAYS) {
		sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
		mode_ends_windows(e, 0);
		return sampler_channel_is_open(e->sampler, PLOP_CHANNEL_ALWAYS) ?
			       0 :
			       sampler_start(e->sampler, ret_error);
	}
	if (e->config->mode == CONFIG_PERIODIC) {
		if (sampler_channel_is_open(e->sampler, PLOP_CHANNEL_ALWAYS))
			return mode_adopt(e);
		r = mode_timer(e, mode_wait_usec(e));
		if (r < 0)
			return r;
	} else {
		sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
	}
	mode_close(e);
	return 0;
}

/*
 * Takes what may change while plopd runs. Names of files may not: what they name is open, and other
 * threads read them.
 */
static void mode_take(struct mode *e, struct config *c)
{
	struct config *now = e->config;

	if (!streq(now->state_dir, c->state_dir) || !streq(now->socket, c->socket) ||
	    now->max_depth != c->max_depth)
		log_warning("state_dir, socket and max_depth change with a restart only");
	now->hz = c->hz;
	now->window_ns = c->window_ns;
	now->every_ns = c->every_ns;
	now->retention_ns = c->retention_ns;
	now->retention_10m_ns = c->retention_10m_ns;
	now->retention_6h_ns = c->retention_6h_ns;
	now->max_store = c->max_store;
	now->budget = c->budget;
	now->mode = c->mode;
}

static int mode_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	struct mode *e = ctx;
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *error = NULL;
	uint64_t hz = e->config->hz;
	int r = e->load ? e->load(e->ctx, &c, &error) : -EOPNOTSUPP;

	if (r < 0) {
		log_error("configuration not changed: %s", error ? error : strerror(-r));
		return 0;
	}
	sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(cycle_mono_ns(e->cycle) / 1000));
	mode_take(e, c);
	/* what was sampled at another rate is a window of its own */
	if (hz != e->config->hz)
		mode_close(e);
	r = mode_start(e, &error);
	if (r < 0)
		log_error("%s", error ? error : strerror(-r));
	log_info("configuration read: mode %s, %llu Hz", config_mode_name(e->config->mode),
		 (unsigned long long)e->config->hz);
	sd_notify(false, "READY=1");
	return 0;
}

int mode_init(struct mode *e, struct cycle *cycle, struct config *config, struct sampler *sampler,
	      struct windows *windows)
{
	sigset_t mask;
	int r;

	*e = (struct mode){
		.cycle = cycle, .config = config, .sampler = sampler, .windows = windows
	};
	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	r = sd_event_add_signal(e->cycle->loop, &e->hangup, SIGHUP, mode_hangup, e);
	if (r >= 0)
		r = sd_event_add_time_relative(e->cycle->loop, &e->timer, CLOCK_MONOTONIC, 0, 1,
					       mode_due, e);
	return r < 0 ? r : sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
}

void mode_done(struct mode *e)
{
	sd_event_source_disable_unref(e->timer);
	sd_event_source_disable_unref(e->hangup);
}
