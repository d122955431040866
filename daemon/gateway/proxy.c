/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/query.h"
#include "gateway/gateway.h"
#include "http/exchange.h"

/* Passes a request on to plopd, and its answer back. */

struct proxied {
	LIST_ENTRY(proxied) proxied; /* the gateway's */
	struct gateway *gateway;
	const struct api_request *request;
	struct api_call *call;
	struct exchange *exchange;
	bool streaming; /* the stream to the client has begun */
};

/* Of one event; a call graph of a large host. */
#define MAX_EVENT API_STREAM_BYTES

static void proxied_free(struct proxied *p)
{
	LIST_REMOVE(p, proxied);
	free(p);
}

static void on_gone(void *ctx)
{
	struct proxied *p = ctx;

	upstream_cancel(p->exchange);
	proxied_free(p);
}

void gateway_proxy_end(struct gateway *g, uint64_t session)
{
	struct proxied *p, *next;

	for (p = LIST_FIRST(&g->proxied); p; p = next) {
		next = LIST_NEXT(p, proxied);
		if (!p->streaming || p->request->peer.session != session)
			continue;
		upstream_cancel(p->exchange);
		api_stream_end(p->call);
		proxied_free(p);
	}
}

/* The request's target anew, without the token, which is the gateway's own. */
static char *make_target(const struct api_request *q)
{
	_cleanup_buf_ struct buf b = {};
	const char *p = q->path;
	char separator = '?';

	while (*p) {
		size_t n = strcspn(p + 1, "/");
		char component[512];

		if (n >= sizeof(component))
			return NULL;
		memcpy(component, p + 1, n);
		component[n] = '\0';
		buf_putc(&b, '/');
		http_escape(&b, component);
		p += n + 1;
	}
	for (size_t i = 0; i < q->nparameters; i++) {
		if (streq(q->parameters[i].key, "token"))
			continue;
		buf_putc(&b, separator);
		separator = '&';
		http_escape(&b, q->parameters[i].key);
		buf_putc(&b, '=');
		http_escape(&b, q->parameters[i].value);
	}
	/* plopd knows no address but its socket's */
	if (streq(q->path, "/v1/sd") && !api_parameter(q, "address")) {
		buf_printf(&b, "%caddress=", separator);
		http_escape(&b, api_header(q, "Host"));
	}
	return buf_string(&b);
}

/* The end of the first whole event in the buffer, 0: there is none. */
static size_t event_end(const struct buf *b)
{
	const char *p = b->size ? memmem(b->data, b->size, "\n\n", 2) : NULL;

	return p ? (size_t)(p - b->data) + 2 : 0;
}

static int on_stream_data(struct upstream_answer *a, void *ctx)
{
	struct proxied *p = ctx;
	size_t n;
	int r;

	/* An error comes as JSON: collect it. */
	if (a->status != 200)
		return 0;
	if (!p->streaming) {
		r = api_stream_begin(p->call);
		if (r < 0)
			return r;
		p->streaming = true;
	}
	while ((n = event_end(a->body)) > 0) {
		r = api_stream_raw(p->call, a->body->data, n);
		if (r == -ENOMEM)
			return r;
		buf_consume(a->body, n);
	}
	return a->body->size > MAX_EVENT ? -E2BIG : 0;
}

static bool is_down(int r)
{
	return r == -ECONNREFUSED || r == -ENOENT || r == -EACCES || r == -ETIMEDOUT ||
	       r == -EAGAIN;
}

/* plopd's no to the gateway, not to the token that the client has shown. */
static void refuse(struct api_call *call)
{
	api_reply_error(call, 502, "the user of plop-gateway must be in group plop",
			"plopd does not trust plop-gateway");
}

/* As api_reply() says it. */
static void reply_large(struct api_call *call)
{
	_cleanup_buf_ struct buf body = { .error = -EFBIG };

	api_reply(call, 200, NULL, &body, NULL);
}

static int say_coming(char *text, size_t size)
{
	return snprintf(text, size,
			"plop-gateway has %d MiB of answers under way, the most that it holds",
			UPSTREAM_COMING >> 20);
}

