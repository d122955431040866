/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/query.h"
#include "host/manager.h"
#include "host/routes.h"
#include "util/clock.h"
#include "util/log.h"

#define WINDOWS_MAX 10000

/* A question to the store: asked on the query worker, completed from memory and answered on the loop thread. */
struct query_job {
	struct manager *manager;
	struct api_call *call; /* NULL: the client went away */
	struct api_query query;
	bool windows; /* GET /v1/windows, else /v1/profile */
	json_t *list;
	struct profile *profile;
	int result;
	char *error;
};

static void query_free(struct query_job *j)
{
	api_query_done(&j->query);
	json_decref(j->list);
	profile_free(j->profile);
	free(j->error);
	free(j);
}

static void query_run(void *ctx)
{
	struct query_job *j = ctx;
	const struct api_query *q = &j->query;
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;

	j->result = store_reader_open(j->manager->config->state_dir, &reader, &j->error);
	if (j->result == -ENOENT) {
		/* nothing was saved yet */
		j->result = j->windows ? 0 :
					 profile_new(q->from_ns, (uint32_t)j->manager->config->hz,
						     &j->profile);
		return;
	}
	if (j->result < 0)
		return;
	if (j->windows)
		j->result = store_windows(reader, q->from_ns, q->to_ns, WINDOWS_MAX, &j->list);
	else
		j->result = store_profile(reader, q->from_ns, q->to_ns, &q->selectors, &j->profile);
}

static int query_windows(struct query_job *j, json_t **ret)
{
	struct windows *w = &j->manager->windows;
	const struct profile *running = windows_running(w);
	json_t *list = j->list ? json_incref(j->list) : json_array(), *one;

	for (int i = 0; i <= WINDOWS_SAVING_MAX; i++) {
		const struct profile *p = i == WINDOWS_SAVING_MAX ? running :
					  w->saving[i].busy       ? w->saving[i].window :
								    NULL;

		if (!p || p->end_ns <= j->query.from_ns || p->start_ns >= j->query.to_ns)
			continue;
		if (store_window_json(p, &one) < 0 || json_array_append_new(list, one) < 0) {
			json_decref(list);
			return -ENOMEM;
		}
	}
	*ret = json_pack("{s:o}", "windows", list);
	return *ret ? 0 : -ENOMEM;
}

static void query_done(void *ctx)
{
	struct query_job *j = ctx;
	json_t *answer;
	int r = j->result;

	if (!j->call) {
		query_free(j);
		return;
	}
	if (r >= 0 && j->windows) {
		r = query_windows(j, &answer);
		if (r >= 0)
			api_reply_json(j->call, 200, answer);
	} else if (r >= 0) {
		r = windows_merge(&j->manager->windows, j->query.from_ns, j->query.to_ns,
				  &j->query.selectors, j->profile);
		if (r >= 0)
			api_reply_profile(j->call, j->profile, j->query.format);
	}
	if (r < 0) {
		log_warning_r(r, "Cannot answer a query");
		api_reply_error(j->call, 500, "see plopd's log", "%s",
				j->error ? j->error : strerror(-r));
	}
	query_free(j);
}

static void query_gone(void *ctx)
{
	struct query_job *j = ctx;

	j->call = NULL;
}

static void query_start(const struct api_request *q, struct manager *m, bool windows)
{
	struct query_job *j = calloc(1, sizeof(*j));

	if (!j) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	j->manager = m;
	j->windows = windows;
	if (api_query_from_request(q, &j->query) < 0) {
		free(j);
		return;
	}
	if (!j->query.format)
		j->query.format = format_find("json");
	j->call = api_defer(q, query_gone, j);
	if (worker_submit(m->windows.query, query_run, query_done, j) < 0) {
		api_reply_error(j->call, 503, "ask again in a moment",
				"too many questions at once");
		query_free(j);
	}
}

void route_windows(const struct api_request *q, void *ctx)
{
	query_start(q, ctx, true);
}

void route_profile(const struct api_request *q, void *ctx)
{
	query_start(q, ctx, false);
}

/* GET /v1/stream: the running window as events, once a second. */
struct stream {
	struct manager *manager;
	struct api_call *call;
	struct selectors selectors;
	sd_event_source *timer;
};

static void stream_free(void *ctx)
{
	struct stream *s = ctx;

	sd_event_source_disable_unref(s->timer);
	selectors_done(&s->selectors);
	free(s);
}

static int stream_send(struct stream *s)
{
	const struct profile *running = windows_running(&s->manager->windows);
	_cleanup_(profile_freep) struct profile *selected = NULL;
	_cleanup_buf_ struct buf b = {};
	int r;

	if (!running)
		return 0;
	r = profile_select(running, &s->selectors, &selected);
	if (r < 0)
		return r;
	selected->running = true;
	r = format_find("json")->encode(selected, &b);
	return r < 0 ? r : api_stream_event(s->call, "window", b.data, b.size);
}

static int stream_due(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct stream *s = ctx;
	int r;

	stream_send(s);
	r = sd_event_source_set_time_relative(source, USEC_PER_SEC);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void route_stream(const struct api_request *q, void *ctx)
{
	struct manager *m = ctx;
	struct api_query query;
	struct stream *s;

	if (api_query_from_request(q, &query) < 0)
		return;
	s = calloc(1, sizeof(*s));
	if (!s) {
		api_query_done(&query);
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	s->manager = m;
	s->selectors = query.selectors;
	query.selectors = (struct selectors){};
	api_query_done(&query);
	/* the first event shows what the last second brought, a moment after this cycle */
	manager_cycle(m);
	s->call = api_defer(q, stream_free, s);
	if (api_stream_begin(s->call) < 0 ||
	    sd_event_add_time_relative(m->loop, &s->timer, CLOCK_MONOTONIC, 5 * USEC_PER_MSEC, 1000,
				       stream_due, s) < 0)
		log_debug("Cannot begin a stream, ignoring");
}
