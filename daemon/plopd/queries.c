/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/queries.h"
#include "query/query.h"
#include "plopd/access.h"
#include "target/shares.h"
#include "util/clock.h"
#include "util/log.h"

#define WINDOWS_MAX 10000

/* A question to the store: asked on the query worker, completed from memory and answered on the loop thread. */
struct query_job {
	struct queries *queries;
	struct api_call *call; /* NULL: the client went away */
	struct query query;
	struct windows_held held;
	bool windows; /* GET /v1/windows, else /v1/profile */
	json_t *list;
	struct profile *profile;
	struct store_file file; /* that was read */
	int result;
	char *error;
	struct share *share; /* of a user who is not trusted, in which it is counted; NULL: none */
	size_t limit;        /* of memory for the profile */
};

static void job_free(struct query_job *j)
{
	if (j->share) {
		j->share->queries--;
		j->queries->shares->queries--;
	}
	query_done(&j->query);
	json_decref(j->list);
	profile_free(j->profile);
	free(j->error);
	free(j);
}

static void job_run(void *ctx)
{
	struct query_job *j = ctx;
	const struct query *q = &j->query;
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;

	/* whose damage it is, should it be damaged */
	(void)store_file(j->queries->config->state_dir, &j->file);
	j->result = store_reader_open(j->queries->config->state_dir, &reader, &j->error);
	if (j->result == -ENOENT) {
		/* nothing was saved yet */
		j->result = j->windows ? 0 : profile_new(q->from_ns, 0, &j->profile);
		return;
	}
	if (j->result < 0)
		return;
	store_reader_pass_over(reader, j->held.starts, j->held.n);
	store_reader_limit(reader, j->limit);
	/* a call graph has [other] for what is light; in other formats all is there, or it is refused */
	if (q->format && streq(q->format->name, "json"))
		store_reader_prune(reader);
	if (j->windows)
		j->result = store_windows(reader, q->from_ns, q->to_ns, WINDOWS_MAX, &q->selectors,
					  &j->list);
	else
		j->result = store_profile(reader, q->from_ns, q->to_ns, &q->selectors, &j->profile);
}

static bool query_overlaps(const struct query_job *j, const struct profile *p)
{
	return p->end_ns > j->query.from_ns && p->start_ns < j->query.to_ns;
}

static int query_add_window(const struct profile *p, void *ctx)
{
	struct query_job *j = ctx;
	json_t *one;

	if (!query_overlaps(j, p))
		return 0;
	return store_window_json(p, &j->query.selectors, &one) < 0 ||
			       json_array_append_new(j->list, one) < 0 ?
		       -ENOMEM :
		       0;
}

static int query_add_samples(const struct profile *p, void *ctx)
{
	_cleanup_(profile_freep) struct profile *selected = NULL;
	struct query_job *j = ctx;
	int r;

	if (!query_overlaps(j, p))
		return 0;
	r = profile_select(p, &j->query.selectors, &selected);
	if (r < 0)
		return r;
	/* without a rate nothing came from the store, and the time asked for stands in place of a window's */
	if (!j->profile->hz) {
		j->profile->start_ns = selected->start_ns;
		j->profile->end_ns = selected->end_ns;
	}
	r = profile_merge(j->profile, selected);
	return r == 0 && profile_bytes(j->profile) > j->limit ? -E2BIG : r;
}

/* Adds what is in memory, and answers. */
static int query_complete(struct query_job *j)
{
	struct windows *w = j->queries->windows;
	int r;

	if (!j->windows) {
		r = windows_each_held(w, &j->held, query_add_samples, j);
		if (!j->profile->hz)
			j->profile->hz = (uint32_t)j->queries->config->hz;
		if (r >= 0) {
			selectors_tally(&j->query.selectors, j->profile);
			r = query_group(&j->query, &j->profile);
		}
		if (r >= 0)
			api_reply_profile_owned(j->call, TAKE_PTR(j->profile), j->query.format,
						w->query);
		return r;
	}
	if (!j->list)
		j->list = json_array();
	r = windows_each_held(w, &j->held, query_add_window, j);
	if (r >= 0)
		api_reply_json(j->call, 200, json_pack("{s:O}", "windows", j->list));
	return r;
}

