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
#include "window/memo.h"

/* Where an older plopd kept them. */
#define FILE_NAME "marks.json"
/* Writes at once for those who are not trusted. */
#define WAITING_MAX 4
/* Keys of one mark. */
#define SELECTORS_MAX 8

/* What is written, and who waits for it. */
struct writing {
	struct mark_routes *routes;
	struct api_call *call; /* NULL: nobody, or the client went away */
	bool trusted;
	bool from_file; /* it was read in FILE_NAME */
	struct buf answer;
};

static void writing_free(struct writing *w)
{
	buf_free(&w->answer);
	free(w);
}

static void write_done(int r, void *ctx)
{
	struct writing *w = ctx;
	const char *state_dir = w->routes->config->state_dir;

	if (!w->trusted)
		w->routes->waiting--;
	if (r < 0)
		log_warning_r(r, "Cannot write versions set by hand into plop.db in %s", state_dir);
	if (w->call && r < 0)
		api_reply_error(w->call, 500, "it holds, and is kept when plop.db can be written",
				"the version is set, and could not be kept: %s", strerror(-r));
	else if (w->call)
		api_reply(w->call, 200, "application/json", &w->answer, NULL);
	if (w->from_file && r == 0)
		state_file_remove(state_dir, FILE_NAME);
	writing_free(w);
}

static void write_gone(void *ctx)
{
	((struct writing *)ctx)->call = NULL;
}

/* Takes w, unless it fails. */
static int write_marks(struct mark_routes *m, struct writing *w)
{
	_cleanup_buf_ struct buf text = {};
	struct json_writer json = json_writer_on(&text);
	int r;

	marks_put(&m->targets->marks, NULL, &json);
	r = json_writer_done(&json);
	return r < 0 ? r : windows_save_memo(m->windows, MEMO_MARKS, &text, write_done, w);
}

/* Those of the file are in plop.db from now on. */
static void take_over(struct mark_routes *m)
{
	struct writing *w = calloc(1, sizeof(*w));
	int r = w ? 0 : -ENOMEM;

	if (r == 0) {
		*w = (struct writing){ .routes = m, .trusted = true, .from_file = true };
		r = write_marks(m, w);
	}
	if (r < 0) {
		log_warning_r(r, "Cannot write what is in " FILE_NAME " into plop.db");
		free(w);
	}
}

static int read_memo(const struct mark_routes *m, struct buf *text)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	int r = store_reader_open(m->config->state_dir, &reader, NULL);

	return r < 0 ? r : store_read_memo(reader, MEMO_MARKS, text);
}

void mark_routes_load(struct mark_routes *m)
{
	_cleanup_buf_ struct buf text = {};
	int r = state_file_read(m->config->state_dir, FILE_NAME, &text);
	bool from_file = r == 0;

	if (r == -ENOENT)
		r = read_memo(m, &text);
	if (r == 0)
		r = marks_parse(&m->targets->marks, text.data ? text.data : "", text.size);
	if (r < 0 && r != -ENOENT)
		log_warning_r(r, "Cannot read %s in %s, versions set by hand are not known",
			      from_file ? FILE_NAME : "plop.db", m->config->state_dir);
	else if (from_file)
		take_over(m);
}

/* What comes of a mark. */
struct marked {
	const char *version;
	unsigned int processes;
	bool replaced; /* one that was there */
};

/* Has the marks written, and answers then. */
static void keep(const struct api_request *q, struct mark_routes *m, const struct marked *k)
{
	struct writing *w = calloc(1, sizeof(*w));
	struct json_writer answer;
	int r;

	if (!w) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	w->routes = m;
	w->trusted = q->peer.trusted;
	answer = json_writer_on(&w->answer);
	json_put_object(&answer, NULL);
	json_put_string(&answer, "version", k->version);
	json_put_uint(&answer, "processes", k->processes);
	json_put_bool(&answer, "replaced", k->replaced);
	json_put_end(&answer);
	r = json_writer_done(&answer);
	if (r == 0)
		r = write_marks(m, w);
	if (r < 0) {
		writing_free(w);
		api_reply_error(q->call, 503, "ask again in a moment",
				"the version is set, and could not be kept");
		return;
	}
	m->waiting += !w->trusted;
	w->call = api_defer(q, write_gone, w);
}

void route_marks(const struct api_request *q, void *ctx)
{
	const struct mark_routes *m = ctx;
	struct selectors see = {};
	struct buf answer = {};
	struct json_writer w = json_writer_on(&answer);

	api_limit(&q->peer, &see);
	marks_put(&m->targets->marks, &see, &w);
	api_reply_writer(q->call, 200, &w);
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
	struct marked k = { .version = version };
	struct selectors seen = {};
	int r = 0;

	api_limit(&q->peer, whom);
	k.replaced = marks_has(&m->targets->marks, whom);
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
	k.processes = r == 0 ? targets_mark(m->targets, &seen) : 0;
	selectors_done(&seen);
	if (r == -E2BIG)
		api_reply_error(q->call, 429,
				"plopctl mark --list shows them, and --remove takes one away",
				"%s versions are set by hand, which is the most",
				q->peer.trusted ? "too many" : "too many of your");
	else if (r < 0)
		api_reply_error(q->call, 500, NULL, "out of memory");
	else
		keep(q, m, &k);
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
