/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/check.h"
#include "gateway/gateway.h"
#include "http/exchange.h"
#include "util/clock.h"
#include "util/log.h"

#define MAX_CHECKS    16
#define MAX_EXPIRES_S 86400.0
/* For whom the tokens are that have no name. */
#define WHO_OPEN   "plopctl open"
#define WHO_STATIC "the token of plop.conf"

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
static void redirect(struct gateway *g, const struct api_request *q, const char *token,
		     const struct session_terms *terms)
{
	char id[SESSION_HEX + 1], cookie[512];
	_cleanup_buf_ struct buf body = {}, location = {};
	_cleanup_free_ char *target = NULL;

	if (token && session_random(id, sizeof(id)) < 0) {
		api_reply_error(q->call, 500, NULL, "no random number for a session");
		return;
	}
	if (token) {
		struct session_terms own = *terms;

		/* a token of an hour has the browser stay for a day; one with a name ends for it */
		if (!own.named)
			own.until_ns =
				clock_ns(CLOCK_BOOTTIME) + COOKIE_HOURS * 3600 * NSEC_PER_SEC;
		sessions_add(&g->cookies, id, token, &own);
		snprintf(cookie, sizeof(cookie),
			 "Set-Cookie: %s=%s; HttpOnly; SameSite=Strict; Path=%s/; Max-Age=%d%s",
			 g->cookie, id, g->place.prefix, COOKIE_HOURS * 3600,
			 g->tls || g->place.https ? "; Secure" : "");
	}
	/* relative, as a proxy may have it below another path */
	buf_puts(&location, "Location: ./");
	gateway_put_query(&location, q, false);
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

/* What plopd says of a good token. -EBADMSG: nothing that can be understood. */
static int take_terms(const struct upstream_answer *a, struct session_terms *ret)
{
	json_t *o = json_loadb(a->body->data, a->body->size, 0, NULL);
	const json_t *expires = json_object_get(o, "expires_s"),
		     *scope = json_object_get(o, "scope");
	double seconds = json_is_number(expires) ? json_number_value(expires) : MAX_EXPIRES_S;
	int r = json_is_object(o) ? 0 : -EBADMSG;

	seconds = seconds > MAX_EXPIRES_S ? MAX_EXPIRES_S : seconds > 0 ? seconds : 0;
	ret->until_ns = clock_ns(CLOCK_BOOTTIME) + (uint64_t)(seconds * 1e9);
	ret->named = json_is_string(scope);
	if (ret->named)
		r = scope_parse(json_string_value(scope), &ret->scope);
	else
		strcpy(ret->scope.who, WHO_OPEN);
	json_decref(o);
	return r;
}

/* The token is good: the request goes on, or a session is made. */
static void accept_token(struct check *c, const struct session_terms *terms)
{
	struct gateway *g = c->gateway;

	/* plopctl shows another one each time */
	rate_give(&g->tries, c->peer->from);
	sessions_add(&g->tokens, c->token, NULL, terms);
	c->peer->session = sessions_find(&g->tokens, c->token, clock_ns(CLOCK_BOOTTIME), NULL);
	c->peer->scope = terms->scope;
	if (wants_session(c->request))
		redirect(g, c->request, c->token, terms);
	else
		api_continue(c->request->call, true);
}

static void check_done(int r, struct upstream_answer *a, void *ctx)
{
	struct check *c = ctx;
	struct gateway *g = c->gateway;
	const struct api_request *q = c->request;
	struct session_terms terms = {};

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
	} else if (take_terms(a, &terms) < 0) {
		api_reply_error(q->call, 502, "both are of one version: see plopctl status",
				"plopd says of the token what plop-gateway does not understand");
	} else {
		accept_token(c, &terms);
	}
	free(c);
}

