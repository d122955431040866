/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/gateway.h"
#include "plop/version.h"
#include "query/question.h"
#include "query/store_source.h"

/* What can be said without plopd: from plop.db. */

struct offline_question {
	struct question question; /* first */
	struct store_source source;
	const struct gateway *gateway;
	char down[256]; /* why plopd cannot be asked */
};

/* Status says itself what is wrong with plop.db. */
static int offline_read(struct source *s, struct question *k)
{
	int r = store_source_read(s, k);

	return k->about == QUESTION_STORE && k->error ? 0 : r;
}

static void offline_status(const struct question *k, struct json_writer *w)
{
	const struct offline_question *o = (const struct offline_question *)k;
	const struct store_status store = {
		.state_dir = o->source.state_dir,
		.facts = &k->facts,
		.error = k->error,
	};

	json_put_object(w, NULL);
	json_put_string(w, "version", PLOP_VERSION);
	json_put_string(w, "mode", "offline");
	json_put_string(w, "error", o->down);
	json_put_string(w, "hint", "on the host: systemctl status plopd");
	/* how much there is of all services is not for who may see one */
	if (*o->question.query.selectors.service)
		json_put_string(w, "only_service", o->question.query.selectors.service);
	else
		store_status_put(w, "store", &store);
	json_put_string(w, "gateway", o->gateway->url);
	json_put_end(w);
}

static bool offline_refuse(const struct source *s, const struct question *k, struct refusal *ret)
{
	const struct offline_question *o = (const struct offline_question *)k;

	if (k->r == -ENOENT && !k->error)
		return false;
	if (k->r == -ENOENT || k->r == -EPROTO || k->r == -EACCES || k->r == -EAGAIN)
		refusal_say(ret, 503, "on the host: systemctl status plopd", "%s, and %s", o->down,
			    k->error ? k->error : "plop.db cannot be read");
	else if (k->r == -EBADMSG)
		refusal_say(ret, 503,
			    "on the host: systemctl start plopd, which sets it aside and begins a "
			    "new one",
			    "%s, and plop.db is damaged: %s", o->down,
			    k->error ? k->error : "its parts contradict each other");
	else
		return false;
	return true;
}

static void offline_done(struct question *k)
{
	question_clear(k);
	free(k);
}

#define RECORDINGS "/v1/recordings/"

int gateway_about(const struct api_request *q)
{
	if (!streq(q->method, "GET"))
		return -ENOENT;
	if (streq(q->path, "/v1/status"))
		return QUESTION_STORE;
	if (streq(q->path, "/v1/windows"))
		return QUESTION_WINDOWS;
	if (streq(q->path, "/v1/deploys"))
		return QUESTION_DEPLOYS;
	if (streq(q->path, "/v1/diff"))
		return QUESTION_DIFF;
	if (streq(q->path, "/v1/series"))
		return QUESTION_SERIES;
	if (streq(q->path, "/v1/lines"))
		return QUESTION_LINES;
	if (streq(q->path, "/v1/sd"))
		return QUESTION_SD;
	if (strncmp(q->path, "/v1/labels/", strlen("/v1/labels/")) == 0)
		return QUESTION_LABELS;
	if (streq(q->path, "/v1/recordings"))
		return QUESTION_RECORDINGS;
	if (strncmp(q->path, RECORDINGS, strlen(RECORDINGS)) == 0)
		return QUESTION_RECORDING;
	return streq(q->path, "/v1/profile") ? QUESTION_PROFILE : -ENOENT;
}

void gateway_offline(const struct gateway *g, const struct api_request *q, int r)
{
	_cleanup_query_ struct query query = {}, new_query = {};
	struct offline_question *o;
	int what = gateway_about(q);

	if (what < 0) {
		api_reply_error(q->call, 503, "on the host: systemctl status plopd",
				"plopd does not answer at %s: %s", g->config->socket, strerror(-r));
		return;
	}
	if (what == QUESTION_DIFF ? api_query_sides(q, &query, &new_query) < 0 :
				    api_query(q, &query) < 0)
		return;
	o = calloc(1, sizeof(*o));
	if (!o) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	api_limit(&q->peer, &query.selectors);
	api_limit(&q->peer, &new_query.selectors);
	o->source = (struct store_source){
		.source = { .worker = g->worker,
			    .hint = "see plop-gateway's log",
			    .read = offline_read,
			    .refuse = offline_refuse },
		.state_dir = g->config->state_dir,
	};
	if (what == QUESTION_DIFF)
		question_init_diff(&o->question, &o->source.source, &query, &new_query);
	else
		question_init(&o->question, &o->source.source, (enum question_about)what, &query);
	if (what == QUESTION_RECORDING)
		kept_set(&o->question.kept, q->path + strlen(RECORDINGS),
			 api_parameter(q, "format") != NULL);
	api_limit(&q->peer, &o->question.kept.see);
	o->question.write = offline_status;
	o->question.done = offline_done;
	o->gateway = g;
	snprintf(o->down, sizeof(o->down), "plopd does not answer at %.128s: %s", g->config->socket,
		 strerror(-r));
	api_ask(q, &o->question);
}