static void job_done(void *ctx)
{
	struct query_job *j = ctx;
	int r = j->result;

	if (r >= 0 && j->call)
		r = query_complete(j);
	windows_answered(j->queries->windows);
	if (j->result == -EBADMSG)
		store_watch_distrust(j->queries->windows, &j->file);
	if (r == -E2BIG && j->call) {
		api_reply_error(j->call, 413,
				"ask for a shorter time, for fewer processes, or for format json",
				"the different stacks of this answer take more than %zu MB",
				j->limit >> 20);
		if (j->share)
			j->share->counts[SHARE_ANSWERS_REFUSED]++;
	} else if (r == -ETIME && j->call) {
		api_reply_error(j->call, 413, "ask for a shorter time, or for fewer processes",
				"reading the store for this answer takes more than %u s",
				(unsigned int)(STORE_READ_NS / NSEC_PER_SEC));
	} else if (r == -EBADMSG && j->call) {
		api_reply_error(j->call, 503,
				"ask again in a moment; plopctl status says what became of it",
				"plop.db is damaged: it is being set aside, and windows go on in a "
				"new file");
	} else if (r < 0 && j->call) {
		log_warning_r(r, "Cannot answer a query");
		api_reply_error(j->call, 500, "see plopd's log", "%s",
				j->error ? j->error : strerror(-r));
	}
	job_free(j);
}

static void job_gone(void *ctx)
{
	struct query_job *j = ctx;

	j->call = NULL;
}

/* Whether the peer may ask one more; if not, answers and returns -EBUSY. */
static int query_admit(const struct api_request *q, struct query_job *j)
{
	struct shares *s = j->queries->shares;
	struct share *k;

	j->limit = SHARES_QUERY_BYTES;
	if (q->peer.trusted)
		return 0;
	j->limit = SHARES_USERS_QUERY_BYTES;
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
	j->share = k;
	return 0;
}

static void query_start(const struct api_request *q, struct queries *queries, bool windows)
{
	struct query_job *j = calloc(1, sizeof(*j));

	if (!j) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	j->queries = queries;
	j->windows = windows;
	if (api_query(q, &j->query) < 0) {
		free(j);
		return;
	}
	if (query_admit(q, j) < 0) {
		job_free(j);
		return;
	}
	access_limit(&q->peer, &j->query.selectors);
	if (!j->query.format)
		j->query.format = format_find("json");
	j->call = api_defer(q, job_gone, j);
	if (windows_ask(queries->windows, job_run, job_done, j, &j->held) < 0) {
		api_reply_error(j->call, 503, "ask again in a moment",
				"too many questions at once");
		job_free(j);
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
	struct queries *queries;
	struct api_call *call;
	struct query query;
	sd_event_source *timer;
};

static void stream_free(void *ctx)
{
	struct stream *s = ctx;

	sd_event_source_disable_unref(s->timer);
	query_done(&s->query);
	free(s);
}

static int stream_send(struct stream *s)
{
	const struct profile *running = windows_running(s->queries->windows);
	_cleanup_(profile_freep) struct profile *selected = NULL;
	_cleanup_buf_ struct buf b = { .limit = API_STREAM_BYTES };
	int r;

	if (!running)
		return 0;
	r = profile_select(running, &s->query.selectors, &selected);
	if (r < 0)
		return r;
	selected->running = true;
	/* not now: of whom compares two events, the ticks and the time must be the same moment's */
	selected->end_ns = MAX(s->queries->windows->counted_ns, selected->start_ns + 1);
	selectors_tally(&s->query.selectors, selected);
	r = query_group(&s->query, &selected);
	if (r < 0)
		return r;
	r = format_find("json")->encode(selected, &b);
	return r < 0 ? r : api_stream_event(s->call, "window", b.data, b.size);
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

/* A stream takes at most this part of the loop's time: of large windows events come more seldom. */
#define STREAM_PART 50

static int stream_due(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct stream *s = ctx;
	uint64_t began, took;
	int r;

	began = clock_ns(CLOCK_MONOTONIC);
	r = stream_send(s);
	if (r == -EFBIG || r == -E2BIG)
		stream_refuse(s);
	took = (clock_ns(CLOCK_MONOTONIC) - began) / 1000;
	r = sd_event_source_set_time_relative(source, MAX(USEC_PER_SEC, STREAM_PART * took));
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void route_stream(const struct api_request *q, void *ctx)
{
	struct queries *queries = ctx;
	struct query query;
	struct stream *s;

	if (api_query(q, &query) < 0)
		return;
	s = calloc(1, sizeof(*s));
	if (!s) {
		query_done(&query);
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	s->queries = queries;
	s->query = query;
	access_limit(&q->peer, &s->query.selectors);
	/* the first event shows what the last second brought, a moment after this cycle */
	cycle_ask(queries->cycle);
	s->call = api_defer(q, stream_free, s);
	if (api_stream_begin(s->call) < 0 ||
	    sd_event_add_time_relative(queries->cycle->loop, &s->timer, CLOCK_MONOTONIC,
				       5 * USEC_PER_MSEC, 1000, stream_due, s) < 0)
		log_debug("Cannot begin a stream, ignoring");
}