/* Asks plopd. The answer comes later. */
static void ask(struct gateway *g, struct api_request *q, const char *token)
{
	static const struct upstream_callbacks callbacks = { .done = check_done };
	char body[SESSION_TEXT_MAX + 32];
	const struct upstream_request request = {
		.method = "POST", .target = "/v1/tokens/check", .body = body, .timeout_s = 5
	};
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
	if (upstream_start(g->upstream, &request, &callbacks, c, &c->exchange) < 0) {
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
	struct session_terms terms;
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
			s->session = sessions_find(&s->gateway->cookies, id, s->now, &s->terms);
}

/* Of a token that plopd need not be asked about: its session, 0: it is none. */
static uint64_t known_token(const struct gateway *g, const char *token, struct cookie_search *s)
{
	if (!*g->config->token || !check_secret(token, g->config->token))
		return sessions_find(&g->tokens, token, s->now, &s->terms);
	strcpy(s->terms.scope.who, WHO_STATIC);
	return GATEWAY_STATIC;
}

/* What no session may ask at all. 0: go on; 1: it is refused. */
static int check_place(const struct gateway *g, const struct api_request *q)
{
	const char *host = api_header(q, "Host"), *site = api_header(q, "Sec-Fetch-Site");
	bool page = gateway_is_page(q->path);

	if (!check_host(host, g->listen.host, g->own_name) &&
	    !(host && *g->place.origin && strcasecmp(host, place_host(&g->place)) == 0)) {
		if (streq(q->method, "GET") && page) {
			gateway_reply_page(q, PAGE_OTHER_PLACE);
			return 1;
		}
		api_reply_error(q->call, 403, "use the address that plopctl open prints",
				"the Host header names another place");
		return 1;
	}
	if (check_origin(api_header(q, "Origin"), host, g->place.origin) &&
	    (page || !site || !streq(site, "cross-site")))
		return 0;
	api_reply_error(q->call, 403, NULL, "requests of other web pages are refused");
	return 1;
}

/* More often than one may. */
static int refuse_often(const struct api_request *q)
{
	if (gateway_is_page(q->path))
		gateway_reply_page(q, PAGE_TOO_OFTEN);
	else
		api_reply_error(q->call, 429, "ask again in a moment",
				"too many requests of yours in a short time");
	return 1;
}

/* Who asks without a session that is known. */
static int meet(struct gateway *g, struct api_request *q, const char *token, uint64_t now)
{
	if (!rate_take(token ? &g->tries : &g->strangers, q->peer.from, now))
		return refuse_often(q);
	if (token)
		ask(g, q, token);
	else
		refuse(q, false);
	return 1;
}

/* The prefix of a proxy's paths alone. */
static int add_slash(const struct gateway *g, const struct api_request *q)
{
	_cleanup_buf_ struct buf body = {}, location = {};
	_cleanup_free_ char *target = NULL;

	buf_printf(&location, "Location: %s/", g->place.prefix);
	gateway_put_query(&location, q, false);
	target = buf_string(&location);
	if (target)
		api_reply(q->call, 308, NULL, &body, (const char *const[]){ target, NULL });
	else
		api_reply_error(q->call, 500, NULL, "out of memory");
	return 1;
}

/* The token that a request shows, or NULL; filled: SESSION_TEXT_MAX bytes. */
static const char *shown_token(const struct api_request *q, char *filled)
{
	const char *token = api_parameter(q, "token");

	if (is_form(q))
		return check_form(q->body, filled, SESSION_TEXT_MAX) ? filled : NULL;
	return token ? token : gateway_bearer(q);
}

int gateway_authorize(struct api_request *q, const char *const *headers, void *ctx)
{
	struct gateway *g = ctx;
	struct cookie_search cookies = { .gateway = g, .now = clock_ns(CLOCK_BOOTTIME) };
	char filled[SESSION_TEXT_MAX];
	const char *token;
	bool vouched;

	q->peer.trusted = false;
	q->path = place_path(&g->place, q->path);
	if (!*q->path)
		return add_slash(g, q);
	vouched = gateway_front(g, q);
	if (gateway_is_open(q->path))
		return rate_take(&g->strangers, q->peer.from, cookies.now) ? 0 : refuse_often(q);
	if (check_place(g, q))
		return 1;
	token = shown_token(q, filled);
	if (!vouched) {
		api_each_header(q, "Cookie", on_cookie, &cookies);
		/* whoever logs in anew, as somebody who may more, is heard */
		if (cookies.session && token && wants_session(q) &&
		    !scope_lets(&cookies.terms.scope, NEEDS_ALL))
			cookies.session = 0;
		q->peer.session = cookies.session ? cookies.session :
				  token           ? known_token(g, token, &cookies) :
						    0;
		q->peer.scope = cookies.terms.scope;
	}
	q->peer.trusted = q->peer.session != 0;
	if (!q->peer.trusted)
		return meet(g, q, token, cookies.now);
	if (!rate_take(&g->sessions, q->peer.session, cookies.now))
		return refuse_often(q);
	if (vouched || !wants_session(q))
		return 0;
	redirect(g, q, cookies.session ? NULL : token, &cookies.terms);
	return 1;
}
