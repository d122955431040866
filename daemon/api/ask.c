/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/api.h"
#include "query/kept.h"
#include "query/question.h"
#include "util/clock.h"
#include "util/log.h"

static int refuse(const struct api_request *q, int r, const struct refusal *why)
{
	if (r == -EINVAL)
		api_reply_error(q->call, why->status, why->hint, "%s", why->error);
	else if (r < 0)
		api_reply_error(q->call, 500, NULL, "failed to read the query: %s", strerror(-r));
	return r;
}

#define LABELS    "/v1/labels/"
#define RECORDING "/v1/recordings/"
#define SD        "/v1/sd"
#define PPROF     "/debug/pprof/profile"

static int fit_lines(const struct query *query, struct refusal *ret)
{
	if (query->name)
		refusal_say(ret, 400, "it chooses among /v1/recordings", "name is no selector");
	else if (!query->function && !query->file)
		refusal_say(ret, 400, "say function=NAME, file=PATH or both",
			    "lines are of a function, or of a file");
	else
		return 0;
	return -EINVAL;
}

/* Where it is scraped: at the address that was asked, or another that whoever asks knows of. */
static int fit_sd(const struct api_request *q, struct query *query, struct refusal *ret)
{
	const char *host = api_header(q, "Host");

	if (!query->address && host) {
		query->address = strdup(host);
		if (!query->address)
			return -ENOMEM;
	}
	if (query->address && sd_address_valid(query->address))
		return 0;
	refusal_say(ret, 400, "say address=HOST:PORT, at which this is scraped",
		    "\"%.64s\" is not an address", query->address ? query->address : "");
	return -EINVAL;
}

/* What only scrapers need. */
static int fit_scrapes(const struct api_request *q, const struct query *query, struct refusal *ret)
{
	if (query->last && !streq(q->path, PPROF))
		refusal_say(ret, 400, "say from and to, or ask " PPROF, "last is no selector");
	else if (query->request && !streq(q->path, "/v1/profile"))
		refusal_say(ret, 400, "it is of /v1/profile", "request is no selector");
	else if (query->address && !streq(q->path, SD))
		refusal_say(ret, 400, "it is of " SD, "address is no selector");
	else
		return 0;
	return -EINVAL;
}

/* What of a query is of some routes only. */
static int fit(const struct api_request *q, struct query *query, struct refusal *ret)
{
	if (fit_scrapes(q, query, ret) < 0)
		return -EINVAL;
	if (strncmp(q->path, LABELS, strlen(LABELS)) == 0)
		return query_set_label(query, q->path + strlen(LABELS), ret);
	if (streq(q->path, "/v1/lines"))
		return fit_lines(query, ret);
	/* the lines of what was recorded */
	if (strncmp(q->path, RECORDING, strlen(RECORDING)) == 0 && !query->name &&
	    streq(query->format->name, "json"))
		return 0;
	if (query->function && !streq(q->path, "/v1/series") && !streq(q->path, "/v1/hosts")) {
		refusal_say(ret, 400,
			    "ask /v1/series or /v1/lines, or choose from what /v1/profile answers",
			    "function is no selector");
		return -EINVAL;
	}
	if (query->file) {
		refusal_say(ret, 400, "ask /v1/lines, or choose from what /v1/profile answers",
			    "file is no selector");
		return -EINVAL;
	}
	if (query->recording) {
		refusal_say(ret, 400, "ask /v1/recordings/ID, or compare two by /v1/diff",
			    "recording is no selector");
		return -EINVAL;
	}
	if (streq(q->path, "/v1/recordings"))
		return kept_fit(query, ret);
	if (!query->name)
		return streq(q->path, SD) ? fit_sd(q, query, ret) : 0;
	refusal_say(ret, 400, "it chooses among /v1/recordings", "name is no selector");
	return -EINVAL;
}

int api_query(const struct api_request *q, struct query *ret)
{
	_cleanup_query_ struct query query = {};
	struct refusal why = {};
	int r = query_parse(q->parameters, q->nparameters, clock_ns(CLOCK_REALTIME), &query, &why);

	if (r == 0)
		r = fit(q, &query, &why);
	if (r == 0) {
		*ret = query;
		query = (struct query){};
	}
	return refuse(q, r, &why);
}

int api_query_sides(const struct api_request *q, struct query *ret_base, struct query *ret_new)
{
	struct refusal why = {};
	int r = query_parse_sides(q->parameters, q->nparameters, clock_ns(CLOCK_REALTIME), ret_base,
				  ret_new, &why);

	return refuse(q, r, &why);
}

/* A request that waits for the answer to its question. */
struct asked {
	struct api_call *call; /* NULL: the client went away */
	struct question *question;
	int r; /* what question_write() returned */
};

static void asked_end(struct asked *a)
{
	a->question->done(a->question);
	free(a);
}

static void asked_gone(void *ctx)
{
	struct asked *a = ctx;

	a->call = NULL;
}

static void asked_refuse(struct asked *a)
{
	struct refusal refusal = {};

	question_refuse(a->question, &refusal);
	if (refusal.status == 500)
		log_warning("Cannot answer a question: %s", refusal.error);
	api_reply_error(a->call, refusal.status, refusal.hint, "%s", refusal.error);
}

static void asked_write(void *ctx)
{
	struct asked *a = ctx;

	a->r = question_write(a->question);
}

static void asked_reply(void *ctx)
{
	struct asked *a = ctx;
	struct question *k = a->question;

	if (a->call && k->r < 0)
		asked_refuse(a);
	else if (a->call && question_is_of_profile(k))
		api_reply_written(a->call, k->profile, k->query.format, a->r, &k->answer);
	else if (a->call)
		api_reply(a->call, 200, "application/json", &k->answer, NULL);
	asked_end(a);
}

static void asked_read(void *ctx)
{
	question_read(((struct asked *)ctx)->question);
}

static void asked_add(void *ctx)
{
	struct asked *a = ctx;
	struct question *k = a->question;
	int r;

	if (k->r >= 0 && a->call)
		question_add(k);
	if (k->source->end)
		k->source->end(k->source, k);
	if (k->r < 0 || !a->call) {
		if (a->call)
			asked_refuse(a);
		asked_end(a);
		return;
	}
	r = worker_continue(k->source->worker, asked_write, asked_reply, a);
	if (r >= 0)
		return;
	/* there is no memory for it: what was read is not thrown away for that */
	log_debug_r(r, "Writing an answer on the loop");
	asked_write(a);
	asked_reply(a);
}

void api_ask(const struct api_request *q, struct question *k)
{
	struct asked *a = calloc(1, sizeof(*a));
	struct source *s = k->source;
	int r;

	if (!a) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		k->done(k);
		return;
	}
	k->answer.limit = api_answer_max(q->call);
	a->question = k;
	a->call = api_defer(q, asked_gone, a);
	r = s->submit ? s->submit(s, k, asked_read, asked_add, a) :
			worker_submit(s->worker, asked_read, asked_add, a);
	if (r >= 0)
		return;
	api_reply_error(a->call, r == -EAGAIN ? 503 : 500, "ask again in a moment",
			r == -EAGAIN ? "too many questions at once" : "out of memory");
	asked_end(a);
}
