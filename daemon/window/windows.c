/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/windows.h"
#include "store/recordings.h"
#include "target/owner.h"
#include "util/heap.h"
#include "util/log.h"
#include "util/parse.h"
#include "window/store_task.h"
#include "window/window_shares.h"

#define QUERIES_MAX 64
/*
 * How long a window may outlast the end that somebody else gives it: so that it is one, and nothing
 * of it is left for another.
 */
#define MARGIN_NS (100 * NSEC_PER_MSEC)

/* On the saver's thread. */
static void save_run(void *ctx)
{
	struct window_save *v = ctx;
	struct windows *w = v->windows;

	v->result = store_watch_open(w, &v->report);
	if (v->result == 0) {
		store_keep(w->store, v->retention_ns, v->max_store);
		store_roll_up(w->store, v->retention_10m_ns, v->retention_6h_ns);
		store_keep_recordings(w->store, v->retention_recordings_ns);
		v->result = window_shares_save(w->store, v);
		store_watch_failed(w, v->result, &v->report);
		if (v->result == 0 || v->result == -ENOSPC)
			store_expire(w->store);
		store_rest(w->store);
	}
	store_watch_report(w, v->result, true, &v->report);
}

static void give_back_run(void *ctx)
{
	heap_give_back();
}

/* Forgets the windows that are in the store and that no question counts on any more. */
static void windows_release(struct windows *w)
{
	bool freed = false;

	for (int i = 0; i < WINDOWS_SAVING_MAX; i++) {
		struct window_save *v = &w->saving[i];

		if (!v->window || !v->finished || v->keep > w->answered)
			continue;
		profile_free(TAKE_PTR(v->window));
		freed = true;
	}
	/* there is always another time */
	if (freed && w->saver)
		worker_submit(w->saver, give_back_run, NULL, NULL);
}

static void save_done(void *ctx)
{
	struct window_save *v = ctx;
	struct windows *w = v->windows;

	if (v->result < 0) {
		_cleanup_free_ char *sentence = NULL;

		w->unsaved++;
		if (asprintf(&sentence, "windows are not being saved in %s (%llu lost): %s",
			     w->config->state_dir, (unsigned long long)w->unsaved,
			     v->report.error ? v->report.error : strerror(-v->result)) < 0)
			sentence = NULL;
		if (!w->error)
			log_error("%s; sampling and the live view go on",
				  sentence ? sentence : "windows are not being saved");
		free(w->error);
		w->error = TAKE_PTR(sentence);
	} else if (w->error) {
		log_info("windows are being saved again");
		free(TAKE_PTR(w->error));
	}
	w->watch.failed = false;
	store_watch_take(w, &v->report);
	store_report_done(&v->report);
	window_shares_end(v);
	if (v->result == 0 && w->saved)
		w->saved(v->window, w->saved_ctx);
	v->finished = true;
	v->keep = w->asked;
	windows_release(w);
}

/*
 * A window that will not be in the store: the next one says what it would have said of the clock.
 */
static void windows_drop(struct windows *w, struct profile *window)
{
	w->stepped_ns += window->stepped_ns;
	profile_free(window);
}

/* Hands an ended window, which it takes over, to the saver. */
static void windows_save(struct windows *w, struct profile *window)
{
	for (int i = 0; i < WINDOWS_SAVING_MAX; i++) {
		struct window_save *v = &w->saving[i];

		if (v->window)
			continue;
		*v = (struct window_save){ .windows = w,
					   .window = window,
					   .retention_ns = w->config->retention_ns,
					   .retention_10m_ns = w->config->retention_10m_ns,
					   .retention_6h_ns = w->config->retention_6h_ns,
					   .retention_recordings_ns =
						   w->config->retention_recordings_ns,
					   .max_store = w->config->max_store,
					   .ended_ns = w->cycle->clock_ns(CLOCK_BOOTTIME) };
		window_shares_begin(v);
		if (worker_submit(w->saver, save_run, save_done, v) == 0)
			return;
		v->result = -EBUSY;
		window_shares_end(v);
		v->window = NULL;
		break;
	}
	w->unsaved++;
	log_warning("The disk is too slow: a window of %llu samples is not saved",
		    (unsigned long long)window->samples_total);
	windows_drop(w, window);
}

void windows_share(struct windows *w, struct code_pool *codes)
{
	w->codes = codes;
	if (w->running)
		sink_share(w->running, codes);
}

void windows_close(struct windows *w)
{
	if (!w->close_cycle)
		w->close_cycle = cycle_ask(w->cycle);
}

static int windows_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	windows_close(ctx);
	return 0;
}

