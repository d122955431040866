/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/source.h"
#include "gateway/gateway.h"
#include "plop/version.h"
#include "profile/selector_text.h"
#include "util/log.h"

/* What is answered over all hosts: from the fleet's store, and no plopd is asked. */

struct fleet_question {
	struct question question; /* first */
	struct fleet_source source;
	const struct gateway *gateway;
};

static void put_time(struct json_writer *w, const char *key, uint32_t seconds)
{
	if (seconds)
		json_put_seconds(w, key, (int64_t)(seconds * NSEC_PER_SEC));
	else
		json_put_null(w, key);
}

static void fleet_status(const struct question *k, struct json_writer *w)
{
	const struct fleet_question *o = (const struct fleet_question *)k;
	const struct fleet_facts *facts = &o->source.facts;

	json_put_object(w, NULL);
	json_put_string(w, "version", PLOP_VERSION);
	json_put_string(w, "mode", "fleet");
	json_put_object(w, "store");
	json_put_string(w, "path", fleet_place(o->source.fleet));
	json_put_uint(w, "hosts", facts->hosts);
	json_put_uint(w, "windows", facts->windows);
	put_time(w, "oldest", facts->oldest_s);
	put_time(w, "newest", facts->newest_s);
	json_put_string(w, "error", k->error);
	json_put_end(w);
	json_put_string(w, "gateway", o->gateway->url);
	json_put_end(w);
}

static void fleet_done(struct question *k)
{
	struct fleet_question *o = (struct fleet_question *)k;

	free(o->source.wish.selectors);
	question_clear(k);
	free(k);
}

int gateway_hosts_new(struct gateway *g)
{
	const struct clickhouse_options o = {
		.url = g->config->fleet_store + strlen(CONFIG_CLICKHOUSE),
		.user = g->config->fleet_user,
		.password_file = g->config->fleet_password_file,
		.ca_file = g->config->fleet_ca_file,
	};
	_cleanup_free_ char *error = NULL;
	const char *url;
	int r;

	if (config_store_of(g->config->fleet_store, &url) != CONFIG_STORE_CLICKHOUSE) {
		log_error("only a ClickHouse can be asked for all hosts: --store clickhouse=URL");
		return -EINVAL;
	}
	if (!*g->config->token && !*g->config->gateway_user_header) {
		log_error("who asks for a fleet needs a token, which no plopd makes: set token in "
			  "[gateway] of plop.conf, or user_header behind a proxy");
		return -EINVAL;
	}
	r = fleet_new(&o, &g->fleet, &error);
	if (r == 0)
		r = fleet_new(&o, &g->slow_fleet, &error);
	if (r == 0)
		r = worker_new(g->loop, "plop-slow", QUESTIONS_MAX, &g->slow_worker);
	if (r == 0)
		r = fleet_roller_new(g->loop, &o, g->config->fleet_retention_ns, &g->roller,
				     &error);
	if (r < 0)
		log_error("cannot use the fleet's store: %s", error ? error : strerror(-r));
	else
		selectors_over_hosts();
	return r;
}

/* What is asked of the fleet alone, and whether it takes long. */
static const struct of_fleet {
	const char *path;
	enum fleet_about about;
	bool slow;
} of_fleet[] = {
	{ "/v1/outliers", FLEET_OUTLIERS, true },    { "/v1/regressions", FLEET_REGRESSIONS, true },
	{ "/v1/hosts", FLEET_HOSTS_OF, false },      { "/v1/processes", FLEET_PROCESSES_OF, false },
	{ "/v1/fleet/record", FLEET_RECORD, false }, { "/v1/fleet/record/", FLEET_RECORDED, false },
};

/* With a "/" at the end: what lies below. */
static bool is_path(const struct api_request *q, const char *path)
{
	size_t n = strlen(path);

	return path[n - 1] == '/' ? strncmp(q->path, path, n) == 0 : streq(q->path, path);
}

