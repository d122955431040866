/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/record_routes.h"
#include "query/kept.h"
#include "plopd/access.h"
#include "plopd/audit.h"
#include "plopd/recording_targets.h"
#include "record/recording_json.h"
#include "record/recording_shares.h"
#include "record/recording_tally.h"
#include "target/shares.h"

#define DURATION_MAX_S 86400
#define HZ_MAX         10000

/* How long and how often. Answers and returns < 0 on bad input. */
static int recording_times(const struct api_request *q, json_t *body, struct recording_request *ret)
{
	json_t *duration = json_object_get(body, "duration_s"), *hz = json_object_get(body, "hz"),
	       *off_cpu = json_object_get(body, "wall"), *tasks = json_object_get(body, "async");
	double seconds = duration ? json_number_value(duration) : 30;
	json_int_t rate = json_integer_value(hz);

	if (!(seconds >= 0.1 && seconds <= DURATION_MAX_S)) {
		api_reply_error(q->call, 400, NULL, "\"duration_s\" must be from 0.1 to %d seconds",
				DURATION_MAX_S);
		return -EINVAL;
	}
	if (hz && !json_is_null(hz) && (rate < 1 || rate > HZ_MAX)) {
		api_reply_error(q->call, 400, NULL, "\"hz\" must be from 1 to %d", HZ_MAX);
		return -EINVAL;
	}
	if (off_cpu && !json_is_null(off_cpu) && !json_is_boolean(off_cpu)) {
		api_reply_error(q->call, 400, NULL, "\"wall\" must be true or false");
		return -EINVAL;
	}
	if (tasks && !json_is_null(tasks) && !json_is_boolean(tasks)) {
		api_reply_error(q->call, 400, NULL, "\"async\" must be true or false");
		return -EINVAL;
	}
	ret->duration_ns = (uint64_t)(seconds * 1e9);
	ret->hz = (unsigned int)rate;
	ret->off_cpu = json_is_true(off_cpu);
	ret->tasks = json_is_true(tasks);
	return 0;
}

/* What is noted of it: "labels": {KEY: VALUE}. Answers and returns < 0 on bad input. */
static int recording_labels(const struct api_request *q, json_t *body, struct labels *ret)
{
	json_t *labels = json_object_get(body, "labels"), *value;
	const char *key;

	if (labels && !json_is_null(labels) && !json_is_object(labels)) {
		api_reply_error(q->call, 400, NULL, "\"labels\" must be an object of strings");
		return -EINVAL;
	}
	json_object_foreach(labels, key, value)
	{
		const char *text = json_string_value(value);
		int r = text ? labels_add(ret, key, text) : -EINVAL;

		if (r == -EINVAL)
			api_reply_error(q->call, 400, labels_rules(), "\"%.64s\" is no label", key);
		else if (r == -E2BIG)
			api_reply_error(q->call, 400, NULL, "a recording has at most %d labels",
					LABELS_MAX);
		else if (r < 0)
			api_reply_error(q->call, 500, NULL, "out of memory");
		if (r < 0)
			return r;
	}
	return 0;
}

/* What it is for: "why". Answers and returns < 0 on bad input. */
static int recording_why(const struct api_request *q, json_t *body, char **ret)
{
	const json_t *value = json_object_get(body, "why");
	const char *why = json_string_value(value);

	if (!value || json_is_null(value))
		return 0;
	if (!why || strlen(why) > AUDIT_WHY_MAX || !label_value_valid(why)) {
		api_reply_error(q->call, 400, NULL,
				"\"why\" must have at most %d bytes of UTF-8 without control "
				"characters",
				AUDIT_WHY_MAX);
		return -EINVAL;
	}
	*ret = strdup(why);
	if (*ret)
		return 0;
	api_reply_error(q->call, 500, NULL, "out of memory");
	return -ENOMEM;
}

/*
 * Why a recording cannot begin that may be begun, as recordings_start() says it. How many others
 * have is told to the trusted alone (user: SHARES_NOBODY).
 */