static int windows_timer(struct windows *w)
{
	uint64_t now = cycle_time_ns(w->cycle);
	int r;

	r = sd_event_source_set_time_relative(w->timer,
					      w->end_ns > now ? (w->end_ns - now) / 1000 + 1 : 1);
	return r < 0 ? r : sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

/* When a window ends that somebody else ends; 0: nobody does. */
static uint64_t bound_ns(const struct windows *w)
{
	return w->bound_mono ? cycle_time_at(w->cycle, w->bound_mono) + MARGIN_NS : 0;
}

void windows_bound(struct windows *w, uint64_t mono_ns)
{
	w->bound_mono = mono_ns;
}

void windows_bound_now(struct windows *w, uint64_t mono_ns)
{
	windows_bound(w, mono_ns);
	w->end_ns = bound_ns(w);
	if (windows_timer(w) < 0)
		log_error("The running window has no end");
}

/* Begins a window at start_ns, to end at the next multiple of its length, or at its bound. */
static int windows_begin(struct windows *w, uint64_t start_ns)
{
	uint64_t length = w->config->window_ns;
	int r;

	r = sink_new(start_ns, (uint32_t)w->config->hz, &w->running);
	if (r < 0)
		return r;
	sink_share(w->running, w->codes);
	sink_keep_states(w->running);
	sink_profile(w->running)->stepped_ns = w->stepped_ns;
	w->stepped_ns = 0;
	w->counted_ns = start_ns;
	w->end_ns = bound_ns(w);
	if (w->end_ns <= start_ns)
		w->end_ns = (start_ns / length + 1) * length;
	/* a swap that came a moment early must not make a window of a moment */
	if (w->end_ns - start_ns < length / 10)
		w->end_ns += length;
	return windows_timer(w);
}

int windows_init(struct windows *w, struct cycle *cycle, const struct config *config,
		 struct shares *shares, char **ret_error)
{
	struct store_report opened = {};
	int r;

	*w = (struct windows){ .cycle = cycle, .config = config, .shares = shares };
	r = store_open(config->state_dir, &w->store, ret_error);
	if (r == -ENOSPC) {
		w->error = TAKE_PTR(*ret_error);
		r = 0;
	}
	if (r < 0)
		return r;
	if (w->store) {
		store_keep(w->store, config->retention_ns, config->max_store);
		store_roll_up(w->store, config->retention_10m_ns, config->retention_6h_ns);
		store_keep_recordings(w->store, config->retention_recordings_ns);
	}
	store_watch_report(w, 0, true, &opened);
	store_watch_take(w, &opened);
	store_report_done(&opened);
	/* and the watch, and what gives memory back */
	r = worker_new(cycle->loop, "plopd-store", WINDOWS_SAVING_MAX + 2 + STORE_TASKS_MAX,
		       &w->saver);
	if (r >= 0)
		r = worker_new(cycle->loop, "plopd-query", QUERIES_MAX, &w->query);
	/* 10 ms: a window's end may be that late */
	if (r >= 0)
		r = sd_event_add_time_relative(cycle->loop, &w->timer, CLOCK_MONOTONIC,
					       USEC_PER_SEC, 10 * USEC_PER_MSEC, windows_due, w);
	if (r >= 0)
		r = store_watch_init(w);
	if (r >= 0)
		r = windows_begin(w, cycle_time_ns(cycle));
	return r;
}

/* One in which nothing was sampled, as no event was open. */
static bool window_is_empty(const struct profile *p)
{
	return p->tally.ticks == 0 && p->samples_total == 0;
}

void windows_end(struct windows *w)
{
	struct profile *p;

	if (!w->running)
		return;
	p = sink_take(TAKE_PTR(w->running));
	p->end_ns = MAX(w->cycle->swapped_ns, p->start_ns + 1);
	/* one that began with the very last swap has nothing in it */
	if (!window_is_empty(p))
		windows_save(w, p);
	else
		profile_free(p);
}

void windows_done(struct windows *w)
{
	/* runs what waits, then ends */
	worker_free(w->query);
	store_watch_stop(w);
	worker_free(TAKE_PTR(w->saver));
	sd_event_source_disable_unref(w->timer);
	sink_free(w->running);
	w->answered = w->asked;
	windows_release(w);
	store_watch_done(w);
	store_close(w->store);
	free(w->error);
}

size_t windows_bytes(const struct windows *w)
{
	size_t n = w->running ? sink_bytes(w->running) : 0;

	for (int i = 0; i < WINDOWS_SAVING_MAX; i++) {
		if (w->saving[i].window)
			n += profile_bytes(w->saving[i].window);
	}
	return n;
}

int windows_add(struct windows *w, struct target *k, const struct symbolized_stack *s)
{
	if (!w->running || profile_bytes(sink_profile(w->running)) > 2 * WINDOW_BYTES_MAX)
		return -ENOMEM;
	/* stored with the samples: who may see them goes by it */
	target_owner(k, w->cycle->number);
	return window_shares_add(w, k, s);
}

/* "by 8d 0h forward"; the windows say it as well. */
static void tell_step(struct windows *w, int64_t by)
{
	/* a step is measured, and 8 days should not read 7 days and 23 hours */
	uint64_t much = (uint64_t)(by < 0 ? -by : by) + NSEC_PER_SEC / 2;
	char duration[32], *text;

	format_duration(much < NSEC_PER_SEC ? much - NSEC_PER_SEC / 2 :
					      much / NSEC_PER_SEC * NSEC_PER_SEC,
			duration, sizeof(duration));
	if (asprintf(&text,
		     "the clock was set %s %s; the running window ended and another began, and how "
		     "long windows are kept does not go by it",
		     by < 0 ? "back by" : "forward by", duration) < 0)
		text = NULL;
	notice_take(w, NOTICE_CLOCK, text);
}

/*
 * Whether somebody set the clock, or the machine slept; if so, what comes from now on goes by the
 * new time.
 */
static bool windows_clock_set(struct windows *w)
{
	int64_t by;

	if (!cycle_clock_set(w->cycle, &by))
		return false;
	w->stepped_ns += by;
	if (by)
		tell_step(w, by);
	else
		log_info("the machine slept; the running window ended and another began");
	return true;
}

void windows_cycle(struct windows *w, uint64_t number, const struct tally *t)
{
	bool due = w->close_cycle && number >= w->close_cycle;
	struct profile *p;

	if (w->running) {
		p = sink_profile(w->running);
		tally_add(&p->tally, t);
		p->end_ns = w->counted_ns = MAX(w->cycle->swapped_ns, p->start_ns + 1);
		due = due || profile_bytes(p) > WINDOW_BYTES_MAX;
	}
	/* without a running window memory ran out when the last one ended */
	if (!windows_clock_set(w) && !due && w->running)
		return;
	w->close_cycle = 0;
	if (w->running && window_is_empty(sink_profile(w->running)))
		windows_drop(w, sink_take(TAKE_PTR(w->running)));
	else if (w->running)
		windows_save(w, sink_take(TAKE_PTR(w->running)));
	if (windows_begin(w, w->cycle->swapped_ns) < 0)
		log_error("Out of memory, the next window begins late");
}

const struct profile *windows_running(struct windows *w)
{
	struct profile *p;

	if (!w->running)
		return NULL;
	p = sink_profile(w->running);
	p->running = true;
	p->end_ns = MAX(cycle_time_ns(w->cycle), p->start_ns + 1);
	return p;
}

int windows_ask(struct windows *w, void (*run)(void *ctx), void (*done)(void *ctx), void *ctx,
		struct windows_held *held)
{
	int r;

	/* run() may begin at once, and reads it */
	held->n = 0;
	for (int i = 0; i < WINDOWS_SAVING_MAX; i++) {
		if (w->saving[i].window)
			held->starts[held->n++] = w->saving[i].window->start_ns;
	}
	if (w->running)
		held->starts[held->n++] = sink_profile(w->running)->start_ns;
	r = worker_submit(w->query, run, done, ctx);
	if (r == 0)
		w->asked++;
	return r;
}

void windows_answered(struct windows *w)
{
	w->answered++;
	windows_release(w);
}

/*
 * The next of the held windows after start_ns that waits, is saved or is lost; NULL: there is none.
 */
static const struct profile *next_held(const struct windows *w, const struct windows_held *held,
				       uint64_t after_ns)
{
	const struct profile *next = NULL;

	for (int i = 0; i < WINDOWS_SAVING_MAX; i++) {
		const struct profile *p = w->saving[i].window;

		if (!p || p->start_ns <= after_ns || (next && p->start_ns >= next->start_ns))
			continue;
		for (size_t k = 0; k < held->n; k++) {
			if (held->starts[k] == p->start_ns)
				next = p;
		}
	}
	return next;
}

int windows_each_held(struct windows *w, const struct windows_held *held,
		      int (*add)(const struct profile *window, void *ctx), void *ctx)
{
	const struct profile *p = NULL;
	int r = 0;

	while (r >= 0 && (p = next_held(w, held, p ? p->start_ns : 0)))
		r = add(p, ctx);
	p = windows_running(w);
	return r >= 0 && p ? add(p, ctx) : r;
}