static const struct of_fleet *find_of_fleet(const struct api_request *q)
{
	for (size_t i = 0; i < ARRAY_SIZE(of_fleet); i++)
		if (is_path(q, of_fleet[i].path))
			return &of_fleet[i];
	return NULL;
}

/* What is not in the query. False: it is refused. */
static bool take_more(const struct api_request *q, enum fleet_about about, struct query *query,
		      struct fleet_wish *wish)
{
	struct refusal why = {};
	int r = about == FLEET_RECORD   ? gateway_wish(q, query, wish, &why) :
		about == FLEET_RECORDED ? gateway_requested(q, query, &why) :
					  0;

	if (r == -EINVAL)
		api_reply_error(q->call, why.status, why.hint, "%s", why.error);
	else if (r < 0)
		api_reply_error(q->call, 500, NULL, "%s", strerror(-r));
	return r == 0;
}

static struct fleet_question *begin(const struct gateway *g, const struct of_fleet *of)
{
	struct fleet_question *o = calloc(1, sizeof(*o));
	bool slow = of && of->slow;

	if (!o)
		return NULL;
	o->gateway = g;
	o->source = (struct fleet_source){
		.source = { .worker = slow ? g->slow_worker : g->worker,
			    .hint = "see plop-gateway's log",
			    .read = fleet_source_read,
			    .refuse = fleet_source_refuse },
		.fleet = slow ? g->slow_fleet : g->fleet,
	};
	if (of)
		o->source.about = of->about;
	return o;
}

/* Who has hosts ship more, as plopd tells it of a recording. */
static void audit(const struct api_request *q, const struct fleet_wish *wish)
{
	const char *what = *wish->selectors ? wish->selectors : "all";
	char seconds[16];

	snprintf(seconds, sizeof(seconds), "%u", wish->seconds);
	log_event(LOG_LEVEL_INFO,
		  (const struct log_field[]){ { "PLOP_AUDIT", "fleet recording" },
					      { "PLOP_WHAT", what },
					      { "PLOP_SECONDS", seconds },
					      { "PLOP_WHO", q->peer.scope.who },
					      {} },
		  "All windows of %.256s for %s s on %u hosts, asked for by %s", what, seconds,
		  wish->hosts, q->peer.scope.who);
}

void gateway_hosts(const struct gateway *g, const struct api_request *q)
{
	_cleanup_query_ struct query query = {}, new_query = {};
	const struct of_fleet *of = find_of_fleet(q);
	struct fleet_wish wish = { .who = g->own_name };
	int what = of ? QUESTION_OF_SOURCE : gateway_about(q);
	struct fleet_question *o;

	if (what < 0 || what == QUESTION_RECORDING || what == QUESTION_SD) {
		api_reply_error(q->call, 501, "ask plop-gateway of that host",
				"%s is of one host, and this is a fleet", q->path);
		return;
	}
	if (what == QUESTION_DIFF ? api_query_sides(q, &query, &new_query) < 0 :
				    api_query(q, &query) < 0)
		return;
	if (of && !take_more(q, of->about, &query, &wish)) {
		free(wish.selectors);
		return;
	}
	if (of && of->about == FLEET_RECORD)
		audit(q, &wish);
	o = begin(g, of);
	if (!o) {
		free(wish.selectors);
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	if (what == QUESTION_DIFF)
		question_init_diff(&o->question, &o->source.source, &query, &new_query);
	else
		question_init(&o->question, &o->source.source, (enum question_about)what, &query);
	o->source.wish = wish;
	o->question.write = fleet_status;
	o->question.done = fleet_done;
	api_ask(q, &o->question);
}

void gateway_of_fleet(const struct api_request *q, void *ctx)
{
	const struct gateway *g = ctx;

	if (g->fleet)
		gateway_hosts(g, q);
	else
		api_reply_error(q->call, 501,
				"ask the one that serves a fleet: plop-gateway --store",
				"%s is of a fleet, and this is one host", q->path);
}
