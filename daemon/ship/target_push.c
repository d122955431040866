/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/server.h"
#include "ship/push_judge.h"
#include "ship/target.h"
#include "util/clock.h"

/* A request that was put off so many times has fewer rows then: its size may be why. */
#define PUT_OFF_MOST 3
#define ROWS_LEAST   16

/*
 * A profile store of others. They add up what they are sent, and know nothing of windows: what was
 * sent and not answered is sent again, and may be there twice. So a window goes in as many requests
 * as it takes (push.h), in order, and each that is answered is behind us.
 */
struct to_push {
	struct ship_target target;
	enum push_store store;
	char *base;  /* of the address, without a "/" at its end; owned */
	char *place; /* "host:4040", for messages; owned */
	struct poster *poster;
	int64_t window; /* that most and put_off are about */
	uint32_t most;  /* rows of a request */
	unsigned int put_off;
};

static void done(struct ship_target *t)
{
	struct to_push *to = (struct to_push *)t;

	if (to->poster)
		poster_free(to->poster);
	free(to->base);
	free(to->place);
	free(to);
}

static int check(struct ship_target *t, struct ship_trouble *ret_why)
{
	/* none of them says what it takes before it is sent something */
	return 0;
}

static int trouble(int r, bool away, unsigned int retry_after_s, const char *sentence,
		   struct ship_trouble *ret)
{
	*ret = (struct ship_trouble){ .away = away, .retry_after_s = retry_after_s };
	snprintf(ret->sentence, sizeof(ret->sentence), "%s", sentence);
	return r;
}

/* One request: what became of it, or a negative errno. */
static int post(struct to_push *to, const struct push_request *q, bool old,
		char sentence[static POSTER_WHY], struct ship_trouble *ret_why)
{
	_cleanup_(poster_answer_done) struct poster_answer a = {};
	_cleanup_buf_ struct buf said = { .limit = POSTER_SAID_MAX };
	_cleanup_free_ char *url = NULL;
	struct poster_call call = {
		.body = &q->body, .content_type = q->content_type, .gzip = q->gzip, .to = &said
	};
	enum push_verdict verdict;
	int r;

	if (asprintf(&url, "%s%s", to->base, q->path) < 0)
		return -ENOMEM;
	call.url = url;
	r = poster_post(to->poster, &call, &a);
	/* a success is one whatever becomes of the words behind it */
	if (r < 0 && (a.status < 200 || a.status >= 300))
		return r == -ENOMEM ? r : trouble(r, r == -EAGAIN, 0, a.why, ret_why);
	verdict = push_judge(to->store, to->place, &a, old, sentence);
	if (verdict == PUSH_TAKEN && to->store == PUSH_OTLP &&
	    push_judge_partial(to->place, &said, sentence))
		verdict = PUSH_NEVER;
	to->put_off = a.status == 429 ? to->put_off + 1 : 0;
	if (verdict == PUSH_LATER)
		return trouble(-EAGAIN, false, a.retry_after_s, sentence, ret_why);
	if (verdict == PUSH_NOT_US)
		return trouble(-EACCES, false, 0, sentence, ret_why);
	if (verdict == PUSH_NO_SUCH)
		return trouble(-ENOENT, false, 0, sentence, ret_why);
	return verdict;
}

/* The request that begins with that row. How many rows have gone, or a negative errno. */
static int64_t send_part(struct to_push *to, const struct push *p, const struct ship_window *w,
			 uint32_t row, struct ship_trouble *ret_why)
{
	bool old = w->profile->end_ns + PUSH_OLD_NS < clock_ns(CLOCK_REALTIME);
	_cleanup_(push_request_done) struct push_request q = {};
	struct ship_part part = { .all = push_rows(p) };
	char sentence[POSTER_WHY] = "";
	int r = push_request(p, row, to->most, &q);

	if (r == 0)
		r = post(to, &q, old, sentence, ret_why);
	if (to->put_off >= PUT_OFF_MOST && q.rows > ROWS_LEAST)
		to->most = q.rows / 2;
	if (r < 0)
		return r;
	if (r == PUSH_SMALLER && q.rows > 1) {
		to->most = q.rows / 2;
		return 0;
	}
	part.rows = q.rows;
	part.done = row + q.rows;
	part.samples = q.counted;
	part.refused = r == PUSH_TAKEN ? NULL : sentence;
	w->went(w->ctx, &part);
	return q.rows;
}

static enum push_store store_of(const struct config *c, const char **ret_url)
{
	switch (config_store_of(c->fleet_store, ret_url)) {
	case CONFIG_STORE_PYROSCOPE:
		return PUSH_PYROSCOPE;
	case CONFIG_STORE_PARCA:
		return PUSH_PARCA;
	case CONFIG_STORE_COROOT:
		return PUSH_COROOT;
	default:
		return PUSH_OTLP;
	}
}

