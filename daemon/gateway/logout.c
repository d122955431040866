/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/check.h"
#include "gateway/gateway.h"
#include "util/clock.h"
#include "util/log.h"

/*
 * POST /v1/logout ends what the request shows: the sessions that its cookies name, its token, and
 * at plopd the tokens that they were made from, so that an address in the browser's history opens
 * nothing any more.
 */

struct logout {
	struct gateway *gateway;
	uint64_t now;
	unsigned int ended;
};

static void revoked(int r, struct upstream_answer *a, void *ctx)
{
	if (r < 0)
		log_debug_r(r, "Cannot tell plopd of a token that has ended");
	else if (a->status >= 300)
		log_debug("plopd does not take a token back: HTTP status %u", a->status);
}

/*
 * plopd forgets tokens by itself within the hour, and when it ends: nothing waits for its answer.
 */
static void forget(struct logout *l, const char *token)
{
	static const struct upstream_callbacks callbacks = { .done = revoked };
	struct gateway *g = l->gateway;
	char body[SESSION_TEXT_MAX + 32];
	const struct upstream_request request = {
		.method = "POST", .target = "/v1/tokens/revoke", .body = body, .timeout_s = 5
	};
	struct exchange *exchange;
	uint64_t session = sessions_end(&g->tokens, token, l->now, NULL);

	/* what was asked for by the token itself */
	if (session)
		gateway_proxy_end(g, session);
	if (!check_token_form(token))
		return;
	snprintf(body, sizeof(body), "{\"token\":\"%s\"}", token);
	if (upstream_start(g->upstream, &request, &callbacks, g, &exchange) < 0)
		log_debug("Cannot tell plopd of a token that has ended: out of memory");
}

static void on_cookie(const char *header, void *ctx)
{
	struct logout *l = ctx;
	char id[SESSION_HEX + 1], token[SESSION_TEXT_MAX];

	while (check_cookie(&header, l->gateway->cookie, id, sizeof(id))) {
		uint64_t session = strlen(id) == SESSION_HEX ?
					   sessions_end(&l->gateway->cookies, id, l->now, token) :
					   0;

		if (!session)
			continue;
		l->ended++;
		gateway_proxy_end(l->gateway, session);
		if (*token)
			forget(l, token);
	}
}

void gateway_logout(const struct api_request *q, void *ctx)
{
	struct gateway *g = ctx;
	struct logout l = { .gateway = g, .now = clock_ns(CLOCK_BOOTTIME) };
	const char *shown = api_parameter(q, "token");
	_cleanup_buf_ struct buf body = {};
	struct session_terms terms = {};
	char cookie[384];

	if (!shown)
		shown = gateway_bearer(q);
	api_each_header(q, "Cookie", on_cookie, &l);
	if (shown) {
		uint64_t session = sessions_find(&g->tokens, shown, l.now, &terms);

		/* one that has a name is taken away by plopctl token revoke alone */
		if (session && !terms.named) {
			l.ended++;
			gateway_proxy_end(g, session);
			forget(&l, shown);
		}
	}
	if (!l.ended) {
		api_reply_error(q->call, 409,
				"plopctl token revoke takes away one that has a name; another is "
				"taken out of plop.conf, and plop-gateway restarted",
				"this token does not end by that");
		return;
	}
	snprintf(cookie, sizeof(cookie),
		 "Set-Cookie: %s=; HttpOnly; SameSite=Strict; Path=%s/; Max-Age=0", g->cookie,
		 g->place.prefix);
	buf_puts(&body, "{\"logged_out\":true}\n");
	api_reply(q->call, 200, "application/json", &body, (const char *const[]){ cookie, NULL });
}