static void recording_fail(struct api_call *call, const struct recordings *all, uid_t user, int r)
{
	if (r == -EBUSY && user != SHARES_NOBODY)
		api_reply_error(call, 429, "wait until one ends",
				"no more recordings may run now: one user may have %d, all users "
				"together %d",
				ACCESS_RECORDINGS_MAX, RECORDINGS_USERS_MAX);
	else if (r == -EBUSY)
		api_reply_error(call, 429,
				"wait until one ends; a scraper may ask for what has ended, by "
				"last=SECONDS",
				"%u recordings run already, and no more than %d may",
				recordings_running(all), RECORDINGS_MAX);
	else if (r == -EOPNOTSUPP)
		api_reply_error(
			call, 501, "record -p or -a at the daemon's rate works",
			"this kernel cannot do that for one recording; it takes Linux 5.17");
	else
		api_reply_error(call, 500, NULL, "cannot begin a recording: %s", strerror(-r));
}

/*
 * Why a recording of the peer's cannot begin at that rate (0: the daemon's), as recordings_start()
 * says it.
 */
static void recording_refuse(const struct api_request *q, struct recordings *all, unsigned int hz,
			     int r)
{
	static const char no_limit[] = "wait until another of yours ends; root and members of "
				       "group plop have no such limit";
	uid_t user = shares_user(all->targets->shares, q->peer.uid);
	unsigned int most = (unsigned int)all->config->user_rate, used = recordings_rate(all, user);

	hz = hz ? hz : (unsigned int)all->config->hz;
	if (r == -EDQUOT)
		api_reply_error(
			q->call, hz > most ? 422 : 429,
			hz > most ? "take a lower rate (-F); root and members of group plop have "
				    "no such limit" :
				    no_limit,
			"%u samples a second are too many: the recordings of one user may make "
			"%u together, and %u are left",
			hz, most, most - MIN(used, most));
	else if (r == -ENOSPC)
		api_reply_error(
			q->call, 429, no_limit,
			"there is no memory for one more recording: those of yours hold %zu MB, "
			"of %u for one user and %u for all",
			recordings_bytes(all, user) >> 20, SHARES_USER_BYTES >> 20,
			SHARES_USERS_BYTES >> 20);
	else
		recording_fail(q->call, all, q->peer.trusted ? SHARES_NOBODY : user, r);
	if (!q->peer.trusted && (r == -EDQUOT || r == -ENOSPC))
		shares_count(all->targets->shares, user,
			     r == -EDQUOT ? SHARE_RATE_REFUSED : SHARE_MEMORY_REFUSED, 1);
}

static void reply_recording(struct api_call *call, unsigned int status,
			    const struct recording *recording, const struct buf *skipped)
{
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);

	recording_put(&w, recording, skipped);
	api_reply_writer(call, status, &w);
}

/* An answer to POST that waits until what the recording takes is loaded. */
struct begin {
	struct api_call *call;
	struct recording *recording;
	struct buf skipped;
};

static void begin_free(struct begin *b)
{
	buf_free(&b->skipped);
	free(b);
}

/* Nobody else knows of it. */
static void begin_gone(void *ctx)
{
	struct begin *b = ctx;

	recording_drop(b->recording);
	begin_free(b);
}

static void begin_loaded(struct recording *recording, int r, void *ctx)
{
	struct begin *b = ctx;

	recording->ctx = NULL;
	if (r < 0)
		recording_fail(b->call, recording->all, recording->user, r);
	else
		reply_recording(b->call, 201, recording, &b->skipped);
	begin_free(b);
}

/* Whoever starts a program when it has the answer has all of it recorded. */
static void begin_later(const struct api_request *q, struct recording *recording,
			struct buf *skipped)
{
	struct begin *b = calloc(1, sizeof(*b));

	if (!b) {
		recording_drop(recording);
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	*b = (struct begin){ .recording = recording, .skipped = *skipped };
	*skipped = (struct buf){};
	recording->loaded = begin_loaded;
	recording->ctx = b;
	b->call = api_defer(q, begin_gone, b);
}

static void recording_begin_answer(const struct api_request *q, struct recording_request *request,
				   struct recordings *all, struct buf *skipped)
{
	struct recording *recording;
	int r;