static int send_window(struct ship_target *t, const struct ship_window *w, uint32_t *ret_rows,
		       struct ship_trouble *ret_why)
{
	struct to_push *to = (struct to_push *)t;
	const struct push_from from = { .host = w->host->name, .region = w->host->region };
	const struct push_weights weights = {
		.processes = w->weights->processes,
		.fraction = ship_plan_fraction(w->host->id, w->profile->start_ns),
	};
	_cleanup_(push_freep) struct push *p = NULL;
	int64_t r = push_new(to->store, w->profile, &weights, &from, &p);
	uint32_t row;

	if (r < 0)
		return (int)r;
	if (to->window != w->place->id) {
		to->window = w->place->id;
		to->most = PUSH_SAMPLES;
		to->put_off = 0;
	}
	/* it is another window where it has other rows, as it would by another share */
	row = w->all == push_rows(p) ? w->done : 0;
	for (; r >= 0 && row < push_rows(p); row += (uint32_t)MAX(r, 0))
		r = send_part(to, p, w, row, ret_why);
	return r < 0 ? (int)r : 0;
}

static uint64_t bytes_sent(const struct ship_target *t)
{
	return poster_sent(((const struct to_push *)t)->poster);
}

static void stop(struct ship_target *t)
{
	poster_stop(((struct to_push *)t)->poster);
}

static int say(char **ret_error, int r, const char *what, const char *of)
{
	if (asprintf(ret_error, "%s%s", what, of) < 0)
		*ret_error = NULL;
	return r;
}

/* The address that paths are put behind. */
static int take_url(struct to_push *to, const char *url, char **ret_error)
{
	const char *why, *host;
	int r = http_server_parse(url, &to->base, &why);

	if (r == -EINVAL)
		return say(ret_error, r, url,
			   " is no address of a store: that is http://HOST:PORT or "
			   "https://HOST:PORT, with a path behind it where there is one; user, "
			   "password and token are options of their own in [fleet] of plop.conf");
	if (r < 0)
		return r;
	host = strstr(to->base, "://") + 3;
	to->place = strndup(host, strcspn(host, "/"));
	return to->place ? 0 : -ENOMEM;
}

static int read_secret(const char *option, const char *path, char **ret, char **ret_error)
{
	int r = poster_secret(path, ret);

	if (r < 0 && r != -ENOMEM &&
	    asprintf(ret_error, "cannot read %s %s: %s", option, path,
		     r == -ENODATA ? "it is empty" : strerror(-r)) < 0)
		*ret_error = NULL;
	return r;
}

static int put_header(struct to_push *to, const char *name, const char *value)
{
	_cleanup_free_ char *line = NULL;

	if (asprintf(&line, "%s%s", name, value) < 0)
		return -ENOMEM;
	return poster_header(to->poster, line);
}

/* Who sends, by headers. */
static int set_user(struct to_push *to, const struct config *c, char **ret_error)
{
	bool user = *c->fleet_user || *c->fleet_password_file;
	_cleanup_free_ char *token = NULL, *password = NULL;
	int r = 0;

	if (*c->fleet_token_file && user && to->store != PUSH_COROOT)
		return say(ret_error, -EINVAL,
			   "token_file is in [fleet] of plop.conf and so are user or "
			   "password_file, of which a store is shown one",
			   "");
	if (*c->fleet_token_file)
		r = read_secret("token_file", c->fleet_token_file, &token, ret_error);
	if (r == 0 && *c->fleet_password_file)
		r = read_secret("password_file", c->fleet_password_file, &password, ret_error);
	if (r == 0 && token)
		r = put_header(to,
			       to->store == PUSH_COROOT ? "X-API-Key: " : "Authorization: Bearer ",
			       token);
	if (r == 0 && user)
		r = poster_user(to->poster, c->fleet_user, password ? password : "");
	if (r == 0 && *c->fleet_tenant)
		r = put_header(to, "X-Scope-OrgID: ", c->fleet_tenant);
	return r;
}

int target_push_new(const struct config *c, struct ship_target **ret, char **ret_error)
{
	static const struct ship_target_ops ops = {
		.check = check,
		.send = send_window,
		.sent = bytes_sent,
		.stop = stop,
		.free = done,
	};
	struct to_push *to = calloc(1, sizeof(*to));
	const char *url = "";
	int r;

	if (!to)
		return -ENOMEM;
	to->target.ops = &ops;
	to->store = store_of(c, &url);
	if (c->fleet_target)
		r = say(ret_error, -EINVAL,
			"target in [fleet] of plop.conf is for a ClickHouse: other stores do not "
			"say how many samples of a service they have",
			"");
	else
		r = take_url(to, url, ret_error);
	if (r == 0)
		r = poster_new(&(struct poster_options){ .place = to->place,
							 .ca_file = c->fleet_ca_file },
			       &to->poster);
	if (r == 0)
		r = set_user(to, c, ret_error);
	if (r == 0)
		*ret = &to->target;
	else
		done(&to->target);
	return r;
}
