/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/queries.h"
#include "format/live.h"
#include "plopd/access.h"
#include "plopd/live_source.h"
#include "query/question.h"
#include "target/shares.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"

struct live_question {
	struct question question; /* first */
	struct live_source source;
	struct shares *shares;
	struct share *share; /* of a user who is not trusted, in which it is counted; NULL: none */
};

static void live_question_done(struct question *k)
{
	struct live_question *l = (struct live_question *)k;

	if (l->share) {
		l->share->queries--;
		l->shares->queries--;
	}
	if (l->share && k->r == -E2BIG)
		l->share->counts[SHARE_ANSWERS_REFUSED]++;
	question_clear(k);
	free(l);
}

/* Whether the peer may ask one more; if not, answers and returns -EBUSY. */
static int admit(const struct api_request *q, struct live_question *l)
{
	struct shares *s = l->shares;
	struct share *k;

	if (q->peer.trusted)
		return 0;
	l->question.memory = SHARES_USERS_QUERY_BYTES;
	k = shares_of(s, shares_user(s, q->peer.uid));
	if (!k || k->queries >= SHARES_USER_QUERIES || s->queries >= SHARES_USERS_QUERIES) {
		if (k)
			k->counts[SHARE_QUERIES_REFUSED]++;
		api_reply_error(q->call, 429, "ask again in a moment",
				"%u questions of yours wait for their answer, and one user may "
				"have %d, all users %d",
				k ? k->queries : 0, SHARES_USER_QUERIES, SHARES_USERS_QUERIES);
		return -EBUSY;
	}
	k->queries++;
	s->queries++;
	l->share = k;
	return 0;
}

/*
 * The time of whole windows that ended last, so many seconds of them; answers and returns -EINVAL
 * where that is not a number of windows. A window begins and ends with a swap of the halves, a
 * moment off the clock's multiple of its length, which is the one that is meant. So what begins or
 * ends nearer to one than a tenth of that length counts as there.
 */
static int span_of_last(const struct api_request *q, struct queries *queries, struct query *query)
{
	const struct profile *running = windows_running(queries->windows);
	uint64_t length = queries->config->window_ns, margin = length / 10, end;
	uint64_t last = query->last * NSEC_PER_SEC;
	char text[32];

	if (last % length != 0) {
		format_duration(length, text, sizeof(text));
		api_reply_error(q->call, 400, "windows are whole: take a multiple of that",
				"last=%u is not a number of windows, which have %s each",
				query->last, text);
		return -EINVAL;
	}
	end = ((running ? running->start_ns : query->to_ns) + margin) / length * length;
	query->to_ns = end > margin ? end - margin : 1;
	query->from_ns = end > last ? end - last + margin : 0;
	query->format = format_find("pprof");
	return 0;
}

/*
 * kept: of the last two kinds of question, what is asked of recordings, which it takes over; NULL
 * otherwise.
 */
static void ask_of(const struct api_request *q, struct queries *queries, enum question_about about,
		   struct kept *kept)
{
	_cleanup_query_ struct query query = {}, new_query = {};
	struct live_question *l;

	if (about == QUESTION_DIFF ? api_query_sides(q, &query, &new_query) < 0 :
				     api_query(q, &query) < 0)
		return;
	if (query.last && span_of_last(q, queries, &query) < 0)
		return;
	l = calloc(1, sizeof(*l));
	if (!l) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	/* what is in a recording is seen by whoever sees the recording */
	if (!kept && !query.recording)
		api_limit(&q->peer, &query.selectors);
	if (!kept && !new_query.recording)
		api_limit(&q->peer, &new_query.selectors);
	live_source_init(&l->source, queries->windows, queries->config);
	if (about == QUESTION_DIFF)
		question_init_diff(&l->question, &l->source.store.source, &query, &new_query);
	else
		question_init(&l->question, &l->source.store.source, about, &query);
	api_limit(&q->peer, &l->question.kept.see);
	if (kept) {
		api_limit(&q->peer, &kept->see);
		l->question.kept = *kept;
		*kept = (struct kept){};
	}
	l->question.done = live_question_done;
	l->shares = queries->shares;
	if (admit(q, l) < 0)
		live_question_done(&l->question);
	else
		api_ask(q, &l->question);
}

static void ask(const struct api_request *q, struct queries *queries, enum question_about about)
{
	ask_of(q, queries, about, NULL);
}

void queries_recordings(const struct api_request *q, struct queries *queries, struct kept *kept)
{
	ask_of(q, queries, QUESTION_RECORDINGS, kept);
}

void queries_last(const struct api_request *q, struct queries *queries)
{
	ask(q, queries, QUESTION_PROFILE);
}

void queries_recording(const struct api_request *q, struct queries *queries, const char *ident)
{
	struct kept kept = {};

	kept_set(&kept, ident, api_parameter(q, "format") != NULL);
	ask_of(q, queries, QUESTION_RECORDING, &kept);
}

void route_windows(const struct api_request *q, void *ctx)
{
	ask(q, ctx, QUESTION_WINDOWS);
}

void route_profile(const struct api_request *q, void *ctx)
{
	ask(q, ctx, QUESTION_PROFILE);
}

void route_diff(const struct api_request *q, void *ctx)
{
	ask(q, ctx, QUESTION_DIFF);
}

void route_deploys(const struct api_request *q, void *ctx)
{
	ask(q, ctx, QUESTION_DEPLOYS);
}

void route_series(const struct api_request *q, void *ctx)
{
	ask(q, ctx, QUESTION_SERIES);
}

void route_lines(const struct api_request *q, void *ctx)
{
	ask(q, ctx, QUESTION_LINES);
}

