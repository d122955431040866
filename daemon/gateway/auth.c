/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/check.h"
#include "gateway/gateway.h"
#include "http/exchange.h"
#include "util/clock.h"
#include "util/log.h"

#define MAX_CHECKS     16
#define MAX_EXPIRES_S  86400.0
#define DEFAULT_EXPIRY 60 /* seconds, if plopd does not say */

/* A request that waits for plopd's word on its token. */
struct check {
	struct gateway *gateway;
	const struct api_request *request;
	struct api_peer *peer; /* the request's */
	struct exchange *exchange;
	char token[SESSION_TEXT_MAX];
};

static void refuse(const struct api_request *q, bool bad_token)
{
	const char *const headers[] = { "WWW-Authenticate: Bearer realm=\"plop\"", NULL };
	_cleanup_buf_ struct buf body = {};

	if (gateway_is_page(q->path)) {
		gateway_reply_page(q, bad_token ? PAGE_BAD_TOKEN : PAGE_LOGIN);
		return;
	}
	buf_printf(&body,
		   "{\"error\":\"%s\",\"hint\":\"plopctl open prints an address with a token; or "
		   "set token in plop.conf "
		   "and send Authorization: Bearer\"}\n",
		   bad_token ? "the token is not good, or no longer" : "a token is needed");
	api_reply(q->call, 401, "application/json", &body, headers);
}

/*
 * Puts a session in the place of the token: a cookie, and the same address without token, but with
 * what the viewer is to show. One who has a session already (token: NULL) keeps that: the token was
 * not looked at.
 */
static void redirect(struct gateway *g, const struct api_request *q, const char *token)
{
	char id[SESSION_HEX + 1], cookie[192];
	_cleanup_buf_ struct buf body = {}, location = {};
	_cleanup_free_ char *target = NULL;
	char between = '?';

	if (token && session_random(id, sizeof(id)) < 0) {
		api_reply_error(q->call, 500, NULL, "no random number for a session");
		return;
	}
	if (token) {
		sessions_add(&g->cookies, id, token,
			     clock_ns(CLOCK_BOOTTIME) + COOKIE_HOURS * 3600 * NSEC_PER_SEC);
		snprintf(cookie, sizeof(cookie),
			 "Set-Cookie: %s=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%d",
			 g->cookie, id, COOKIE_HOURS * 3600);
	}
	buf_printf(&location, "Location: %s", q->path);
	for (size_t i = 0; i < q->nparameters; i++) {
		if (streq(q->parameters[i].key, "token"))
			continue;
		buf_putc(&location, between);
		http_escape(&location, q->parameters[i].key);
		buf_putc(&location, '=');
		http_escape(&location, q->parameters[i].value);
		between = '&';
	}
	target = buf_string(&location);
	if (!target) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	api_reply(q->call, 303, NULL, &body,
		  (const char *const[]){ GATEWAY_PAGE_HEADERS, target, token ? cookie : NULL,
					 NULL });
}

/* The form of the page to log in. */
static bool is_form(const struct api_request *q)
{
	return streq(q->method, "POST") && gateway_is_page(q->path);
}

static bool wants_session(const struct api_request *q)
{
	return is_form(q) ||
	       (api_parameter(q, "token") && streq(q->method, "GET") && gateway_is_page(q->path));
}

static void check_gone(void *ctx)
{
	struct check *c = ctx;

	c->gateway->checks--;
	upstream_cancel(c->exchange);
	free(c);
}

static void check_done(int r, struct upstream_answer *a, void *ctx)
{
	struct check *c = ctx;
	struct gateway *g = c->gateway;
	const struct api_request *q = c->request;
	double expires = DEFAULT_EXPIRY;
	json_t *o;

	g->checks--;
	if (r < 0) {
		if (gateway_is_page(q->path))
			gateway_reply_page(q, PAGE_DOWN);
		else
			api_reply_error(q->call, 503, "on the host: systemctl status plopd",
					"plopd does not answer, and it checks tokens: %s",
					strerror(-r));
	} else if (a->status != 200) {
		if (a->status != 403)
			log_warning("plopd does not check tokens for this user: HTTP status %u",
				    a->status);
		refuse(q, true);
	} else {
		o = json_loadb(a->body->data, a->body->size, 0, NULL);
		if (json_is_number(json_object_get(o, "expires_s")))
			expires = json_number_value(json_object_get(o, "expires_s"));
		json_decref(o);
		expires = expires > MAX_EXPIRES_S ? MAX_EXPIRES_S : expires > 0 ? expires : 0;
		sessions_add(&g->tokens, c->token, NULL,
			     clock_ns(CLOCK_BOOTTIME) + (uint64_t)(expires * 1e9));
		c->peer->session = sessions_find(&g->tokens, c->token, clock_ns(CLOCK_BOOTTIME));
		if (wants_session(q))
			redirect(g, q, c->token);
		else
			api_continue(q->call, true);
	}
	free(c);
}

