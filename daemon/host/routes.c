/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/routes.h"
#include "api/query.h"
#include "host/manager.h"
#include "util/clock.h"

#define DURATION_MAX_S 86400

/* A pid that somebody asks for: 0, or answered with why it cannot be profiled. */
static int pid_refuse(const struct api_request *q, struct manager *m, json_int_t pid)
{
	struct target *k;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%lld", (long long)pid);
	if (pid <= 0 || pid > INT32_MAX || access(path, F_OK) < 0) {
		api_reply_error(q->call, 404, "plopctl ps lists the Python processes",
				"there is no process %lld", (long long)pid);
		return -ESRCH;
	}
	k = targets_find_pid(&m->targets, (pid_t)pid);
	if (k && k->python.verdict == PYTHON_YES)
		return 0;
	if (k && k->python.verdict == PYTHON_PYPY)
		api_reply_error(q->call, 422, "plop walks the frames of CPython only",
				"process %lld is PyPy", (long long)pid);
	else if (k)
		api_reply_error(q->call, 422,
				"plop knows CPython 2.7 and 3.6 to 3.15; see plopctl ps",
				"process %lld: %s", (long long)pid, k->python.why);
	else
		api_reply_error(q->call, 422, "plopctl ps lists the Python processes",
				"process %lld is not Python", (long long)pid);
	return -EOPNOTSUPP;
}

/* "pid": [1, 2] or 1, or "all": true, to selectors. Answers and returns < 0 on bad input. */
static int recording_targets(const struct api_request *q, struct manager *m, json_t *body,
			     struct selectors *s)
{
	json_t *pids = json_object_get(body, "pid"), *pid;
	char text[32];
	size_t i, n = json_is_array(pids) ? json_array_size(pids) : pids ? 1 : 0;
	int r;

	if ((n == 0) == !json_is_true(json_object_get(body, "all")) || n > 256) {
		api_reply_error(q->call, 400, NULL,
				"a recording wants either \"pid\" (at most 256) or \"all\": true");
		return -EINVAL;
	}
	for (i = 0; i < n; i++) {
		pid = json_is_array(pids) ? json_array_get(pids, i) : pids;
		if (!json_is_integer(pid)) {
			api_reply_error(q->call, 400, NULL,
					"\"pid\" must be a number or a list of numbers");
			return -EINVAL;
		}
		r = pid_refuse(q, m, json_integer_value(pid));
		if (r < 0)
			return r;
		snprintf(text, sizeof(text), "pid=%lld", (long long)json_integer_value(pid));
		if (selectors_add(s, text) < 0) {
			api_reply_error(q->call, 500, NULL, "out of memory");
			return -ENOMEM;
		}
	}
	return 0;
}

static void route_record(const struct api_request *q, void *ctx)
{
	struct manager *m = ctx;
	json_t *body = json_loadb(q->body, q->body_size, JSON_REJECT_DUPLICATES, NULL), *hz,
	       *duration;
	struct selectors s = {};
	struct recording *r;
	double seconds = 30;
	int k;

	if (!json_is_object(body)) {
		json_decref(body);
		api_reply_error(q->call, 400, NULL,
				"the body of this request must be a JSON object");
		return;
	}
	duration = json_object_get(body, "duration_s");
	if (duration)
		seconds = json_number_value(duration);
	hz = json_object_get(body, "hz");
	if (!(seconds >= 0.1 && seconds <= DURATION_MAX_S)) {
		api_reply_error(q->call, 400, NULL, "\"duration_s\" must be from 0.1 to %d seconds",
				DURATION_MAX_S);
	} else if (hz && !json_is_null(hz) && json_integer_value(hz) != (json_int_t)m->config->hz) {
		api_reply_error(
			q->call, 400, "leave the rate out, or change hz in plop.conf",
			"plopd samples at %d Hz; this version cannot record at another rate",
			(int)m->config->hz);
	} else if (json_object_size(json_object_get(body, "labels")) > 0) {
		api_reply_error(q->call, 400, "leave the labels out",
				"this version keeps no labels on recordings");
	} else if (recording_targets(q, m, body, &s) >= 0) {
		k = recordings_start(&m->recordings, &s, (uint64_t)(seconds * 1e9), &r);
		if (k == -EBUSY)
			api_reply_error(q->call, 429, "wait until one ends",
					"%d recordings run already", RECORDINGS_MAX);
		else if (k < 0)
			api_reply_error(q->call, 500, NULL, "cannot begin a recording: %s",
					strerror(-k));
		else
			api_reply_json(q->call, 201, recording_json(r));
	}
	selectors_done(&s);
	json_decref(body);
}

static struct recording *recording_of(const struct api_request *q, struct manager *m)
{
	struct recording *r = recordings_find(&m->recordings, strrchr(q->path, '/') + 1);

	if (!r)
		api_reply_error(q->call, 404, "results are kept for five minutes",
				"there is no such recording");
	return r;
}