/*
 * A stream has no status any more: an event says why the gateway ends it. plopd's own end needs no
 * words.
 */
static void end_stream(struct api_call *call, int r)
{
	char said[512], why[256] = "";

	if (r == -ENOBUFS)
		say_coming(why, sizeof(why));
	else if (r == -E2BIG || r == -EFBIG)
		snprintf(why, sizeof(why),
			 "plop-gateway passes on windows of up to %d MiB, and this one is larger",
			 MAX_EVENT >> 20);
	if (*why) {
		int n = snprintf(said, sizeof(said), "{\"error\":\"%s\",\"hint\":\"%s\"}", why,
				 r == -ENOBUFS ? "try again in a moment" : "choose one process");

		api_stream_event(call, "refused", said, (size_t)n);
	}
	api_stream_end(call);
}

/* Whether plopd refuses the gateway itself, and not what the client's token is for. */
static bool is_of_gateway(const struct proxied *p, unsigned int status)
{
	return status == 401 || (status == 403 && !p->gateway->registered);
}

static void on_done(int r, struct upstream_answer *a, void *ctx)
{
	struct proxied *p = ctx;
	char why[256];

	if (p->streaming)
		end_stream(p->call, r);
	else if (r == -EFBIG)
		reply_large(p->call);
	else if (r == -ENOBUFS && say_coming(why, sizeof(why)))
		api_reply_error(p->call, 503, "try again in a moment", "%s", why);
	else if (is_down(r))
		gateway_offline(p->gateway, p->request, r);
	else if (r < 0)
		api_reply_error(p->call, 502, "on the host: journalctl -u plopd",
				"plopd did not finish its answer: %s", strerror(-r));
	else if (is_of_gateway(p, a->status))
		refuse(p->call);
	else
		api_reply(p->call, a->status,
			  *a->content_type ? a->content_type : "application/json", a->body,
			  (const char *const *)a->headers);
	proxied_free(p);
}

/* Longer than plopd takes to answer at most. */
static unsigned int timeout_of(const struct api_request *q)
{
	if (streq(q->path, "/v1/stream"))
		return 0;
	return streq(q->path, "/debug/pprof/profile") ? QUERY_MAX_SECONDS + 30 : 60;
}

void gateway_proxy(const struct api_request *q, void *ctx)
{
	static const struct upstream_callbacks whole = { .done = on_done };
	static const struct upstream_callbacks stream = { .data = on_stream_data, .done = on_done };
	struct gateway *g = ctx;
	struct upstream_request request = { .method = q->method,
					    .body = streq(q->method, "POST") ? q->body : NULL,
					    .scope = &q->peer.scope,
					    .timeout_s = timeout_of(q) };
	_cleanup_free_ char *target = NULL;
	struct proxied *p;
	int r = -ENOMEM;

	if (g->fleet) {
		gateway_hosts(g, q);
		return;
	}
	/*
	 * It would get answers about its own user's processes, and take them for all that there
	 * are.
	 */
	if (g->untrusted) {
		refuse(q->call);
		return;
	}
	/* it would answer as if there were no scope */
	if (g->registered && !g->recheck.number && !scope_lets(&q->peer.scope, NEEDS_ALL)) {
		api_reply_error(q->call, 503, "update plop on this host, and restart plopd",
				"plopd is of an older version, which knows no such token");
		return;
	}
	target = make_target(q);
	p = calloc(1, sizeof(*p));
	if (p && target) {
		p->gateway = g;
		p->request = q;
		LIST_INSERT_HEAD(&g->proxied, p, proxied);
		request.target = target;
		r = upstream_start(g->upstream, &request,
				   streq(q->path, "/v1/stream") ? &stream : &whole, p,
				   &p->exchange);
	}
	if (r < 0) {
		if (p && target)
			LIST_REMOVE(p, proxied);
		free(p);
		api_reply_error(q->call, 500, NULL, "failed to ask plopd: %s", strerror(-r));
		return;
	}
	p->call = api_defer(q, on_gone, p);
}