	api_limit(&q->peer, &request->whom.selectors);
	r = recordings_start(all, request, &recording);
	if (r < 0) {
		recording_refuse(q, all, request->hz, r);
		return;
	}
	audit_recording(q, recording);
	if (recording->state == RECORDING_LOADING)
		begin_later(q, recording, skipped);
	else
		reply_recording(q->call, 201, recording, skipped);
}

void route_record(const struct api_request *q, void *ctx)
{
	json_error_t error = {};
	json_t *body = json_loadb(q->body, q->body_size, JSON_REJECT_DUPLICATES, &error);
	struct recording_request request = {};
	_cleanup_buf_ struct buf skipped = {};
	struct record_routes *o = ctx;
	struct recordings *all = o->recordings;

	if (!json_is_object(body))
		api_reply_error(q->call, 400, body ? NULL : error.text,
				"the body of this request must be a JSON object");
	else if (recording_times(q, body, &request) >= 0 &&
		 recording_labels(q, body, &request.labels) >= 0 &&
		 recording_why(q, body, &request.why) >= 0 && keep_take(q, body, &request) >= 0 &&
		 recording_targets(q, all->targets, body, &request, &skipped) >= 0 &&
		 access_record(q, all) >= 0)
		recording_begin_answer(q, &request, all, &skipped);
	recording_request_done(&request);
	json_decref(body);
}

/* One that is in memory, and the peer may see; NULL: there is none. */
static struct recording *recording_of(const struct api_request *q, struct recordings *all)
{
	struct recording *recording = recordings_find(all, strrchr(q->path, '/') + 1);