void route_labels(const struct api_request *q, void *ctx)
{
	ask(q, ctx, QUESTION_LABELS);
}

void route_sd(const struct api_request *q, void *ctx)
{
	ask(q, ctx, QUESTION_SD);
}

/* GET /v1/stream: the running window as events, once a second. */
struct stream {
	struct queries *queries;
	struct api_call *call;
	struct query query;
	struct live *live; /* what the reader has; NULL: it gets all each time */
	sd_event_source *timer;
	struct view *view; /* that is being made; NULL: none */
};

/* One event, which a worker makes of the window as it was. */
struct view {
	struct stream *stream; /* the loop's; NULL: the client went away */
	struct query query;    /* the stream's; its own when that has gone */
	struct live *live;     /* likewise */
	const char *name;      /* of the event */
	struct profile *window;
	uint64_t counted_ns; /* up to when the window has what was sampled */
	struct buf event;
	uint64_t took_ns;
	int r;
};

static void view_free(struct view *v)
{
	profile_free(v->window);
	buf_free(&v->event);
	if (!v->stream) {
		query_done(&v->query);
		live_free(v->live);
	}
	free(v);
}

static void stream_free(void *ctx)
{
	struct stream *s = ctx;

	sd_event_source_disable_unref(s->timer);
	/* what is being made of it has these in use */
	if (s->view) {
		s->view->stream = NULL;
	} else {
		query_done(&s->query);
		live_free(s->live);
	}
	free(s);
}

static int view_encode(struct view *v)
{
	_cleanup_(profile_freep) struct profile *view = NULL;
	int r = query_view(&v->query, v->window, &view);

	if (r < 0)
		return r;
	view->running = true;
	/* not now: of whom compares two events, the ticks and the time must be the same moment's */
	view->end_ns = MAX(v->counted_ns, view->start_ns + 1);
	return v->live ? live_encode(v->live, view, &v->event, &v->name) :
			 format_find("json")->encode(view, &v->event);
}

static void view_run(void *ctx)
{
	struct view *v = ctx;
	uint64_t began = clock_ns(CLOCK_MONOTONIC);

	v->r = view_encode(v);
	v->took_ns += clock_ns(CLOCK_MONOTONIC) - began;
}

/* Why a window does not come, said in the stream. */
static void stream_refuse(struct stream *s)
{
	char said[256];
	int n = snprintf(said, sizeof(said),
			 "{\"error\":\"the running window is larger than %d MiB, the most that a "
			 "stream passes on\",\"hint\":\"choose one process\"}",
			 API_STREAM_BYTES >> 20);

	api_stream_event(s->call, "refused", said, (size_t)n);
}

/*
 * A stream takes at most this part of one thread's time: of large windows events come more seldom.
 */
#define STREAM_PART 50

static void stream_later(struct stream *s, uint64_t took_ns)
{
	if (sd_event_source_set_time_relative(s->timer, MAX(USEC_PER_SEC,
							    STREAM_PART * took_ns / 1000)) < 0 ||
	    sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT) < 0)
		log_warning("A stream of the running window stays behind");
}

static void view_done(void *ctx)
{
	struct view *v = ctx;
	struct stream *s = v->stream;
	uint64_t began = clock_ns(CLOCK_MONOTONIC);
	int r = v->r;

	if (s) {
		s->view = NULL;
		if (r == 0)
			r = api_stream_event(s->call, v->name, v->event.data, v->event.size);
		if (r == -EFBIG || r == -E2BIG)
			stream_refuse(s);
		stream_later(s, v->took_ns + clock_ns(CLOCK_MONOTONIC) - began);
	}
	view_free(v);
}

/* Has the next event made. */
static int stream_view(struct stream *s)
{
	struct windows *windows = s->queries->windows;
	const struct profile *running = windows_running(windows);
	uint64_t began = clock_ns(CLOCK_MONOTONIC);
	struct view *v;
	int r;

	if (!running)
		return -ENOENT;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	*v = (struct view){ .stream = s,
			    .query = s->query,
			    .live = s->live,
			    .name = "window",
			    .counted_ns = windows->counted_ns,
			    .event = { .limit = API_STREAM_BYTES } };
	r = profile_snapshot(running, &v->window);
	v->took_ns = clock_ns(CLOCK_MONOTONIC) - began;
	if (r == 0)
		r = worker_submit(windows->query, view_run, view_done, v);
	if (r == 0)
		s->view = v;
	else
		view_free(v);
	return r;
}

static int stream_due(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct stream *s = ctx;

	/* one that cannot be made now may be in a second */
	if (stream_view(s) < 0)
		stream_later(s, 0);
	return 0;
}

void route_stream(const struct api_request *q, void *ctx)
{
	struct queries *queries = ctx;
	struct query query;
	struct stream *s;

	if (api_query(q, &query) < 0)
		return;
	s = calloc(1, sizeof(*s));
	if (!s || (query.deltas && live_new(&s->live) < 0)) {
		query_done(&query);
		free(s);
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	s->queries = queries;
	s->query = query;
	api_limit(&q->peer, &s->query.selectors);
	/* the first event shows what the last second brought, a moment after this cycle */
	cycle_ask(queries->cycle);
	s->call = api_defer(q, stream_free, s);
	if (sd_event_add_time_relative(queries->cycle->loop, &s->timer, CLOCK_MONOTONIC,
				       5 * USEC_PER_MSEC, 1000, stream_due, s) < 0 ||
	    api_stream_begin(s->call) < 0) {
		api_reply_error(s->call, 500, NULL, "out of memory");
		stream_free(s);
	}
}
