/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/access.h"
#include "plopd/mark_routes.h"
#include "plopd/state_file.h"
#include "profile/selector_text.h"
#include "proc/parse.h"
#include "target/labels.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/utf8.h"

#define FILE_NAME "marks.json"
/* Writes at once for those who are not trusted. */
#define WAITING_MAX 16
/* Keys of one mark. */
#define SELECTORS_MAX 8

void mark_routes_load(struct mark_routes *m)
{
	_cleanup_buf_ struct buf text = {};
	int r = state_file_read(m->config->state_dir, FILE_NAME, &text);

	if (r == 0)
		r = marks_parse(&m->targets->marks, text.data ? text.data : "", text.size);
	if (r < 0 && r != -ENOENT)
		log_warning_r(r, "Cannot read %s/" FILE_NAME ", versions set by hand are not known",
			      m->config->state_dir);
}

/* The file as it shall be, and who waits for it. */
struct writing {
	struct mark_routes *routes;
	struct api_call *call; /* NULL: the client went away */
	bool trusted;
	struct buf text, answer;
	int r;
};

static void writing_free(struct writing *w)
{
	buf_free(&w->text);
	buf_free(&w->answer);
	free(w);
}

/* On the worker. */
static void write_run(void *ctx)
{
	struct writing *w = ctx;

	w->r = state_file_write(w->routes->config->state_dir, FILE_NAME, w->text.data,
				w->text.size);
}

static void write_done(void *ctx)
{
	struct writing *w = ctx;

	if (!w->trusted)
		w->routes->waiting--;
	if (w->r < 0)
		log_warning_r(w->r, "Cannot write " FILE_NAME " in %s",
			      w->routes->config->state_dir);
	if (w->call && w->r < 0)
		api_reply_error(w->call, 500, "it holds until plopd ends; see its log",
				"the version is set, and could not be kept: %s", strerror(-w->r));
	else if (w->call)
		api_reply(w->call, 200, "application/json", &w->answer, NULL);
	writing_free(w);
}

static void write_gone(void *ctx)
{
	((struct writing *)ctx)->call = NULL;
}

/* Has the marks written, and answers then. */
static void keep(const struct api_request *q, struct mark_routes *m, const char *version,
		 unsigned int processes)
{
	struct writing *w = calloc(1, sizeof(*w));
	struct json_writer text, answer;

	if (!w) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	w->routes = m;
	w->trusted = q->peer.trusted;
	text = json_writer_on(&w->text);
	marks_put(&m->targets->marks, &text);
	answer = json_writer_on(&w->answer);
	json_put_object(&answer, NULL);
	json_put_string(&answer, "version", version);
	json_put_uint(&answer, "processes", processes);
	json_put_end(&answer);
	if (json_writer_done(&text) < 0 || json_writer_done(&answer) < 0 ||
	    worker_submit(m->writer, write_run, write_done, w) < 0) {
		writing_free(w);
		api_reply_error(q->call, 503, "ask again in a moment",
				"the version is set, and could not be kept");
		return;
	}
	m->waiting += !w->trusted;
	w->call = api_defer(q, write_gone, w);
}

/* "selectors": ["KEY=VALUE", ...]. Answers and returns < 0 on bad input. */
static int take_selectors(const struct api_request *q, const json_t *list, struct selectors *ret)
{
	char why[SELECTOR_WHY_MAX];
	const json_t *text;
	size_t i;

	if (json_array_size(list) < 1 || json_array_size(list) > SELECTORS_MAX) {
		api_reply_error(q->call, 400, NULL,
				"a mark wants \"selectors\": [\"KEY=VALUE\", ...], of which there "
				"are 1 to %d",
				SELECTORS_MAX);
		return -EINVAL;
	}
	json_array_foreach(list, i, text)
	{
		int r = selectors_parse(ret, json_is_string(text) ? json_string_value(text) : "",
					NULL, why);
		const char *key = r == 0 ? ret->items[ret->n - 1].key : "";

		if (r == -ENOMEM)
			api_reply_error(q->call, 500, NULL, "out of memory");
		else if (r < 0)
			api_reply_error(q->call, 400, NULL, "%s", why);
		if (r < 0)
			return r;
		if (selector_is_of_process(key) && !streq(key, "pid") && !streq(key, "version"))
			continue;
		api_reply_error(q->call, 400, "mark its unit, cgroup or service",
				"a version is not set by %s", key);
		return -EINVAL;
	}
	return 0;
}

/* A version, "" to take one away. NULL after having answered. */
static const char *take_version(const struct api_request *q, const json_t *body)
{
	const json_t *text = json_object_get(body, "version");
	const char *version = json_string_value(text);
	size_t n = version ? json_string_length(text) : 0;
	bool good = version && n == strlen(version) && n <= PROC_MAX_LABEL;

	for (size_t at = 0; good && at < n;) {
		uint32_t c;

		at += utf8_decode_some(version + at, n - at, &c);
		good = c != UTF8_REPLACEMENT && utf8_is_visible(c);
	}
	if (good)
		return version;
	api_reply_error(q->call, 400, NULL,
			"\"version\" must be a text of at most %d bytes, without control "
			"characters",
			PROC_MAX_LABEL);
	return NULL;
}

static void set(const struct api_request *q, struct mark_routes *m, struct selectors *whom,
		const char *version)
{
	struct selectors seen = {};
	unsigned int n;
	int r = 0;

	access_limit(&q->peer, whom);
	/* those that it is for, after the mark has them */
	seen.owned = whom->owned;
	seen.uid = whom->uid;
	for (size_t i = 0; i < whom->n && r == 0; i++) {
		_cleanup_free_ char *text = NULL;

		r = asprintf(&text, "%s=%s", whom->items[i].key, whom->items[i].value) < 0 ?
			    -ENOMEM :
			    selectors_add(&seen, text);
	}
	if (r == 0)
		r = marks_set(&m->targets->marks, whom, version, clock_ns(CLOCK_REALTIME));
	n = r == 0 ? targets_mark(m->targets, &seen) : 0;
	selectors_done(&seen);
	if (r == -E2BIG)
		api_reply_error(q->call, 429, "take one away by setting it to nothing: version=",
				"%s versions are set by hand, which is the most",
				q->peer.trusted ? "too many" : "too many of your");
	else if (r < 0)
		api_reply_error(q->call, 500, NULL, "out of memory");
	else
		keep(q, m, version, n);
}

void route_mark(const struct api_request *q, void *ctx)
{
	json_t *body = json_loadb(q->body, q->body_size, JSON_REJECT_DUPLICATES, NULL);
	struct mark_routes *m = ctx;
	struct selectors whom = {};
	const char *version;

	if (!q->peer.trusted && m->waiting >= WAITING_MAX)
		api_reply_error(q->call, 429, "ask again in a moment",
				"other versions are being set");
	else if (take_selectors(q, json_object_get(body, "selectors"), &whom) == 0 &&
		 (version = take_version(q, body)))
		set(q, m, &whom, version);
	selectors_done(&whom);
	json_decref(body);
}