	return recording && access_recording(&q->peer, recording) ? recording : NULL;
}

/* Those in memory that the peer may see and asks for, the newest first. -ENOMEM. */
static int list_running(const struct api_request *q, const struct query *query,
			const struct recordings *all, struct kept *to)
{
	int r = 0;

	for (size_t i = ARRAY_SIZE(all->items); r == 0 && i > 0; i--) {
		const struct recording *recording = all->items[i - 1];
		_cleanup_buf_ struct buf b = {};
		struct json_writer w = json_writer_on(&b);
		const struct profile *p;
		char *facts;

		if (!recording || !access_recording(&q->peer, recording))
			continue;
		p = sink_profile(recording->sink);
		if (!kept_is_wanted(query, recording->name ? recording->name : "", &p->labels,
				    p->start_ns, MAX(p->end_ns, p->start_ns + 1)))
			continue;
		recording_put(&w, recording, NULL);
		facts = json_writer_done(&w) == 0 ? buf_string(&b) : NULL;
		r = facts ? kept_list(to, recording->id, facts) : -ENOMEM;
	}
	return r;
}

void route_recordings(const struct api_request *q, void *ctx)
{
	_cleanup_(kept_done) struct kept kept = {};
	_cleanup_query_ struct query query = {};
	struct record_routes *o = ctx;

	if (api_query(q, &query) < 0)
		return;
	if (list_running(q, &query, o->recordings, &kept) < 0)
		api_reply_error(q->call, 500, NULL, "out of memory");
	else
		queries_recordings(q, o->queries, &kept);
}

/* The result of one, of which a worker makes what a query wants. */
struct result {
	struct recording *recording;   /* one that has ended; NULL: it goes on */
	const struct profile *profile; /* its, lent */
	struct profile *snapshot;      /* ... or as it is now; owned */
	struct query query;
};

static int result_make(void *ctx, struct profile **ret)
{
	const struct result *t = ctx;

	return query_view(&t->query, t->profile, ret);
}

static int result_encode(void *ctx, const struct profile *p, struct buf *out)
{
	const struct result *t = ctx;

	return query_encode(&t->query, p, out);
}

static void result_done(void *ctx)
{
	struct result *t = ctx;

	if (t->recording)
		recording_give_back(t->recording);
	profile_free(t->snapshot);
	query_done(&t->query);
	free(t);
}

/* Answers, and takes the query over. begun: as of its maker. Whether the result is on its way. */
static bool result_reply(struct api_call *call, struct recording *recording, struct query *query,
			 bool begun, struct worker *encoder)
{
	struct result *t = calloc(1, sizeof(*t));
	const struct api_profile_maker maker = { result_make, result_done, t, begun,
						 result_encode };

	if (!t) {
		api_reply_error(call, 500, NULL, "out of memory");
		return false;
	}
	t->profile = recording_lend(recording);
	if (t->profile)
		t->recording = recording;
	else if (recording_snapshot(recording, &t->snapshot) == 0)
		t->profile = t->snapshot;
	if (!t->profile) {
		free(t);
		api_reply_error(call, 500, NULL, "out of memory");
		return false;
	}
	t->query = *query;
	*query = (struct query){};
	return api_reply_profile_made(call, &maker, t->query.format, encoder) == 0;
}

void route_recording(const struct api_request *q, void *ctx)
{
	_cleanup_query_ struct query query = {};
	struct record_routes *o = ctx;
	struct recording *recording = recording_of(q, o->recordings);
	bool replied, done;

	if (!recording) {
		queries_recording(q, o->queries, strrchr(q->path, '/') + 1);
		return;
	}
	if (api_query(q, &query) < 0)
		return;
	if (!api_parameter(q, "format")) {
		reply_recording(q->call, 200, recording, NULL);
		return;
	}
	/* of one that goes on nobody waits for a second answer */
	done = recording->state == RECORDING_DONE;
	replied = result_reply(q->call, recording, &query, !done, o->encoder);
	recording->fetched |= replied && done && !q->head;
}

void route_recording_stop(const struct api_request *q, void *ctx)
{
	struct record_routes *o = ctx;
	struct recording *recording = recording_of(q, o->recordings);

	if (!recording) {
		keep_remove(o->keep, q, strrchr(q->path, '/') + 1);
		return;
	}
	recording_stop(recording, RECORDING_STOPPED);
	reply_recording(q->call, 200, recording, NULL);
	/* whoever has the result says so */
	if (recording->fetched)
		recording_drop(recording);
}

/*
 * GET /debug/pprof/profile: a recording whose end answers the request; or, with last, what was
 * sampled before it.
 */
struct pprof_wait {
	struct record_routes *routes;
	struct api_call *call;
	struct recording *recording;
};

static void pprof_gone(void *ctx)
{
	struct pprof_wait *w = ctx;

	recording_drop(w->recording);
	free(w);
}

static void pprof_loaded(struct recording *recording, int r, void *ctx)
{
	struct pprof_wait *w = ctx;

	if (r >= 0)
		return;
	recording_fail(w->call, recording->all, recording->user, r);
	free(w);
}

static void pprof_done(struct recording *recording, void *ctx)
{
	struct query query = { .selectors = recording->whom.selectors,
			       .format = format_find("pprof") };
	_cleanup_free_ struct pprof_wait *w = ctx;

	/* it was recorded by process; what a thread is called is known by now */
	recording->whom.selectors = (struct selectors){};
	/* whose samples it may have was asked of each: it counts as a whole, with what it lost */
	query.selectors.owned = false;
	result_reply(w->call, recording, &query, true, w->routes->encoder);
	query_done(&query);
	recording_drop(recording);
}

/* Whom it is of, as keep_take() says it. NULL: out of memory. */
static char *selectors_target(const struct selectors *s)
{
	struct buf b = {};

	for (size_t i = 0; i < s->n; i++)
		buf_printf(&b, "%s%s=%.128s", i ? " " : "", s->items[i].key, s->items[i].value);
	if (!s->n)
		buf_puts(&b, "all");
	return buf_string(&b);
}

/* Begins it; w->recording is set then. */
static int pprof_begin(const struct api_request *q, struct query *query, struct pprof_wait *w)
{
	struct recordings *all = w->routes->recordings;
	struct recording_request request = { .duration_ns = query->seconds * NSEC_PER_SEC };
	int r;

	if (access_record(q, all) < 0)
		return -EBUSY;
	request.target = selectors_target(&query->selectors);
	request.whom.selectors = query->selectors;
	query->selectors = (struct selectors){};
	api_limit(&q->peer, &request.whom.selectors);
	r = recording_pids(q, all->targets, &request.whom);
	if (r >= 0) {
		r = recordings_start(all, &request, &w->recording);
		if (r < 0)
			recording_refuse(q, all, 0, r);
		else
			audit_recording(q, w->recording);
	}
	recording_request_done(&request);
	return r;
}

void route_pprof(const struct api_request *q, void *ctx)
{
	_cleanup_query_ struct query query = {};
	_cleanup_free_ struct pprof_wait *w = NULL;

	if (api_query(q, &query) < 0)
		return;
	if (query.group_by) {
		api_reply_error(q->call, 400, "go tool pprof -tagroot groups by any label",
				"group_by is for /v1/profile and for recordings");
		return;
	}
	if (query.last) {
		queries_last(q, ((struct record_routes *)ctx)->queries);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	w->routes = ctx;
	if (pprof_begin(q, &query, w) < 0)
		return;
	w->recording->loaded = pprof_loaded;
	w->recording->done = pprof_done;
	w->recording->ctx = w;
	w->call = api_defer(q, pprof_gone, w);
	(void)TAKE_PTR(w);
}
