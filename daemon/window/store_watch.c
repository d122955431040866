/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/store_watch.h"
#include "util/log.h"
#include "window/windows.h"

#define WATCH_USEC (10 * USEC_PER_SEC)
/*
 * While windows are taken over from a damaged file, which takes a fifth of the saver's time then.
 */
#define WATCH_MENDING_USEC USEC_PER_SEC

int store_watch_open(struct windows *w, struct store_report *report)
{
	return w->store ? 0 : store_open(w->config->state_dir, &w->store, &report->error);
}

void store_watch_failed(struct windows *w, int r, struct store_report *report)
{
	if (r < 0 && w->store && !report->error && store_trouble(w->store))
		report->error = strdup(store_trouble(w->store));
}

void store_watch_report(struct windows *w, int r, bool known, struct store_report *report)
{
	report->result = r;
	if (!w->store)
		return;
	store_watch_failed(w, r, report);
	report->mending = store_is_mending(w->store);
	known = known || r < 0 || report->mending;
	for (unsigned int i = 0; i < STORE_NEWS; i++) {
		report->news[i] = store_news(w->store, (enum store_news)i);
		known = known || report->news[i];
	}
	report->known = known && store_facts(w->store, &report->facts) == 0;
}

void store_report_done(struct store_report *report)
{
	free(report->error);
	for (unsigned int i = 0; i < STORE_NEWS; i++)
		free(report->news[i]);
	*report = (struct store_report){};
}

void notice_take(struct windows *w, int what, char *text)
{
	struct notice *n = &w->watch.notices[what];

	if (!text)
		return;
	if (!n->text || !streq(n->text, text))
		log_warning("%s", text);
	free(n->text);
	*n = (struct notice){ text, cycle_time_ns(w->cycle) };
}

void store_watch_take(struct windows *w, struct store_report *report)
{
	if (report->known)
		w->facts = report->facts;
	for (unsigned int i = 0; i < STORE_NEWS; i++)
		notice_take(w, (int)i, TAKE_PTR(report->news[i]));
}

void notices_put(struct json_writer *w, const char *key, const struct windows *windows)
{
	const struct notice *next;

	json_put_array(w, key);
	for (uint64_t after = 0;; after = next->at_ns) {
		next = NULL;
		for (int i = 0; i < NOTICES; i++) {
			const struct notice *n = &windows->watch.notices[i];

			if (n->text && n->at_ns > after && (!next || n->at_ns < next->at_ns))
				next = n;
		}
		if (!next)
			break;
		json_put_object(w, NULL);
		json_put_seconds(w, "time", (int64_t)next->at_ns);
		json_put_string(w, "text", next->text);
		json_put_end(w);
	}
	json_put_end(w);
}

/* On the saver's thread. */
static void watch_run(void *ctx)
{
	struct store_watch *k = ctx;
	struct windows *w = k->windows;
	int r = store_watch_open(w, &k->report);

	if (r == 0)
		r = k->asks ? store_distrust(w->store, &k->asked) : store_check(w->store);
	/* windows are counted when they are saved, and when something has happened to them */
	store_watch_report(w, r, false, &k->report);
}

static void watch_begin(struct store_watch *k);

static void watch_ended(void *ctx)
{
	struct store_watch *k = ctx;
	struct windows *w = k->windows;
	struct store_report *report = &k->report;

	k->busy = false;
	k->mending = report->mending;
	if (k->mending && k->timer)
		sd_event_source_set_time_relative(k->timer, WATCH_MENDING_USEC);
	store_watch_take(w, report);
	if (report->result < 0 && !w->error) {
		if (asprintf(&w->error, "windows cannot be saved in %s: %s", w->config->state_dir,
			     report->error ? report->error : strerror(-report->result)) < 0)
			w->error = NULL;
		log_error("%s; sampling and the live view go on",
			  w->error ? w->error : "windows cannot be saved");
		k->failed = true;
	} else if (report->result >= 0 && k->failed) {
		free(TAKE_PTR(w->error));
		log_info("windows can be saved again");
		k->failed = false;
	}
	store_report_done(report);
	if (k->again)
		watch_begin(k);
}

static void watch_begin(struct store_watch *k)
{
	k->again = k->busy;
	if (k->busy || k->stopped)
		return;
	k->asks = k->distrusted;
	k->asked = k->file;
	k->distrusted = false;
	k->busy = worker_submit(k->windows->saver, watch_run, watch_ended, k) == 0;
}

static int watch_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct store_watch *k = ctx;
	int r;

	watch_begin(k);
	r = sd_event_source_set_time_relative(s, k->mending ? WATCH_MENDING_USEC : WATCH_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

void store_watch_distrust(struct windows *w, const struct store_file *file)
{
	w->watch.distrusted = true;
	w->watch.file = *file;
	watch_begin(&w->watch);
}

int store_watch_init(struct windows *w)
{
	w->watch.windows = w;
	/* whenever the loop is awake anyway, about then */
	return sd_event_add_time_relative(w->cycle->loop, &w->watch.timer, CLOCK_MONOTONIC,
					  WATCH_USEC, USEC_PER_SEC, watch_due, &w->watch);
}

void store_watch_stop(struct windows *w)
{
	w->watch.stopped = true;
	w->watch.timer = sd_event_source_disable_unref(w->watch.timer);
}

void store_watch_done(struct windows *w)
{
	store_report_done(&w->watch.report);
	for (int i = 0; i < NOTICES; i++)
		free(w->watch.notices[i].text);
}