static void route_recording(const struct api_request *q, void *ctx)
{
	struct recording *r = recording_of(q, ctx);
	const struct format *f;
	const char *name = api_parameter(q, "format");

	if (!r)
		return;
	if (!name) {
		api_reply_json(q->call, 200, recording_json(r));
		return;
	}
	f = format_find(name);
	if (!f)
		api_reply_error(q->call, 400, NULL, "there is no format %s; there are %s", name,
				format_names());
	else
		api_reply_profile(q->call, sink_profile(r->sink), f);
	r->fetched |= f && r->state == RECORDING_DONE;
}

static void route_recording_stop(const struct api_request *q, void *ctx)
{
	struct recording *r = recording_of(q, ctx);

	if (!r)
		return;
	recording_stop(r, "stopped");
	api_reply_json(q->call, 200, recording_json(r));
	/* whoever has the result says so */
	if (r->fetched)
		recording_drop(r);
}

/* GET /debug/pprof/profile: a recording whose end answers the request. */
static void pprof_gone(void *ctx)
{
	recording_drop(ctx);
}

static void pprof_done(struct recording *r, void *ctx)
{
	struct api_call *call = ctx;

	api_reply_profile(call, sink_profile(r->sink), format_find("pprof"));
	recording_drop(r);
}

static void route_pprof(const struct api_request *q, void *ctx)
{
	struct manager *m = ctx;
	_cleanup_query_ struct api_query query = {};
	struct recording *r;
	int k;

	if (api_query_from_request(q, &query) < 0)
		return;
	k = recordings_start(&m->recordings, &query.selectors, query.seconds * NSEC_PER_SEC, &r);
	if (k == -EBUSY) {
		api_reply_error(q->call, 429, "wait until one ends", "%d recordings run already",
				RECORDINGS_MAX);
		return;
	}
	if (k < 0) {
		api_reply_error(q->call, 500, NULL, "cannot begin a recording: %s", strerror(-k));
		return;
	}
	r->done = pprof_done;
	r->ctx = api_defer(q, pprof_gone, r);
}

static void route_token(const struct api_request *q, void *ctx)
{
	struct manager *m = ctx;
	const char *gateway = manager_gateway(m);
	_cleanup_free_ char *url = NULL;
	char token[TOKEN_HEX + 1];

	if (tokens_new(&m->tokens, token) < 0) {
		api_reply_error(q->call, 500, NULL, "no random numbers to make a token of");
		return;
	}
	if (gateway && asprintf(&url, "%s/?token=%s", gateway, token) < 0)
		url = NULL;
	api_reply_json(q->call, 200,
		       json_pack("{s:s s:i s:s?}", "token", token, "expires_s", TOKEN_LIFE_S, "url",
				 url));
}

/* A string member of the body; NULL after having answered. *ret_body keeps it alive. */
static const char *body_string(const struct api_request *q, const char *key, json_t **ret_body)
{
	const char *value;

	*ret_body = json_loadb(q->body, q->body_size, JSON_REJECT_DUPLICATES, NULL);
	value = json_string_value(json_object_get(*ret_body, key));
	if (!value)
		api_reply_error(q->call, 400, NULL, "the body must be a JSON object with \"%s\"",
				key);
	return value;
}

static void route_token_check(const struct api_request *q, void *ctx)
{
	struct manager *m = ctx;
	json_t *body;
	const char *token = body_string(q, "token", &body);
	uint64_t left = token ? tokens_check(&m->tokens, token) : 0;

	if (token && left)
		api_reply_json(q->call, 200, json_pack("{s:I}", "expires_s", (json_int_t)left));
	else if (token)
		api_reply_error(q->call, 403, "plopctl open makes a fresh one",
				"this token is not good (any more)");
	json_decref(body);
}

static void route_gateway(const struct api_request *q, void *ctx)
{
	struct manager *m = ctx;
	json_t *body;
	const char *url = body_string(q, "url", &body);
	char *copy;

	if (url && strlen(url) < 512 && strncmp(url, "http", 4) == 0) {
		copy = strdup(url);
		if (copy) {
			free(m->gateway);
			m->gateway = copy;
			m->gateway_seen_ns = clock_ns(CLOCK_MONOTONIC);
		}
		api_reply_json(q->call, 200, json_object());
	} else if (url) {
		api_reply_error(q->call, 400, NULL, "\"url\" must be an http address");
	}
	json_decref(body);
}

const struct api_route manager_routes[] = {
	{ "GET", "/v1/status", false, route_status },
	{ "GET", "/v1/processes", false, route_processes },
	{ "GET", "/v1/windows", false, route_windows },
	{ "GET", "/v1/profile", false, route_profile },
	{ "GET", "/v1/stream", false, route_stream },
	{ "POST", "/v1/recordings", false, route_record },
	{ "GET", "/v1/recordings/*", false, route_recording },
	{ "DELETE", "/v1/recordings/*", false, route_recording_stop },
	{ "POST", "/v1/tokens", false, route_token },
	{ "POST", "/v1/tokens/check", false, route_token_check },
	{ "POST", "/v1/gateway", false, route_gateway },
	{ "GET", "/debug/pprof/profile", false, route_pprof },
	{ "GET", "/metrics", false, route_metrics },
};
const size_t manager_nroutes = ARRAY_SIZE(manager_routes);