/* Asks plopd. The answer comes later. */
static void ask(struct gateway *g, struct api_request *q, const char *token)
{
	static const struct upstream_callbacks callbacks = { .done = check_done };
	char body[SESSION_TEXT_MAX + 32];
	struct check *c;

	/* of a fleet no plopd vouches for tokens */
	if (g->fleet || !check_token_form(token)) {
		refuse(q, true);
		return;
	}
	if (g->checks >= MAX_CHECKS) {
		api_reply_error(q->call, 503, "try again in a moment",
				"too many tokens to be checked at once");
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	c->gateway = g;
	c->request = q;
	c->peer = &q->peer;
	strcpy(c->token, token);
	snprintf(body, sizeof(body), "{\"token\":\"%s\"}", token);
	if (upstream_start(g->upstream, "POST", "/v1/tokens/check", body, 5, &callbacks, c,
			   &c->exchange) < 0) {
		free(c);
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	g->checks++;
	api_defer(q, check_gone, c);
}

const char *gateway_bearer(const struct api_request *q)
{
	const char *header = api_header(q, "Authorization");

	return header && strncasecmp(header, "Bearer ", 7) == 0 ?
		       header + 7 + strspn(header + 7, " ") :
		       NULL;
}

struct cookie_search {
	const struct gateway *gateway;
	uint64_t now, session; /* session: of the first good cookie */
};

/*
 * All cookies of the name: one that another port of this host has set must not hide the good one.
 */
static void on_cookie(const char *header, void *ctx)
{
	struct cookie_search *s = ctx;
	char id[SESSION_HEX + 1];

	while (check_cookie(&header, s->gateway->cookie, id, sizeof(id)))
		if (!s->session && strlen(id) == SESSION_HEX)
			s->session = sessions_find(&s->gateway->cookies, id, s->now);
}

int gateway_authorize(struct api_request *q, const char *const *headers, void *ctx)
{
	struct gateway *g = ctx;
	const char *host = api_header(q, "Host"), *token = api_parameter(q, "token");
	struct cookie_search cookies = { .gateway = g, .now = clock_ns(CLOCK_BOOTTIME) };
	char filled[SESSION_TEXT_MAX];

	q->peer.trusted = false;
	if (gateway_is_open(q->path))
		return 0;
	if (!check_host(host, g->listen.host, g->own_name)) {
		if (streq(q->method, "GET") && gateway_is_page(q->path)) {
			gateway_reply_page(q, PAGE_OTHER_PLACE);
			return 1;
		}
		api_reply_error(q->call, 403, "use the address that plopctl open prints",
				"the Host header names another place");
		return 1;
	}
	if (!check_origin(api_header(q, "Origin"), host)) {
		api_reply_error(q->call, 403, NULL, "requests of other web pages are refused");
		return 1;
	}
	if (is_form(q))
		token = check_form(q->body, filled, sizeof(filled)) ? filled : NULL;
	else if (!token)
		token = gateway_bearer(q);
	api_each_header(q, "Cookie", on_cookie, &cookies);
	if (cookies.session)
		q->peer.session = cookies.session;
	else if (token && *g->config->token && check_secret(token, g->config->token))
		q->peer.session = GATEWAY_STATIC;
	else if (token)
		q->peer.session = sessions_find(&g->tokens, token, cookies.now);
	q->peer.trusted = q->peer.session != 0;
	if (!q->peer.trusted) {
		if (token)
			ask(g, q, token);
		else
			refuse(q, false);
		return 1;
	}
	if (!wants_session(q))
		return 0;
	redirect(g, q, cookies.session ? NULL : token);
	return 1;
}
